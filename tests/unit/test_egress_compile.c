// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * egress_compile() against an oracle.
 *
 * Random policies with much nesting and overlap are compiled; random flows are then judged twice:
 * by longest match in the compiled tables, as the kernel does, and by trying every rule as it was
 * written. Verdict and rule must agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "policy/explain.h"
#include "policy/policy.h"
#include "policy/rule.h"

#define POLICY_CNT 400
#define RULE_MAX 40
#define FLOW_CNT 200
#define TEXT_MAX 65536
#define BIG_CNT 100000

/* A generator of our own: the same policies on every machine and in every run. */
static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(random_state >> 8) * limit >> 24);
}

/* Few different bits, so that prefixes nest; IPv6 also right around ::ffff:0:0/96. */
static void random_addr(uint8_t ret_addr[16])
{
	static const uint8_t heads[][12] = {
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff },
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff },
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe },
		{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0 },
		{ 0x20, 0x01, 0x0d, 0xb8 },
		{ 0 },
	};
	static const uint8_t tails[] = { 0, 1, 127, 128, 255 };

	memcpy(ret_addr, heads[random_below(ARRAY_SIZE(heads))], 12);
	for (int i = 12; i < 16; i++)
		ret_addr[i] = tails[random_below(ARRAY_SIZE(tails))];
}

static void mask_addr(uint8_t addr[16], unsigned int prefixlen)
{
	for (unsigned int bit = prefixlen; bit < 128; bit++)
		addr[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
}

static void print_random_cidr(char *text, size_t size)
{
	struct rule rule = { 0 };
	char cidr[RULE_CIDR_LEN];
	bool is_mapped;

	random_addr(rule.addr);
	is_mapped = !memcmp(rule.addr, mapped_prefix, sizeof(mapped_prefix));
	if (is_mapped && random_below(8))
		rule.prefixlen = (uint8_t)(96 + random_below(33));
	else
		rule.prefixlen = (uint8_t)random_below(is_mapped ? 96 : 129);
	mask_addr(rule.addr, rule.prefixlen);
	rule_cidr(&rule, cidr);
	snprintf(text, size, "%s", cidr);
}

static size_t print_random_rule(char *text, size_t size, unsigned int place, unsigned int number)
{
	static const char *const protocols[] = { "tcp", "udp", "any" };
	unsigned int port = 1 + random_below(30), lo = 1 + random_below(30);
	unsigned int hi = lo + random_below(20);
	char cidr[RULE_CIDR_LEN];

	print_random_cidr(cidr, sizeof(cidr));
	return (size_t)snprintf(text, size,
				"%s{\"id\":\"r%u\",\"cidr\":\"%s\",\"protocol\":\"%s\","
				"\"ports\":[%u,\"%u-%u\"]}",
				place ? "," : "", number, cidr,
				protocols[random_below(ARRAY_SIZE(protocols))], port, lo, hi);
}

static struct policy *parse(const char *text)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;

	if (policy_parse(text, strlen(text), "random.json", NULL, &diags, &policy))
		diag_print(&diags, stderr);
	diag_free(&diags);
	assert_non_null(policy);
	return policy;
}

static struct policy *random_policy(void)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);
	unsigned int cnt = random_below(RULE_MAX + 1), in_cnt = random_below(RULE_MAX + 1);
	size_t len;

	assert_non_null(text);
	len = (size_t)sprintf(text, "{\"version\":1,\"name\":\"random\",\"egress\":{\"allow\":[");
	for (unsigned int i = 0; i < cnt; i++)
		len += print_random_rule(text + len, TEXT_MAX - len, i, i);
	len += (size_t)sprintf(text + len, "]},\"ingress\":{\"allow\":[");
	for (unsigned int i = 0; i < in_cnt; i++)
		len += print_random_rule(text + len, TEXT_MAX - len, i, cnt + i);
	sprintf(text + len, "]}}");
	return parse(text);
}

static bool in_prefix(const uint8_t *addr, const uint8_t *net, unsigned int prefixlen)
{
	for (unsigned int bit = 0; bit < prefixlen; bit++) {
		if ((addr[bit / 8] ^ net[bit / 8]) & 0x80 >> bit % 8)
			return false;
	}
	return true;
}

/* What the rule says, word for word: its own family, protocol, ports and prefix. */
static bool oracle_matches(const struct rule *rule, const struct flow *flow)
{
	bool is_ipv4 = !memcmp(flow->addr, mapped_prefix, sizeof(mapped_prefix));
	bool has_protocol = false, has_port = false;

	for (size_t i = 0; i < rule->protocol_cnt; i++)
		has_protocol |= rule->protocol[i] == flow->protocol;
	for (size_t i = 0; i < rule->port_cnt; i++)
		has_port |= rule->ports[i].lo <= flow->port && flow->port <= rule->ports[i].hi;
	return rule->class == (flow->is_inbound ? RULE_INGRESS : RULE_EGRESS) && has_protocol && has_port &&
	       rule_is_ipv4(rule) == is_ipv4 && in_prefix(flow->addr, rule->addr, rule->prefixlen);
}

static uint32_t oracle(const struct policy *policy, const struct flow *flow)
{
	uint32_t best = RULE_NONE;

	for (uint32_t number = 1; number <= policy->rule_cnt; number++) {
		const struct rule *rule = policy_rule(policy, number);

		if (!oracle_matches(rule, flow))
			continue;
		if (best == RULE_NONE || rule->prefixlen > policy_rule(policy, best)->prefixlen)
			best = number;
	}
	return best;
}

/* As the kernel: the longest match, then the range of its span. */
static uint32_t compiled(const struct egress_tables *tables, const struct flow *flow)
{
	uint8_t protocol = flow->protocol | (flow->is_inbound ? PORT_INBOUND : 0);
	size_t best = SIZE_MAX;
	const struct net_value *value;

	for (size_t i = 0; i < tables->net_cnt; i++) {
		const struct net_key *key = &tables->net_keys[i];

		if (in_prefix(flow->addr, key->addr, key->prefixlen) &&
		    (best == SIZE_MAX || key->prefixlen > tables->net_keys[best].prefixlen))
			best = i;
	}
	if (best == SIZE_MAX)
		return RULE_NONE;
	value = &tables->net_values[best];
	for (uint32_t i = value->first; i < value->first + value->cnt; i++) {
		const struct port_range *range = &tables->ports[i];

		if (range->protocol == protocol && range->lo <= flow->port &&
		    flow->port <= range->hi)
			return range->rule;
	}
	return RULE_NONE;
}

static void check_span(const struct egress_tables *tables, const struct net_value *value)
{
	const struct port_range *ports = tables->ports + value->first;

	assert_true((size_t)value->first + value->cnt <= tables->port_cnt);
	for (uint32_t i = 0; i < value->cnt; i++) {
		assert_true(ports[i].lo <= ports[i].hi);
		assert_int_not_equal(ports[i].rule, RULE_NONE);
		if (!i || ports[i - 1].protocol < ports[i].protocol)
			continue;
		assert_int_equal(ports[i - 1].protocol, ports[i].protocol);
		assert_true(ports[i - 1].hi < ports[i].lo);
	}
}

static void check_tables(const struct egress_tables *tables)
{
	for (size_t i = 0; i < tables->net_cnt; i++) {
		struct net_key masked = tables->net_keys[i];

		check_span(tables, &tables->net_values[i]);
		mask_addr(masked.addr, masked.prefixlen);
		assert_memory_equal(&masked, &tables->net_keys[i], sizeof(masked));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(&tables->net_keys[j], &tables->net_keys[i],
						sizeof(masked));
	}
}

static void random_policies_agree_with_oracle(void **state)
{
	size_t open_cnt = 0;

	(void)state;
	random_state = 20250101;
	for (unsigned int i = 0; i < POLICY_CNT; i++) {
		struct policy *policy = random_policy();
		struct egress_tables tables = { 0 };

		assert_int_equal(egress_compile(policy, &tables), 0);
		check_tables(&tables);
		for (unsigned int j = 0; j < FLOW_CNT; j++) {
			struct flow flow = {
				.protocol = random_below(2) ? IPPROTO_TCP : IPPROTO_UDP,
				.port = (uint16_t)(1 + random_below(55)),
				.is_inbound = random_below(2),
			};
			struct explanation explained;

			random_addr(flow.addr);
			explained = explain_flow(policy, &tables, &flow);
			assert_int_equal(compiled(&tables, &flow), oracle(policy, &flow));
			assert_ptr_equal(explained.rule, policy_rule(policy, oracle(policy, &flow)));
			assert_int_equal(explained.is_allowed, explained.rule != NULL);
			open_cnt += explained.is_allowed;
		}
		egress_tables_free(&tables);
		policy_free(policy);
	}
	/* The policies are neither all open nor all closed, else the above proves nothing. */
	assert_in_range(open_cnt, POLICY_CNT * FLOW_CNT / 10, POLICY_CNT * FLOW_CNT * 9 / 10);
}

static uint32_t judge(const char *allow, const char *addr, uint8_t protocol, uint16_t port)
{
	struct flow flow = { .protocol = protocol, .port = port };
	struct egress_tables tables = { 0 };
	struct policy *policy;
	char text[1024];
	uint32_t rule;

	snprintf(text, sizeof(text),
		 "{\"version\":1,\"name\":\"t\",\"egress\":{\"allow\":[%s]}}", allow);
	policy = parse(text);
	assert_int_equal(inet_pton(AF_INET6, addr, flow.addr), 1);
	assert_int_equal(egress_compile(policy, &tables), 0);
	rule = compiled(&tables, &flow);
	egress_tables_free(&tables);
	policy_free(policy);
	return rule;
}

static void ipv6_default_route_is_not_ipv4(void **state)
{
	static const char all6[] = "{\"cidr\":\"::/0\",\"ports\":[443]}";
	static const char both[] = "{\"cidr\":\"::/0\",\"ports\":[443]},"
				   "{\"cidr\":\"0.0.0.0/0\",\"ports\":[80]}";

	(void)state;
	assert_int_equal(judge(all6, "2001:db8::1", IPPROTO_TCP, 443), 1);
	assert_int_equal(judge(all6, "::1", IPPROTO_TCP, 443), 1);
	assert_int_equal(judge(all6, "::ffff:192.0.2.1", IPPROTO_TCP, 443), RULE_NONE);
	assert_int_equal(judge(both, "::ffff:192.0.2.1", IPPROTO_TCP, 443), RULE_NONE);
	assert_int_equal(judge(both, "::ffff:192.0.2.1", IPPROTO_TCP, 80), 2);
	assert_int_equal(judge(both, "2001:db8::1", IPPROTO_TCP, 80), RULE_NONE);
	assert_int_equal(judge(both, "2001:db8::1", IPPROTO_TCP, 443), 1);
}

static void longest_prefix_gets_the_blame(void **state)
{
	static const char rules[] = "{\"cidr\":\"192.0.2.0/24\",\"ports\":[\"1-100\"]},"
				    "{\"cidr\":\"192.0.2.7/32\",\"ports\":[\"10-20\"]}";

	(void)state;
	assert_int_equal(judge(rules, "::ffff:192.0.2.7", IPPROTO_TCP, 9), 1);
	assert_int_equal(judge(rules, "::ffff:192.0.2.7", IPPROTO_TCP, 10), 2);
	assert_int_equal(judge(rules, "::ffff:192.0.2.7", IPPROTO_TCP, 20), 2);
	assert_int_equal(judge(rules, "::ffff:192.0.2.7", IPPROTO_TCP, 21), 1);
	assert_int_equal(judge(rules, "::ffff:192.0.2.8", IPPROTO_TCP, 15), 1);
	assert_int_equal(judge(rules, "::ffff:192.0.2.7", IPPROTO_UDP, 15), RULE_NONE);
	assert_int_equal(judge(rules, "::ffff:192.0.3.7", IPPROTO_TCP, 15), RULE_NONE);
}

static void ends_of_the_port_space(void **state)
{
	static const char rules[] = "{\"cidr\":\"::/0\",\"protocol\":\"any\",\"ports\":[\"1-65535\"]},"
				    "{\"cidr\":\"::1/128\",\"protocol\":\"any\",\"ports\":[1,65535]}";

	(void)state;
	assert_int_equal(judge(rules, "::1", IPPROTO_TCP, 1), 2);
	assert_int_equal(judge(rules, "::1", IPPROTO_TCP, 2), 1);
	assert_int_equal(judge(rules, "::1", IPPROTO_TCP, 65534), 1);
	assert_int_equal(judge(rules, "::1", IPPROTO_TCP, 65535), 2);
	assert_int_equal(judge(rules, "::1", IPPROTO_UDP, 1), 2);
	assert_int_equal(judge(rules, "::1", IPPROTO_UDP, 65535), 2);
	assert_int_equal(judge(rules, "::2", IPPROTO_UDP, 65535), 1);
	assert_int_equal(judge(rules, "::1", IPPROTO_TCP, 0), RULE_NONE);
}

static void no_rules_no_nets(void **state)
{
	struct policy *policy = parse("{\"version\":1,\"name\":\"t\"}");
	struct egress_tables tables = { 0 };

	(void)state;
	assert_int_equal(egress_compile(policy, &tables), 0);
	assert_int_equal(tables.net_cnt, 0);
	assert_int_equal(tables.port_cnt, 0);
	egress_tables_free(&tables);
	policy_free(policy);
}

/* Rules made in memory: BIG_CNT networks of 16 addresses in nests, all under one. */
static struct policy *big_policy(size_t cnt, size_t ports_each)
{
	struct policy *policy = calloc(1, sizeof(*policy));
	uint32_t addr;

	assert_non_null(policy);
	policy->rules = calloc(cnt, sizeof(*policy->rules));
	policy->rule_cnt = cnt;
	assert_non_null(policy->rules);
	for (size_t i = 0; i < cnt; i++) {
		struct rule *rule = &policy->rules[i];

		addr = htonl(0x0a000000u + (uint32_t)i * 16);
		rule->class = RULE_EGRESS;
		memcpy(rule->addr, mapped_prefix, sizeof(mapped_prefix));
		memcpy(rule->addr + sizeof(mapped_prefix), &addr, sizeof(addr));
		rule->prefixlen = i ? 124 : 104;
		rule->protocol_cnt = 1;
		rule->protocol[0] = IPPROTO_TCP;
		rule->ports = calloc(ports_each, sizeof(*rule->ports));
		assert_non_null(rule->ports);
		for (size_t j = 0; j < ports_each; j++)
			rule->ports[j] = (struct rule_ports){ (uint16_t)(2 * j + 1 + i % 2),
							      (uint16_t)(2 * j + 1 + i % 2) };
		rule->port_cnt = ports_each;
	}
	return policy;
}

static void hundred_thousand_prefixes_in_time(void **state)
{
	struct policy *policy = big_policy(BIG_CNT, 2);
	struct egress_tables tables = { 0 };
	clock_t start = clock();
	double seconds;

	(void)state;
	assert_int_equal(egress_compile(policy, &tables), 0);
	seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	print_message("compiled %d prefixes in %.3f s of CPU time\n", BIG_CNT, seconds);
	assert_int_equal(tables.net_cnt, BIG_CNT);
	assert_true(seconds < 5); /* 50 times what it takes, for slow machines and sanitizers */
	egress_tables_free(&tables);
	policy_free(policy);
}

static void too_many_ranges_are_refused(void **state)
{
	struct policy *policy = big_policy(1000, 5000);
	struct egress_tables tables = { 0 };

	(void)state;
	assert_int_equal(egress_compile(policy, &tables), -E2BIG);
	assert_null(tables.net_keys);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_policies_agree_with_oracle),
		cmocka_unit_test(ipv6_default_route_is_not_ipv4),
		cmocka_unit_test(longest_prefix_gets_the_blame),
		cmocka_unit_test(ends_of_the_port_space),
		cmocka_unit_test(no_rules_no_nets),
		cmocka_unit_test(hundred_thousand_prefixes_in_time),
		cmocka_unit_test(too_many_ranges_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
