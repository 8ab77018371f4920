/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Budgets in the kernel's maps: what a published policy allows, and what a job has sent. See
 * docs/egress.md.
 */
#ifndef JOBCAGE_KERN_BUDGET_H
#define JOBCAGE_KERN_BUDGET_H

#include <stddef.h>

#include "kern/kern.h"
#include "policy/policy.h"

/* Under a policy slot that no job names. Returns 0 or -errno; budget_withdraw() what is there. */
int budget_publish(struct kern *kern, __u32 slot, const struct budget *budgets, size_t cnt);
void budget_withdraw(struct kern *kern, __u32 slot, size_t cnt);

/*
 * What the job has sent under each budget of the policy, nothing yet; what is there goes on. Before the
 * job is put under the policy. Returns 0 or -errno.
 */
int spent_make(struct kern *kern, struct job_label label, const struct policy *policy);

/* Nothing was sent. The job must not send meanwhile. */
int spent_reset(struct kern *kern, struct job_label label);

/* The job is over. */
void spent_remove(struct kern *kern, struct job_label label);

/* Returns 0; -ENOENT: nothing of the job was ever counted under that budget. */
int spent_read(struct kern *kern, struct job_label label, __u64 id, struct spent *ret_spent);

struct destination_count {
	struct destination_key key; /* of protocol 0: all that did not fit */
	struct destination_value value;
};

/* Where the job has sent, most bytes first. Returns 0 or -errno; free() it. */
int spent_destinations(struct kern *kern, struct job_label label,
		       struct destination_count **ret_counts, size_t *ret_cnt);

#endif
