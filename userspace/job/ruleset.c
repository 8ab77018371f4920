// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a policy became in the kernel; see ruleset.h. */
#include "job/ruleset.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/state.h"
#include "kern/publish.h"

static void ruleset_free(struct ruleset *ruleset)
{
	lookup_free(ruleset->lookup);
	places_free(ruleset->places);
	policy_free(ruleset->policy);
	roots_free(&ruleset->roots);
	roots_free(&ruleset->old_roots);
	cleanup_fd(&ruleset->policy_fd);
	free(ruleset->alerts);
	free(ruleset);
}

/* Takes policy over, whatever happens. */
static struct ruleset *add(struct rulesets *rulesets, struct policy *policy, const char *alerts)
{
	struct ruleset *ruleset = calloc(1, sizeof(*ruleset));

	if (!ruleset) {
		policy_free(policy);
		return NULL;
	}
	*ruleset = (struct ruleset){
		.policy = policy,
		.alerts = strdup(alerts),
		.old_slot = POLICY_SLOTS,
		.policy_fd = -1,
		.job_cnt = 1,
	};
	if (!ruleset->alerts) {
		ruleset_free(ruleset);
		return NULL;
	}
	ruleset->next = rulesets->first;
	rulesets->first = ruleset;
	return ruleset;
}

static void drop(struct rulesets *rulesets, struct ruleset *ruleset)
{
	struct ruleset **at = &rulesets->first;

	while (*at != ruleset)
		at = &(*at)->next;
	*at = ruleset->next;
	ruleset_free(ruleset);
}

/*
 * Rules that hold for other files by now are of no use to a new job, nor are those that another
 * controller has withdrawn because no job was under them.
 */
static bool is_current(struct rulesets *rulesets, const struct ruleset *ruleset,
		       const struct places *places)
{
	_cleanup_free_ struct root_change *changes = NULL;
	size_t cnt;

	return ruleset->is_published && ruleset->roots.fd_cnt &&
	       policy_rules_id(rulesets->kern, ruleset->slot) == ruleset->rules_id &&
	       !roots_check(rulesets->kern, &ruleset->roots, places, NULL, &changes, &cnt) &&
	       !cnt;
}

/* Of the same owner: on his share counts what its rules hold open, whoever's jobs are under them. */
static struct ruleset *find(struct rulesets *rulesets, const struct places *places,
			    const char *alerts)
{
	const struct policy *policy = places->policy;

	for (struct ruleset *r = rulesets->first; r; r = r->next)
		if (!strcmp(r->policy->digest, policy->digest) &&
		    r->policy->owner == policy->owner && !strcmp(r->alerts, alerts) &&
		    is_current(rulesets, r, places))
			return r;
	return NULL;
}

static struct ruleset *take_ref(struct ruleset *ruleset)
{
	ruleset->job_cnt++;
	return ruleset;
}

int ruleset_get(struct rulesets *rulesets, struct places *places, const char *alerts,
		struct error *err, struct ruleset **ret_ruleset)
{
	struct ruleset *ruleset = find(rulesets, places, alerts);
	int r;

	if (ruleset) {
		places_free(places);
		*ret_ruleset = take_ref(ruleset);
		return 0;
	}
	ruleset = add(rulesets, policy_hold(places->policy), alerts);
	if (!ruleset) {
		places_free(places);
		return error_errno(err, -ENOMEM, "cannot hold the policy");
	}
	ruleset->places = places;
	r = policy_choose_slot(rulesets->kern, err, &ruleset->slot);
	if (r)
		drop(rulesets, ruleset);
	else
		*ret_ruleset = ruleset;
	return r;
}

/* A terminal, a pipe or /dev/null as the place for alerts is not ours to close. */
static bool is_regular(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

int rulesets_close(struct rulesets *rulesets, const char *path)
{
	char *copy;

	if (rulesets->closed_cnt == CLOSED_MAX)
		return -ENOSPC;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	rulesets->closed[rulesets->closed_cnt++] = copy;
	return 0;
}

void rulesets_reopen(struct rulesets *rulesets)
{
	while (rulesets->closed_cnt)
		free(rulesets->closed[--rulesets->closed_cnt]);
}

static int publish(struct rulesets *rulesets, const struct ruleset *ruleset, struct places *places,
		   __u32 slot, struct error *err, struct roots *ret_roots)
{
	const char *own[CLOSED_MAX + 5] = { KERN_PIN_ROOT, STATE_ROOT };
	size_t cnt = 2;

	if (!access(LOG_ROOT, F_OK))
		own[cnt++] = LOG_ROOT;
	if (is_regular(ruleset->alerts))
		own[cnt++] = ruleset->alerts;
	for (size_t i = 0; i < rulesets->closed_cnt; i++)
		if (!access(rulesets->closed[i], F_OK))
			own[cnt++] = rulesets->closed[i];
	return policy_publish(rulesets->kern, places, own, slot, err, ret_roots);
}

int ruleset_publish(struct rulesets *rulesets, struct ruleset *ruleset, struct error *err)
{
	int r;

	if (ruleset->is_published)
		return 0;
	r = publish(rulesets, ruleset, ruleset->places, ruleset->slot, err, &ruleset->roots);
	places_free(TAKE_PTR(ruleset->places));
	ruleset->is_published = !r;
	ruleset->rules_id = policy_rules_id(rulesets->kern, ruleset->slot);
	return r;
}

int ruleset_refresh(struct rulesets *rulesets, struct ruleset *ruleset, struct places *places,
		    struct error *err)
{
	struct roots roots;
	__u32 slot;
	int r = policy_choose_slot(rulesets->kern, err, &slot);

	if (!r)
		r = publish(rulesets, ruleset, places, slot, err, &roots);
	if (r)
		return r;
	ruleset->old_slot = ruleset->slot;
	ruleset->old_roots = ruleset->roots;
	ruleset->slot = slot;
	ruleset->rules_id = policy_rules_id(rulesets->kern, slot);
	ruleset->roots = roots;
	return 0;
}

bool ruleset_is_settled(const struct ruleset *ruleset)
{
	return ruleset->old_slot >= POLICY_SLOTS;
}

void ruleset_settle(struct rulesets *rulesets, struct ruleset *ruleset)
{
	if (ruleset_is_settled(ruleset))
		return;
	if (!policy_slot_in_use(rulesets->kern, ruleset->old_slot))
		policy_withdraw(rulesets->kern, ruleset->old_slot);
	roots_free(&ruleset->old_roots);
	ruleset->old_slot = POLICY_SLOTS;
}

int ruleset_adopt(struct rulesets *rulesets, struct policy *policy, const char *alerts, __u32 slot,
		  struct error *err, struct ruleset **ret_ruleset)
{
	struct ruleset *ruleset = rulesets->first;

	while (ruleset && (ruleset->slot != slot || strcmp(ruleset->policy->digest, policy->digest)))
		ruleset = ruleset->next;
	if (ruleset) {
		policy_free(policy);
		*ret_ruleset = take_ref(ruleset);
		return 0;
	}
	ruleset = add(rulesets, policy, alerts);
	if (!ruleset)
		return error_errno(err, -ENOMEM, "cannot hold the policy");
	ruleset->slot = slot;
	ruleset->is_published = true;
	ruleset->rules_id = policy_rules_id(rulesets->kern, slot);
	*ret_ruleset = ruleset;
	return 0;
}

/* A file whose last name is gone, with the last job that shared it, cannot get another. */
static bool is_nameless(int fd)
{
	struct stat st;

	return fstat(fd, &st) || !st.st_nlink;
}

int ruleset_policy_fd(struct ruleset *ruleset, struct error *err)
{
	if (ruleset->policy_fd >= 0 && is_nameless(ruleset->policy_fd))
		close(TAKE_FD(ruleset->policy_fd));
	if (ruleset->policy_fd < 0)
		ruleset->policy_fd = state_make_policy(ruleset->policy->canonical, err);
	return ruleset->policy_fd;
}

void ruleset_put(struct rulesets *rulesets, struct ruleset *ruleset)
{
	if (!ruleset || --ruleset->job_cnt)
		return;
	ruleset_settle(rulesets, ruleset);
	if (!policy_slot_in_use(rulesets->kern, ruleset->slot))
		policy_withdraw(rulesets->kern, ruleset->slot);
	drop(rulesets, ruleset);
}

void ruleset_forget(struct rulesets *rulesets, struct ruleset *ruleset)
{
	if (!--ruleset->job_cnt)
		drop(rulesets, ruleset);
}

void rulesets_forget(struct rulesets *rulesets)
{
	while (rulesets->first)
		drop(rulesets, rulesets->first);
}
