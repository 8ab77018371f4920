// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where names lead; see learned.h. */
#include "daemon/learned.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alert/endpoint.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "kern/names.h"

#define NS_PER_SECOND 1000000000ULL

/* An address, by one of the domains that it was an answer for. */
struct lead {
	const __u8 *addr;
	__u64 domain;
	__u64 until_ns;
};

/* The longest first. */
static int compare_leads(const void *a, const void *b)
{
	const struct lead *left = a, *right = b;

	if (left->until_ns != right->until_ns)
		return left->until_ns < right->until_ns ? 1 : -1;
	return memcmp(left->addr, right->addr, sizeof(((struct learned_address *)NULL)->addr));
}

static size_t leads_of(const struct learned_address *address, __u64 now_ns, struct lead *leads)
{
	size_t cnt = 0;

	for (size_t i = 0; i < LEARNED_DOMAINS; i++)
		if (address->learned.domain[i] && address->learned.until_ns[i] > now_ns)
			leads[cnt++] = (struct lead){ address->addr, address->learned.domain[i],
						      address->learned.until_ns[i] };
	return cnt;
}

/* Ids of the policy's domains, by their rules; 0: the rule has none. NULL: no memory. */
static __u64 *domain_ids(const struct policy *policy)
{
	__u64 *ids = calloc(policy->rule_cnt + 1, sizeof(*ids));

	for (size_t i = 0; ids && i < policy->rule_cnt; i++)
		if (policy->rules[i].domain)
			ids[i] = domain_id(policy->rules[i].domain);
	return ids;
}

static json_t *domain_json(const struct policy *policy, const __u64 *ids, __u64 domain)
{
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (ids[i] == domain)
			return json_string(policy->rules[i].domain);
	return json_null();
}

static json_t *lead_report(const struct policy *policy, const __u64 *ids, const struct lead *lead,
			   __u64 now_ns)
{
	char ip[INET6_ADDRSTRLEN];

	address_print(lead->addr, ip);
	return json_pack("{s:s, s:o, s:I}", "ip", ip, "domain", domain_json(policy, ids, lead->domain),
			 "seconds", (json_int_t)((lead->until_ns - now_ns) / NS_PER_SECOND));
}

json_t *learned_report(const struct job *job)
{
	__u64 now_ns = clock_ms(CLOCK_BOOTTIME) * (NS_PER_SECOND / 1000);
	_cleanup_free_ struct learned_address *addresses = NULL;
	_cleanup_free_ struct lead *leads = NULL;
	_cleanup_free_ __u64 *ids = NULL;
	json_auto_t *list = json_array();
	size_t cnt, lead_cnt = 0, live = 0;

	if (!list || names_read(job->rulesets->kern, job->label, &addresses, &cnt))
		return NULL;
	leads = calloc(cnt * LEARNED_DOMAINS + 1, sizeof(*leads));
	for (size_t i = 0; leads && i < cnt; i++) {
		size_t more = leads_of(&addresses[i], now_ns, &leads[lead_cnt]);

		lead_cnt += more;
		live += more > 0;
	}
	if (lead_cnt)
		ids = domain_ids(job->rules->policy);
	if (!leads || (lead_cnt && !ids))
		return NULL;
	qsort(leads, lead_cnt, sizeof(*leads), compare_leads);
	for (size_t i = 0; i < lead_cnt && i < LEARNED_SHOWN; i++)
		if (json_array_append_new(list, lead_report(job->rules->policy, ids, &leads[i], now_ns)))
			return NULL;
	return json_pack("{s:I, s:O}", "addresses", (json_int_t)live, "learned", list);
}
