/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Budgets: how many bytes a job may send by a rule, and in all.
 *
 * A packet's bytes are taken before it goes, by one atomic addition, and given back if they are too
 * many: so however many processors send at once, what has gone never exceeds the budget. For an
 * instant others may find it spent that is not yet; they are refused, and may send again. What has
 * no counter, and cannot be given one, is refused.
 */
#ifndef JOBCAGE_BUDGET_BPF_H
#define JOBCAGE_BUDGET_BPF_H

#include "lib/job.bpf.h"

#define BPF_NOEXIST 1 /* include/uapi/linux/bpf.h */

static __always_inline struct spent *spent_of(const struct job *job, const struct budget *budget)
{
	struct spent_key key = { job->label.slot, job->label.generation, budget->id };
	struct spent *spent = bpf_map_lookup_elem(&spent_by_job, &key);
	struct spent nothing = {};

	if (spent)
		return spent;
	bpf_map_update_elem(&spent_by_job, &key, &nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&spent_by_job, &key);
}

static __always_inline bool budget_take(const struct budget *budget, struct spent *spent, __u64 len)
{
	__u64 before;

	if (!spent)
		return false;
	before = __sync_fetch_and_add(&spent->bytes, len);
	if (before <= budget->max_bytes && len <= budget->max_bytes - before)
		return true;
	__sync_fetch_and_add(&spent->bytes, -len);
	count(&spent->refused_cnt);
	return false;
}

/* May len bytes go by a rule that has a budget? If not, *ret_rule is the number of what is spent. */
static __noinline bool budget_allows(const struct job *job, __u32 rule, __u32 len, __u32 *ret_rule)
{
	struct budget_key key = { .policy = job->policy_slot, .rule = rule & ~RULE_HAS_BUDGET };
	struct budget *own = key.rule ? bpf_map_lookup_elem(&budget_by_rule, &key) : NULL;
	struct spent *spent = own ? spent_of(job, own) : NULL;
	struct budget *whole;

	*ret_rule = key.rule;
	if (own && !budget_take(own, spent, len))
		return false;
	key.rule = RULE_NONE;
	whole = bpf_map_lookup_elem(&budget_by_rule, &key);
	if (!whole)
		return own && !job->policy->has_limit;
	if (budget_take(whole, spent_of(job, whole), len))
		return true;
	if (own && spent)
		__sync_fetch_and_add(&spent->bytes, -(__u64)len);
	*ret_rule = RULE_NONE;
	return false;
}

#endif
