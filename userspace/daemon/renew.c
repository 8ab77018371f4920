// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rules of running jobs, renewed; see renew.h. */
#include "daemon/renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "job/state.h"
#include "kern/publish.h"

/* Mounts come in bursts: how long to wait for the next one before the rules are looked at. */
#define MOUNTS_SETTLE_MS 500

static void warn(const struct error *err)
{
	fprintf(stderr, "jobcage: warning: %s\n", err->text);
}

/* --- another policy --------------------------------------------------------------------------- */

static int replace_one(struct controller *controller, struct watch *watch, struct policy *policy,
		       struct error *err)
{
	struct ruleset *rules;
	int r = ruleset_get(&controller->rulesets, policy, watch->job->alerts, err, &rules);

	if (r)
		return r;
	if (rules == watch->job->rules) {
		ruleset_put(&controller->rulesets, rules);
		return 0;
	}
	r = watch_replace(watch, rules, err);
	if (r)
		ruleset_put(&controller->rulesets, rules);
	return r ? r : 1;
}

static void settle_all(struct controller *controller, struct error *err)
{
	if (policy_barrier(controller->kern, err))
		return;
	for (struct watch *watch = controller->watches; watch; watch = watch->next)
		watch_settle(watch);
}

int controller_replace(struct controller *controller, controller_choose_fn choose, void *arg,
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
	if (cnt)
		settle_all(controller, failure ? NULL : err);
	return failure ? failure : cnt;
}

/* --- paths that lead elsewhere ---------------------------------------------------------------- */

static void tell(struct controller *controller, const struct ruleset *rules, const char *text)
{
	for (struct watch *watch = controller->watches; watch; watch = watch->next)
		if (watch->job->rules == rules)
			watch_find(watch, "Root of a rule changed", text);
}

/* The old rules hold until a job is refreshed, and for good if it cannot be. */
static int refresh(struct controller *controller, struct ruleset *rules, struct error *err)
{
	int r = ruleset_refresh(&controller->rulesets, rules, err);

	for (struct watch *watch = controller->watches; !r && watch; watch = watch->next)
		if (watch->job->rules == rules)
			r = job_refresh(watch->job, err);
	if (!r)
		r = policy_barrier(controller->kern, err);
	if (!r)
		ruleset_settle(&controller->rulesets, rules);
	return r;
}

/* Adopted rules hold no files yet: whatever became of the paths, they are resolved now. */
static bool is_stale(struct controller *controller, struct ruleset *rules, struct error *err)
{
	return !rules->roots.fd_cnt ||
	       roots_check(controller->kern, rules->policy, &rules->roots, err);
}

static void renew_one(struct controller *controller, struct ruleset *rules)
{
	struct error change = { 0 }, err = { 0 };
	char text[2 * ERROR_TEXT_MAX];

	if (rules->renewal_failed || !is_stale(controller, rules, &change))
		return;
	if (refresh(controller, rules, &err)) {
		snprintf(text, sizeof(text),
			 "%s; the rules still hold for the files they were made for, because they "
			 "cannot be resolved anew: %s",
			 change.text, err.text);
		rules->renewal_failed = true;
	} else {
		snprintf(text, sizeof(text), "%s; the rules have been resolved anew", change.text);
	}
	if (change.code || rules->renewal_failed)
		tell(controller, rules, text);
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
	int64_t soon = controller_now_ms() + MOUNTS_SETTLE_MS;

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
