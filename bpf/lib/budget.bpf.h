/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Budgets: how many bytes a job may send by a rule, and in all; what is left of them. What has no count
 * is refused. See docs/egress.md.
 */
#ifndef JOBCAGE_BUDGET_BPF_H
#define JOBCAGE_BUDGET_BPF_H

#include "lib/job.bpf.h"

/* The IP packet of a SYN with all options: who has less room cannot connect. */
#define SYN_BYTES 100

static __always_inline bool is_open(__u32 rule)
{
	return (__s32)rule > 0;
}

static __always_inline struct budget *budget_at(const struct job *job, __u32 index)
{
	struct budget_key key = { .policy = job->policy_slot, .index = index };

	return bpf_map_lookup_elem(&budget_by_rule, &key);
}

static __always_inline struct spent *spent_at(const struct job *job, __u64 id)
{
	struct spent_key key = { .label = job->label, .id = id };

	return bpf_map_lookup_elem(&spent_by_job, &key);
}

/* Which budget of its own a counted rule has; BUDGET_OF_JOB: none. */
static __always_inline __u32 budget_of_rule(__u32 rule)
{
	__u32 index = RULE_BUDGET(rule);

	return index == BUDGET_INBOUND ? BUDGET_OF_JOB : index;
}

/* Is there room for so many bytes? Nothing is taken. */
static __always_inline bool has_room(const struct job *job, __u32 index, __u64 len)
{
	struct budget *budget = budget_at(job, index);
	struct spent *spent = budget ? spent_at(job, budget->id) : NULL;
	__u64 bytes;

	if (!spent)
		return false;
	bytes = *(volatile __u64 *)&spent->bytes;
	return bytes <= budget->max_bytes && len <= budget->max_bytes - bytes;
}

/* For connect() and the like, which fail at once. *ret_rule: of what is spent. */
static __noinline bool budget_is_spent(const struct job *job, __u32 rule, __u32 len, __u32 *ret_rule)
{
	__u32 index = budget_of_rule(rule);

	*ret_rule = RULE_NONE;
	if (!has_room(job, BUDGET_OF_JOB, len))
		return true;
	if (!index || has_room(job, index, len))
		return false;
	*ret_rule = rule & RULE_NUMBER_MASK;
	return true;
}

#endif
