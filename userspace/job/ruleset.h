/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a policy became in the kernel, shared by all jobs of one controller that obey it.
 *
 * Jobs share a rule set if their policies have the same digest and the same file of our own is
 * closed to them. The last job that lets go withdraws it, unless a job of another controller has
 * adopted the same slot.
 *
 * The caller holds the lock of job/state.h around everything that changes a set.
 */
#ifndef JOBCAGE_JOB_RULESET_H
#define JOBCAGE_JOB_RULESET_H

#include <stdbool.h>

#include "base/error.h"
#include "job/lookup.h"
#include "kern/kern.h"
#include "kern/roots.h"
#include "policy/outlets.h"
#include "policy/policy.h"

struct ruleset {
	struct ruleset *next;
	struct policy *policy; /* a reference of its own */
	struct places *places; /* owned: where its paths lead, until it is published */
	char *alerts;          /* owned: where the jobs' alerts go, closed to them if a file */
	__u32 slot;
	__u32 old_slot; /* before ruleset_refresh(), until ruleset_settle(); POLICY_SLOTS: none */
	bool is_published;
	__u64 rules_id; /* of the publication, as the kernel has it */
	bool renewal_failed; /* said already that its paths cannot be resolved anew */
	struct lookup *lookup; /* owned: under way before they are looked at; NULL: none */
	bool is_unanswered;    /* said already that one of its paths does not answer */
	bool is_crowded;       /* said already that there is no room to look at its paths */
	struct roots roots;  /* empty if adopted: the files are not held */
	struct roots old_roots;
	int policy_fd; /* state_make_policy(); -1 until it is asked for */
	unsigned int job_cnt;
};

#define CLOSED_MAX 32

/* All of one controller. */
struct rulesets {
	struct kern *kern; /* borrowed */
	struct ruleset *first;
	/* Besides the pins, the state, LOG_ROOT and the job's own file of alerts: closed to every
	 * job whose rules are published from now on. Owned. */
	char *closed[CLOSED_MAX];
	size_t closed_cnt;
};

/* Closes a file or folder too; one that is not there is passed over. Returns 0, -ENOMEM or -ENOSPC. */
int rulesets_close(struct rulesets *rulesets, const char *path);

/* Forgets what rulesets_close() was told. */
void rulesets_reopen(struct rulesets *rulesets);

/*
 * The rule set for the policy whose paths lead to these places: one that is there, or a new one in a
 * slot that is chosen but not filled. Takes places over, whatever happens. Give back with
 * ruleset_put().
 */
int ruleset_get(struct rulesets *rulesets, struct places *places, const char *alerts,
		struct error *err, struct ruleset **ret_ruleset);

/* Fills the slot, unless it is filled. On failure nothing is left in the kernel. */
int ruleset_publish(struct rulesets *rulesets, struct ruleset *ruleset, struct error *err);

/*
 * Puts the rules, for the places that their paths lead to now, under a new slot, which the caller
 * gives to every job of the set with job_refresh() before it calls ruleset_settle(). On failure
 * nothing has changed. The places are used up.
 */
int ruleset_refresh(struct rulesets *rulesets, struct ruleset *ruleset, struct places *places,
		    struct error *err);

/* Is no slot left that was in use before the last ruleset_refresh()? */
bool ruleset_is_settled(const struct ruleset *ruleset);

/* Withdraws the slot that was in use before. The caller let a policy_barrier() pass. */
void ruleset_settle(struct rulesets *rulesets, struct ruleset *ruleset);

/* The rule set of an adopted job, as that slot holds it. Takes policy over, whatever happens. */
int ruleset_adopt(struct rulesets *rulesets, struct policy *policy, const char *alerts, __u32 slot,
		  struct error *err, struct ruleset **ret_ruleset);

/* The policy's file, for job_state_put_policy(). The rule set keeps the descriptor; or -errno. */
int ruleset_policy_fd(struct ruleset *ruleset, struct error *err);

/* Lets go of a reference of ruleset_get() or ruleset_adopt(); the last one withdraws the rules. */
void ruleset_put(struct rulesets *rulesets, struct ruleset *ruleset);

/* One reference, or all of them, without touching the kernel: the jobs go on. */
void ruleset_forget(struct rulesets *rulesets, struct ruleset *ruleset);
void rulesets_forget(struct rulesets *rulesets);

#endif
