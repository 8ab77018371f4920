// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rules of running jobs, renewed; see renew.h. */
#include "daemon/renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/warn.h"
#include "job/state.h"
#include "kern/publish.h"

/* Mounts come in bursts: how long to wait for the next one before the rules are looked at. */
#define MOUNTS_SETTLE_MS 500

/* How long the paths of a policy may take to answer before the jobs' records say that they do not,
 * and how often that is looked at until then. */
#define ANSWER_MS 5000
#define ANSWER_POLL_MS 20

/* --- another policy --------------------------------------------------------------------------- */

/* Once no hook can decide by the old rules any more, the change is told of and they go. */
static int settle_all(struct controller *controller, struct error *err)
{
	int r = policy_barrier(err);

	for (struct watch *watch = controller->watches; !r && watch; watch = watch->next)
		watch_settle(watch);
	return r;
}

static int replace_one(struct controller *controller, struct watch *watch, struct policy *policy,
		       struct error *err)
{
	struct places *places = places_walk(policy, err);
	struct ruleset *rules;
	int r;

	policy_free(policy);
	if (!places)
		return -ENOMEM;
	r = ruleset_get(&controller->rulesets, places, watch->job->alerts, err, &rules);
	if (r)
		return r;
	if (rules == watch->job->rules) {
		ruleset_put(&controller->rulesets, rules);
		return 0;
	}
	/* A change that could not be settled is not forgotten for the next one. */
	r = watch->previous ? settle_all(controller, err) : 0;
	if (!r)
		r = watch_replace(watch, rules, err);
	if (r)
		ruleset_put(&controller->rulesets, rules);
	return r ? r : 1;
}

int renew_policies(struct controller *controller, renew_choose_fn choose, void *arg,
		   struct error *err)
{
	_cleanup_fd_ int lock = state_lock(err);
	int cnt = 0, failure = 0;

	if (lock < 0)
		return lock;
	for (struct watch *watch = controller->watches; watch; watch = watch->next) {
		struct policy *policy = choose(arg, watch->job);
		int r = policy ? replace_one(controller, watch, policy, failure ? NULL : err) : 0;

		if (r > 0)
			cnt++;
		else if (r < 0 && !failure)
			failure = error_prefix(err, "job %s keeps its rules", watch->job->id);
	}
	if (cnt && settle_all(controller, failure ? NULL : err) && !failure)
		failure = error_prefix(err, "%d jobs obey new rules, which are not told of yet", cnt);
	return failure ? failure : cnt;
}

/* --- paths that lead elsewhere ---------------------------------------------------------------- */

static void tell(struct controller *controller, const struct ruleset *rules, const char *text)
{
	for (struct watch *watch = controller->watches; watch; watch = watch->next)
		if (watch->job->rules == rules)
			watch_tell(watch, "Root of a rule changed", text);
}

/* Puts all jobs of the set under its new slot. One that cannot be keeps no other from it. */
static int move_jobs(struct controller *controller, struct ruleset *rules, struct error *err)
{
	int r = 0;

	for (struct watch *watch = controller->watches; watch; watch = watch->next)
		if (watch->job->rules == rules)
			r = job_refresh(watch->job, r ? NULL : err) ?: r;
	if (!r)
		r = policy_barrier(err);
	if (!r)
		ruleset_settle(&controller->rulesets, rules);
	return r;
}

/* The old rules hold until a job is moved, and for good if it cannot be. */
static int refresh(struct controller *controller, struct ruleset *rules, struct places *places,
		   struct error *err)
{
	int r = ruleset_is_settled(rules) ? 0 : move_jobs(controller, rules, err);

	if (!r)
		r = ruleset_refresh(&controller->rulesets, rules, places, err);
	return r ? r : move_jobs(controller, rules, err);
}

static const char *news_of(const struct root_change *change)
{
	switch (change->news) {
	case ROOT_REPLACED: return "leads to another file now";
	case ROOT_GONE: return "leads nowhere now";
	case ROOT_APPEARED: return "exists now";
	case ROOT_REMOUNTED:
		return change->is_read_only ? "was mounted read-only" : "was mounted writable";
	case ROOT_MOUNT_BELOW: return "has another file system mounted below it";
	}
	return "changed";
}

static void print_key(FILE *out, const char *what, const struct root_key *key)
{
	if (key->ino)
		fprintf(out, "%s inode %llu on device %u:%u", what, (unsigned long long)key->ino,
			key->dev >> 20, key->dev & 0xfffff);
}

/* One sentence for each change. */
static char *describe(const struct policy *policy, const struct root_change *changes, size_t cnt)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; out && i < cnt; i++) {
		const struct rule *rule = policy_rule(policy, changes[i].rule);

		fprintf(out, "%s%s (rule \"%s\") %s", i ? "; " : "", rule ? rule->path : "?",
			rule ? rule->id : "?", news_of(&changes[i]));
		print_key(out, ": before", &changes[i].old);
		print_key(out, changes[i].old.ino ? ", now" : ": now", &changes[i].now);
	}
	if (out && fclose(out)) {
		free(text);
		text = NULL;
	}
	return text;
}

/* A root that is gone keeps its rule for the file that was there: nothing can be resolved. */
static bool is_resolvable(const struct root_change *changes, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (changes[i].news == ROOT_GONE)
			return false;
	return true;
}

static void renew_changed(struct controller *controller, struct ruleset *rules,
			  struct places *places, const struct root_change *changes, size_t cnt)
{
	_cleanup_free_ char *change = describe(rules->policy, changes, cnt);
	_cleanup_free_ char *text = NULL;
	struct error err = { 0 };
	int r = -ENOENT;

	if (is_resolvable(changes, cnt))
		r = refresh(controller, rules, places, &err);
	else
		error_set(&err, r, "a path leads nowhere");
	rules->renewal_failed = r;
	if (r && asprintf(&text,
			  "%s; every rule still holds for the file it was made for, because "
			  "the rules cannot be resolved anew: %s",
			  change ? change : "paths changed", err.text) < 0)
		text = NULL;
	if (!r && asprintf(&text, "%s; the rules have been resolved anew",
			   change ? change : "paths changed") < 0)
		text = NULL;
	tell(controller, rules, text ? text : "paths changed");
}

/* Adopted rules hold no files yet: whatever became of the paths, they are resolved now. */
static void hold_adopted(struct controller *controller, struct ruleset *rules,
			 struct places *places)
{
	struct error err = { 0 };

	if (!refresh(controller, rules, places, &err))
		return;
	rules->renewal_failed = true;
	tell(controller, rules, err.text);
}

static void tell_unanswered(struct controller *controller, struct ruleset *rules)
{
	_cleanup_free_ char *text = NULL;

	rules->is_unanswered = true;
	if (asprintf(&text,
		     "%s has not answered for %d s; every rule holds for the file it was made for, "
		     "and is looked at again when the path answers",
		     lookup_path(rules->lookup), ANSWER_MS / 1000) < 0)
		text = NULL;
	tell(controller, rules, text ? text : "a path does not answer");
}

/* There is no room to look at all paths. Frees the places, which are of no use. */
static void tell_crowded(struct controller *controller, struct ruleset *rules,
			 struct places *places)
{
	_cleanup_free_ char *text = NULL;

	if (!rules->is_crowded &&
	    asprintf(&text, "%s; until there is room every rule holds for the file it was made for",
		     places->err.text) >= 0)
		tell(controller, rules, text);
	rules->is_crowded = true;
	places_free(places);
}

/* Where the rules' paths lead, as a thread has found it; NULL: it has not yet, and another look is
 * due. */
static struct places *look_up(struct controller *controller, struct ruleset *rules)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);
	struct places *places;

	if (!rules->lookup)
		rules->lookup = lookup_start(rules->policy);
	if (!rules->lookup)
		return NULL;
	places = lookup_take(rules->lookup);
	if (places) {
		lookup_free(TAKE_PTR(rules->lookup));
		rules->is_unanswered = false;
		if (places->err.code == -EBUSY) {
			tell_crowded(controller, rules, places);
			return NULL;
		}
		rules->is_crowded = false;
		return places;
	}
	if (!rules->is_unanswered && now - lookup_started_ms(rules->lookup) >= ANSWER_MS)
		tell_unanswered(controller, rules);
	if (!rules->is_unanswered && controller->roots_ms > now + ANSWER_POLL_MS)
		controller->roots_ms = now + ANSWER_POLL_MS;
	return NULL;
}

static void renew_for(struct controller *controller, struct ruleset *rules, struct places *places)
{
	_cleanup_free_ struct root_change *changes = NULL;
	struct error err = { 0 };
	size_t cnt = 0;

	if (!rules->roots.fd_cnt)
		hold_adopted(controller, rules, places);
	else if (roots_check(controller->kern, &rules->roots, places, &err, &changes, &cnt))
		warn(&err);
	else if (cnt)
		renew_changed(controller, rules, places, changes, cnt);
}

static void renew_one(struct controller *controller, struct ruleset *rules)
{
	struct places *places = rules->renewal_failed ? NULL : look_up(controller, rules);

	if (places)
		renew_for(controller, rules, places);
	places_free(places);
}

void renew_roots(struct controller *controller)
{
	_cleanup_fd_ int lock = -1;
	struct error err = { 0 };

	lock = state_lock(&err);
	if (lock < 0) {
		warn(&err);
		return;
	}
	for (struct ruleset *rules = controller->rulesets.first; rules; rules = rules->next)
		renew_one(controller, rules);
}

/* --- the mount table -------------------------------------------------------------------------- */

static void on_mounts(void *arg)
{
	struct controller *controller = arg;
	int64_t soon = clock_ms(CLOCK_MONOTONIC) + MOUNTS_SETTLE_MS;

	for (struct ruleset *rules = controller->rulesets.first; rules; rules = rules->next)
		rules->renewal_failed = false;
	if (controller->roots_ms > soon)
		controller->roots_ms = soon;
}

void renew_watch_mounts(struct controller *controller)
{
	if (controller->mounts_fd >= 0)
		return;
	controller->mounts_fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	if (controller->mounts_fd >= 0 &&
	    loop_add(controller->loop_fd, &controller->mounts_source, controller->mounts_fd,
		     EPOLLPRI, on_mounts, controller))
		close(TAKE_FD(controller->mounts_fd));
}
