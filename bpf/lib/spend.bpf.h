/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Spending a budget, and where it went; for the packet program.
 *
 * Bytes are taken before their packet goes, by one atomic addition, and given back if they are too
 * many. So what has gone is in the count at every moment, and however many processors send at once,
 * it never exceeds the budget. For an instant others may find less room than there is; together they
 * ask for more than there is.
 */
#ifndef JOBCAGE_SPEND_BPF_H
#define JOBCAGE_SPEND_BPF_H

#include "lib/budget.bpf.h"

static __always_inline void give_back(struct spent *spent, __u64 len)
{
	__sync_fetch_and_add(&spent->bytes, -len);
}

/* is_forced: in audit mode they go whether there is room or not. */
static __always_inline bool take(const struct budget *budget, struct spent *spent, __u64 len,
				 bool is_forced)
{
	__u64 before = __sync_fetch_and_add(&spent->bytes, len);

	if (before <= budget->max_bytes && len <= budget->max_bytes - before)
		return true;
	if (!is_forced)
		give_back(spent, len);
	count(&spent->refused_cnt);
	return false;
}

enum budget_verdict {
	BUDGET_HAS_ROOM,
	BUDGET_OF_JOB_IS_SPENT,
	BUDGET_OF_RULE_IS_SPENT,
};

/* Takes what a packet by a counted rule needs: of the rule's budget, if it has one, and of the job's. */
static __noinline int budget_take(const struct job *job, __u32 rule, __u32 len)
{
	struct budget *whole = budget_at(job, BUDGET_OF_JOB), *own = NULL;
	bool is_forced = job->policy->mode == MODE_AUDIT, has_own = true;
	struct spent *sum = whole ? spent_at(job, whole->id) : NULL, *spent = NULL;
	__u32 index = budget_of_rule(rule);

	if (!sum)
		return BUDGET_OF_JOB_IS_SPENT;
	if (index) {
		own = budget_at(job, index);
		spent = own ? spent_at(job, own->id) : NULL;
		if (!spent)
			return BUDGET_OF_RULE_IS_SPENT;
		has_own = take(own, spent, len, is_forced);
		if (!has_own && !is_forced)
			return BUDGET_OF_RULE_IS_SPENT;
	}
	if (!take(whole, sum, len, is_forced)) {
		if (spent && !is_forced)
			give_back(spent, len);
		return BUDGET_OF_JOB_IS_SPENT;
	}
	return has_own ? BUDGET_HAS_ROOM : BUDGET_OF_RULE_IS_SPENT;
}

/* --- where it went, which changes no verdict --------------------------------------------------- */

/* Bounded for each job, so that none takes what others need. */
static __noinline struct destination_value *destination_make(const struct destination_key *key)
{
	struct spent_key sum_key = { .label = key->label };
	struct spent *sum = bpf_map_lookup_elem(&spent_by_job, &sum_key);
	struct destination_value nothing = {};

	if (!sum || sum->destination_cnt >= DESTINATIONS_PER_JOB ||
	    __sync_fetch_and_add(&sum->destination_cnt, 1) >= DESTINATIONS_PER_JOB)
		return NULL;
	if (bpf_map_update_elem(&destination_by_job, key, &nothing, BPF_NOEXIST))
		__sync_fetch_and_add(&sum->destination_cnt, -1); /* made meanwhile, or no memory */
	return bpf_map_lookup_elem(&destination_by_job, key);
}

static __always_inline struct destination_value *
destination_others(const struct destination_key *key)
{
	struct destination_key others = { .label = key->label };

	return bpf_map_lookup_elem(&destination_by_job, &others);
}

static __noinline int destination_count(const struct destination_key *key, __u32 len,
					bool is_connection)
{
	struct destination_value *at = bpf_map_lookup_elem(&destination_by_job, key);

	if (!at)
		at = destination_make(key);
	if (!at)
		at = destination_others(key);
	if (!at)
		return 0;
	__sync_fetch_and_add(&at->bytes, len);
	count(&at->packets);
	if (is_connection)
		count(&at->connections);
	return 0;
}

#endif
