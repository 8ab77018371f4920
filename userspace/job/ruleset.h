/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a policy became in the kernel, shared by all jobs of one controller that obey it.
 *
 * Jobs share a rule set if their policies have the same digest and the same file of our own is
 * closed to them. When the last job has let go of it, what is in the kernel is kept for a while,
 * for the next job of that policy; but none of its files is held, so that a file system can be
 * unmounted, and they are looked for anew before it is used again.
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
	struct policy *policy; /* owned */
	char *alerts;          /* owned: where the jobs' alerts go, closed to them if a file */
	__u32 slot;
	__u32 old_slot; /* before ruleset_refresh(), until ruleset_settle(); POLICY_SLOTS: none */
	bool is_published;
	bool is_adopted; /* jobs that another controller adopted may name the slot too */
	bool renewal_failed; /* said already that its paths cannot be resolved anew */
	struct lookup *lookup; /* owned: under way before they are looked at; NULL: none */
	bool is_unanswered;    /* said already that one of its paths does not answer */
	struct roots roots;  /* empty if adopted: the files are not held */
	struct roots old_roots;
	int policy_fd; /* state_make_policy(); -1 until it is asked for */
	unsigned int job_cnt; /* 0: kept for a while */
	__u64 publication;    /* policy_publication() when it was last published */
	int64_t kept_ms;      /* CLOCK_MONOTONIC: since when it is kept */
};

#define CLOSED_MAX 32

/* All of one controller. */
struct rulesets {
	struct kern *kern; /* borrowed */
	struct ruleset *first;
	bool are_kept; /* whether rules outlive their last job */
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
 * The rule set for a policy: one that is there, or a new one in a slot that is chosen but not
 * filled. Takes policy over, whatever happens. Give back with ruleset_put().
 */
int ruleset_get(struct rulesets *rulesets, struct policy *policy, const char *alerts,
		struct error *err, struct ruleset **ret_ruleset);

/* Fills the slot, unless it is filled. On failure nothing is left in the kernel. */
int ruleset_publish(struct rulesets *rulesets, struct ruleset *ruleset, struct error *err);

/*
 * Resolves the rules' paths anew and puts the result under a new slot, which the caller gives to
 * every job of the set with job_refresh() before it calls ruleset_settle(). On failure nothing has
 * changed.
 */
int ruleset_refresh(struct rulesets *rulesets, struct ruleset *ruleset, struct error *err);

/* Withdraws the slot that was in use before. The caller let a policy_barrier() pass. */
void ruleset_settle(struct rulesets *rulesets, struct ruleset *ruleset);

/* The rule set of an adopted job, as that slot holds it. Takes policy over, whatever happens. */
int ruleset_adopt(struct rulesets *rulesets, struct policy *policy, const char *alerts, __u32 slot,
		  struct error *err, struct ruleset **ret_ruleset);

/* The policy's file, for job_state_put_policy(). The rule set keeps the descriptor; or -errno. */
int ruleset_policy_fd(struct ruleset *ruleset, struct error *err);

/*
 * Lets go of a reference of ruleset_get() or ruleset_adopt(). Without the last one the rules are
 * kept for RULESET_KEPT_MS or withdrawn, unless a job of another controller has adopted their slot.
 */
void ruleset_put(struct rulesets *rulesets, struct ruleset *ruleset);

#define RULESET_KEPT_MS 60000
#define RULESETS_KEPT_MAX 8

size_t rulesets_kept_cnt(const struct rulesets *rulesets);
/* Is one there whose time is over? */
bool rulesets_are_due(const struct rulesets *rulesets);
/* Withdraws those, or all that are kept. */
void rulesets_withdraw_due(struct rulesets *rulesets);
void rulesets_withdraw_kept(struct rulesets *rulesets);

/* One reference, or all of them, without touching the kernel: the jobs go on. */
void ruleset_forget(struct rulesets *rulesets, struct ruleset *ruleset);
void rulesets_forget(struct rulesets *rulesets);

#endif
