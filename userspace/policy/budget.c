// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a policy lets a job send, as the kernel counts it; see policy.h and docs/egress.md. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "policy/policy.h"

/* FNV-1a. Never 0, which is the job's. */
static uint64_t id_of(const char *rule_id)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (const char *c = rule_id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3ULL;
	return hash ? hash : 1;
}

static size_t count_rules(const struct policy *policy)
{
	size_t cnt = 0;

	for (size_t i = 0; i < policy->rule_cnt; i++)
		cnt += policy->rules[i].max_bytes != 0;
	return cnt;
}

int budgets_of(const struct policy *policy, struct budget **ret_budgets, size_t *ret_cnt)
{
	uint64_t whole = policy->limits.egress_bytes;
	size_t cnt = count_rules(policy);
	struct budget *budgets;

	*ret_budgets = NULL;
	*ret_cnt = 0;
	if (!cnt && !whole)
		return 0;
	budgets = calloc(cnt + 1, sizeof(*budgets));
	if (!budgets)
		return -ENOMEM;
	budgets[BUDGET_OF_JOB].max_bytes = whole ? whole : UINT64_MAX;
	cnt = BUDGET_OF_JOB + 1;
	for (uint32_t i = 0; i < policy->rule_cnt; i++)
		if (policy->rules[i].max_bytes)
			budgets[cnt++] = (struct budget){
				.max_bytes = policy->rules[i].max_bytes,
				.id = id_of(policy->rules[i].id),
				.rule = i + 1,
			};
	*ret_budgets = budgets;
	*ret_cnt = cnt;
	return 0;
}

bool policy_leaves_egress_open(const struct policy *policy)
{
	return policy->egress_default == EGRESS_ALLOW && !policy->limits.egress_bytes &&
	       !count_rules(policy);
}
