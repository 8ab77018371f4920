// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Egress and ingress rules flattened for a longest-prefix-match table. Both are in one: of an ingress
 * rule the prefix is the peer's, and its ports stand under protocols of their own (PORT_INBOUND).
 *
 * The kernel asks for the longest prefix only, so each prefix carries all that the prefixes
 * around it allow. Sorted by (address, length), every prefix comes after the ones that contain
 * it; one walk with a stack of those is enough.
 *
 * A span is a list of port ranges, sorted and disjoint, each with the rule that opens it.
 * overlay() puts one span over another: the upper one's rules win where both speak. Spans are
 * never shared: a rule has one prefix and each prefix lists a rule of its own, so no two are
 * equal.
 *
 * IPv4 lies within IPv6 in the table, but "::/0" does not mean it: a net without ports at
 * ::ffff:0:0/96 keeps the families apart.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/egress_build.h"
#include "policy/policy.h"
#include "policy/rule.h"

#define PREFIX_DEPTH_MAX 130 /* lengths 0 to 128, and one to spare */

struct span {
	struct port_range *ranges;
	size_t cnt;
};

/* The tables while they grow; nets that contain the current one are on the stack. */
struct builder {
	struct egress_tables tables;
	size_t port_cap;
	size_t stack[PREFIX_DEPTH_MAX];
	size_t depth;
};

static void span_clear(struct span *span)
{
	free(span->ranges);
	*span = (struct span){ 0 };
}

/* Ports of both protocols as one line of numbers, so that ranges compare as numbers. */
static uint32_t range_start(const struct port_range *range)
{
	return (uint32_t)range->protocol << 16 | range->lo;
}

static uint32_t range_end(const struct port_range *range)
{
	return (uint32_t)range->protocol << 16 | range->hi;
}

/*
 * Appends, joining what continues the last range of the same rule. An upper bound on the count is
 * allocated.
 */
static void span_append(struct span *span, struct port_range range)
{
	struct port_range *last = span->cnt ? &span->ranges[span->cnt - 1] : NULL;

	if (last && last->rule == range.rule && range_end(last) + 1 == range_start(&range))
		last->hi = range.hi;
	else
		span->ranges[span->cnt++] = range;
}

/* Appends the parts of below that lie before end, from its first uncovered port on. */
static void append_below(struct span *span, const struct span *below, size_t *next,
			 uint32_t covered, uint32_t end)
{
	struct port_range part;

	if (covered >= end)
		return; /* nothing lies between two neighbours */
	for (; *next < below->cnt && range_start(&below->ranges[*next]) < end; (*next)++) {
		part = below->ranges[*next];
		if (range_end(&part) < covered)
			continue;
		if (range_start(&part) < covered)
			part.lo = (uint16_t)covered;
		if (range_end(&part) < end) {
			span_append(span, part);
			continue;
		}
		part.hi = (uint16_t)(end - 1);
		span_append(span, part);
		return; /* the rest of it comes after what covers it */
	}
}

/* above wins. Each of its ranges cuts at most one of below's in two. */
static int overlay(const struct span *above, const struct span *below, struct span *ret_span)
{
	struct span span = { 0 };
	uint32_t covered = 0; /* the first port that no range of above covers yet */
	size_t next = 0;

	span.ranges = calloc(2 * above->cnt + below->cnt + 1, sizeof(*span.ranges));
	if (!span.ranges)
		return -ENOMEM;
	for (size_t i = 0; i < above->cnt; i++) {
		append_below(&span, below, &next, covered, range_start(&above->ranges[i]));
		span_append(&span, above->ranges[i]);
		covered = range_end(&above->ranges[i]) + 1;
	}
	append_below(&span, below, &next, covered, UINT32_MAX);
	*ret_span = span;
	return 0;
}

/* A rule and its number in the kernel. */
struct numbered {
	const struct rule *rule;
	uint32_t number;
	uint32_t in_kernel; /* port_range.rule */
};

static int span_of_rule(const struct numbered *numbered, struct span *ret_span)
{
	const struct rule *rule = numbered->rule;
	uint8_t direction = rule->class == RULE_INGRESS ? PORT_INBOUND : 0;
	struct span span = { 0 };

	span.ranges = calloc(rule->protocol_cnt * rule->port_cnt + 1, sizeof(*span.ranges));
	if (!span.ranges)
		return -ENOMEM;
	for (size_t i = 0; i < rule->protocol_cnt; i++) {
		for (size_t j = 0; j < rule->port_cnt; j++)
			span.ranges[span.cnt++] = (struct port_range){
				.rule = numbered->in_kernel,
				.lo = rule->ports[j].lo,
				.hi = rule->ports[j].hi,
				.protocol = rule->protocol[i] | direction,
				.is_private = rule->is_private,
			};
	}
	*ret_span = span;
	return 0;
}

/*
 * The rules of one prefix, earlier over later; halved, so that many rules of one prefix cost n
 * log n.
 */
static int span_of_rules(const struct numbered *rules, size_t cnt, struct span *ret_span)
{
	_cleanup_(span_clear) struct span first = { 0 };
	_cleanup_(span_clear) struct span second = { 0 };
	size_t half = cnt / 2;
	int err;

	if (cnt == 1)
		return span_of_rule(rules, ret_span);
	err = span_of_rules(rules, half, &first);
	if (!err)
		err = span_of_rules(rules + half, cnt - half, &second);
	return err ? err : overlay(&first, &second, ret_span);
}

static bool same_prefix(const struct rule *a, const struct rule *b)
{
	return a->prefixlen == b->prefixlen && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static bool contains(const struct net_key *net, const uint8_t *addr, uint32_t prefixlen)
{
	uint32_t whole = net->prefixlen / 8, left = net->prefixlen % 8;

	if (net->prefixlen > prefixlen || memcmp(net->addr, addr, whole))
		return false;
	return !left || (net->addr[whole] ^ addr[whole]) >> (8 - left) == 0;
}

/* Leaves the nets on the stack that contain the prefix. */
static void pop_strangers(struct builder *b, const uint8_t *addr, uint32_t prefixlen)
{
	while (b->depth &&
	       !contains(&b->tables.net_keys[b->stack[b->depth - 1]], addr, prefixlen))
		b->depth--;
}

static struct span top_span(const struct builder *b)
{
	const struct net_value *value;

	if (!b->depth)
		return (struct span){ 0 };
	value = &b->tables.net_values[b->stack[b->depth - 1]];
	return (struct span){ b->tables.ports + value->first, value->cnt };
}

static int reserve_ports(struct builder *b, size_t cnt)
{
	size_t cap = b->port_cap ? b->port_cap : 256;
	struct port_range *ports;

	if (b->tables.port_cnt + cnt > EGRESS_PORTS_MAX)
		return -E2BIG;
	while (cap < b->tables.port_cnt + cnt)
		cap *= 2;
	if (cap == b->port_cap)
		return 0;
	ports = reallocarray(b->tables.ports, cap, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	b->tables.ports = ports;
	b->port_cap = cap;
	return 0;
}

/* Adds a net and puts it on the stack. */
static int push_net(struct builder *b, const uint8_t *addr, uint32_t prefixlen,
		    const struct span *span)
{
	struct net_key *key = &b->tables.net_keys[b->tables.net_cnt];
	int err = reserve_ports(b, span->cnt);

	if (err)
		return err;
	key->prefixlen = prefixlen;
	memcpy(key->addr, addr, sizeof(key->addr));
	b->tables.net_values[b->tables.net_cnt] = (struct net_value){
		.first = (uint32_t)b->tables.port_cnt,
		.cnt = (uint32_t)span->cnt,
	};
	if (span->cnt)
		memcpy(b->tables.ports + b->tables.port_cnt, span->ranges,
		       span->cnt * sizeof(*span->ranges));
	b->tables.port_cnt += span->cnt;
	b->stack[b->depth++] = b->tables.net_cnt++;
	return 0;
}

/*
 * Adds ::ffff:0:0/96 without ports, if an IPv6 net contains it and the rules come to IPv4 or have
 * passed it.
 */
static int push_shield(struct builder *b)
{
	uint8_t addr[16] = { 0 };
	static const struct span empty;

	memcpy(addr, mapped_prefix, sizeof(mapped_prefix));
	pop_strangers(b, addr, MAPPED_BITS);
	return b->depth ? push_net(b, addr, MAPPED_BITS, &empty) : 0;
}

static bool is_shield(const struct rule *rule)
{
	return rule_is_ipv4(rule) && rule->prefixlen == MAPPED_BITS;
}

/* Adds the net of the cnt rules, all of one prefix. */
static int add_net(struct builder *b, const struct numbered *rules, size_t cnt)
{
	const struct rule *rule = rules->rule;
	_cleanup_(span_clear) struct span own = { 0 };
	_cleanup_(span_clear) struct span span = { 0 };
	struct span outer = { 0 };
	int err;

	pop_strangers(b, rule->addr, rule->prefixlen);
	if (!is_shield(rule)) /* all of IPv4 inherits nothing from the IPv6 nets around it */
		outer = top_span(b);
	err = span_of_rules(rules, cnt, &own);
	if (!err)
		err = overlay(&own, &outer, &span);
	return err ? err : push_net(b, rule->addr, rule->prefixlen, &span);
}

/* Whether the rule sorts behind ::ffff:0:0/96 itself: at IPv4's other networks and beyond. */
static bool is_past_shield(const struct rule *rule)
{
	uint8_t addr[16] = { 0 };
	int order;

	memcpy(addr, mapped_prefix, sizeof(mapped_prefix));
	order = memcmp(rule->addr, addr, sizeof(addr));
	return order > 0 || (!order && rule->prefixlen >= MAPPED_BITS);
}

/* Sorted by prefix: every one comes after those that contain it. */
static int add_nets(struct builder *b, const struct numbered *rules, size_t cnt)
{
	bool has_shield = false;
	int err = 0;

	for (size_t i = 0, end; !err && i < cnt; i = end) {
		for (end = i + 1; end < cnt; end++) {
			if (!same_prefix(rules[i].rule, rules[end].rule))
				break;
		}
		if (!has_shield && is_past_shield(rules[i].rule)) {
			has_shield = true;
			err = is_shield(rules[i].rule) ? 0 : push_shield(b);
		}
		if (!err)
			err = add_net(b, &rules[i], end - i);
	}
	return err || has_shield ? err : push_shield(b);
}

/* By prefix; of one prefix the first in the table comes first. */
static int compare_numbered(const void *a, const void *b)
{
	const struct numbered *left = a, *right = b;
	int order = memcmp(left->rule->addr, right->rule->addr, sizeof(left->rule->addr));

	if (!order)
		order = left->rule->prefixlen - right->rule->prefixlen;
	return order ? order : (left->number > right->number) - (left->number < right->number);
}

/* The number of a rule as the kernel has it: what is counted is told by its top bit. */
static uint32_t number_in_kernel(const struct rule *rule, uint32_t number,
				 const struct egress_tables *tables)
{
	uint32_t index = rule->class == RULE_INGRESS ? BUDGET_INBOUND : BUDGET_OF_JOB;

	if (!tables->budget_cnt)
		return number;
	for (uint32_t i = BUDGET_OF_JOB + 1; rule->max_bytes && i < tables->budget_cnt; i++)
		if (tables->budgets[i].rule == number)
			index = i;
	return RULE_IS_COUNTED | index << RULE_BUDGET_SHIFT | number;
}

static struct numbered numbered_rule(const struct policy *policy, uint32_t index,
				     const struct egress_tables *tables)
{
	const struct rule *rule = &policy->rules[index];

	return (struct numbered){
		.rule = rule,
		.number = index + 1,
		.in_kernel = number_in_kernel(rule, index + 1, tables),
	};
}

static struct numbered *flow_rules(const struct policy *policy, const struct egress_tables *tables,
				   size_t *ret_cnt)
{
	struct numbered *rules = calloc(policy->rule_cnt + 1, sizeof(*rules));
	size_t cnt = 0;

	if (!rules)
		return NULL;
	for (uint32_t i = 0; i < policy->rule_cnt; i++)
		if (rule_is_flow(&policy->rules[i]) && !policy->rules[i].domain)
			rules[cnt++] = numbered_rule(policy, i, tables);
	qsort(rules, cnt, sizeof(*rules), compare_numbered);
	*ret_cnt = cnt;
	return rules;
}

int egress_add_span(struct builder *b, const struct policy *policy, size_t first, size_t cnt,
		    const struct net_value *below, struct net_value *ret_value)
{
	_cleanup_free_ struct numbered *rules = calloc(cnt, sizeof(*rules));
	_cleanup_(span_clear) struct span own = { 0 };
	_cleanup_(span_clear) struct span span = { 0 };
	struct span outer = { 0 };
	int err = rules ? 0 : -ENOMEM;

	for (size_t i = 0; rules && i < cnt; i++)
		rules[i] = numbered_rule(policy, (uint32_t)(first + i), &b->tables);
	if (below)
		outer = (struct span){ b->tables.ports + below->first, below->cnt };
	if (!err)
		err = span_of_rules(rules, cnt, &own);
	if (!err)
		err = overlay(&own, &outer, &span);
	if (!err)
		err = reserve_ports(b, span.cnt);
	if (err)
		return err;
	memcpy(b->tables.ports + b->tables.port_cnt, span.ranges, span.cnt * sizeof(*span.ranges));
	*ret_value = (struct net_value){ (uint32_t)b->tables.port_cnt, (uint32_t)span.cnt };
	b->tables.port_cnt += span.cnt;
	return 0;
}

void egress_tables_free(struct egress_tables *tables)
{
	free(tables->net_keys);
	free(tables->net_values);
	free(tables->ports);
	free(tables->name_keys);
	free(tables->name_values);
	free(tables->domain_ids);
	free(tables->domain_values);
	free(tables->budgets);
	*tables = (struct egress_tables){ 0 };
}

int egress_compile(const struct policy *policy, struct egress_tables *ret_tables)
{
	_cleanup_free_ struct numbered *rules = NULL;
	struct builder b = { 0 };
	size_t cnt = 0;
	int err;

	if (policy->rule_cnt > RULE_NUMBER_MASK)
		return -E2BIG;
	err = budgets_of(policy, &b.tables.budgets, &b.tables.budget_cnt);
	if (err)
		return err;
	rules = flow_rules(policy, &b.tables, &cnt);
	err = -ENOMEM;
	/* One more for the shield. */
	b.tables.net_keys = calloc(cnt + 1, sizeof(*b.tables.net_keys));
	b.tables.net_values = calloc(cnt + 1, sizeof(*b.tables.net_values));
	if (rules && b.tables.net_keys && b.tables.net_values)
		err = add_nets(&b, rules, cnt);
	if (!err)
		err = names_compile(policy, &b, &b.tables);
	if (err) {
		egress_tables_free(&b.tables);
		return err;
	}
	*ret_tables = b.tables;
	return 0;
}
