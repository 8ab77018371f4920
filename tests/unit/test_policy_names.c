// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Domains and resolvers in a policy: what is accepted, the canonical form, and which rule opens what by
 * which name, as the kernel's tables have it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ocsf/fixture.h"
#include "alert/cause.h"
#include "alert/message.h"
#include "base/cleanup.h"
#include "policy/explain.h"
#include "policy/rule.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\",\n"
#define DNS "\"dns\": {\"resolvers\": [\"10.0.0.2\"]}"

static struct policy *with_rules(const char *rules)
{
	_cleanup_free_ char *text = NULL;

	assert_true(asprintf(&text, HEAD "\"egress\": {" DNS ", \"allow\": [%s]}}", rules) > 0);
	return parse_good(text, NULL);
}

static void domains_are_normal(void **state)
{
	struct policy *policy = with_rules("{\"domain\": \"*.S3.Example.COM.\", \"ports\": [443], \"private\": true},"
					   "{\"domain\": \"xn--bcher-kva.example\", \"ports\": [443, 80]}");
	struct policy *again = parse_good(policy->canonical, NULL);

	(void)state;
	assert_string_equal(rule_by_id(policy, "egress:*.s3.example.com:tcp:443")->domain, "*.s3.example.com");
	assert_true(rule_by_id(policy, "egress:*.s3.example.com:tcp:443")->is_private);
	assert_non_null(strstr(policy->canonical, "\"dns\":{\"resolvers\":[\"10.0.0.2\"]}"));
	assert_non_null(strstr(policy->canonical,
			       "{\"domain\":\"*.s3.example.com\",\"ports\":[443],\"private\":true,\"protocol\":\"tcp\"}"));
	assert_null(strstr(policy->canonical, "\"cidr\""));
	assert_string_equal(again->digest, policy->digest);
	assert_int_equal(rule_by_id(again, "dns:10.0.0.2")->class, RULE_RESOLVER);
	assert_true(policy_has_names(policy));
	policy_free(again);
	policy_free(policy);
}

static void policies_without_names_stay_as_they_are(void **state)
{
	struct policy *policy = parse_good(HEAD "\"egress\": {\"allow\": [{\"cidr\": \"192.0.2.0/24\", \"ports\": [1]}]}}",
					   NULL);

	(void)state;
	assert_null(strstr(policy->canonical, "dns"));
	assert_null(strstr(policy->canonical, "private"));
	assert_false(policy_has_names(policy));
	policy_free(policy);
}

static void expect_bad(const char *domain, const char *why)
{
	_cleanup_free_ char *text = NULL, *error = NULL;

	assert_true(asprintf(&text, HEAD "\"egress\": {" DNS ", \"allow\": [\n{\"domain\": \"%s\", \"ports\": [1]}]}}", domain) > 0);
	assert_true(asprintf(&error, "p.json:3:12: error: bad domain '%s': %s\n", domain, why) > 0);
	expect_parse_errors(text, NULL, error);
}

static void bad_domains(void **state)
{
	static const char chars[] = "a name is made of a-z, 0-9, '-', '_' and dots; write others as A-labels, "
				    "xn--...; a '*' stands for whole labels, at the beginning";
	static const char dash[] = "a label neither begins nor ends with '-'";
	static const char number[] = "its last label is a number, so it is no name; an address stands in 'cidr'";
	char label[65];

	(void)state;
	expect_bad("", "a label is empty");
	expect_bad(".", "a label is empty");
	expect_bad("a..example", "a label is empty");
	expect_bad(".example", "a label is empty");
	expect_bad("*.", chars);
	expect_bad("*", chars);
	expect_bad("a.*.example", chars);
	expect_bad("*a.example", chars);
	expect_bad("*.*.example", chars);
	expect_bad("b\xc3\xbc" "cher.example", chars);
	expect_bad("a.example:443", chars);
	expect_bad("-a.example", dash);
	expect_bad("a-.example", dash);
	expect_bad("192.0.2.1", number);
	expect_bad("*.2.1", number);
	memset(label, 'a', 64);
	label[64] = '\0';
	expect_bad(label, "a label has 63 characters at most");
}

static void longest_names(void **state)
{
	char name[300] = "", rule[400];
	struct policy *policy;

	(void)state;
	for (int i = 0; i < 126; i++)
		strcat(name, "a.");
	strcat(name, "b");
	snprintf(rule, sizeof(rule), "{\"domain\": \"*.%s.\", \"ports\": [1], \"id\": \"x\"}", name);
	policy = with_rules(rule);
	assert_int_equal(strlen(rule_by_id(policy, "x")->domain), 255);
	policy_free(policy);
	strcat(name, "b");
	expect_bad(name, "a name has 253 characters at most");
}

static void what_does_not_go_together(void **state)
{
	(void)state;
	expect_parse_errors(HEAD "\"egress\": {\"allow\": [\n{\"domain\": \"a.example\", \"ports\": [1]}]}}", NULL,
			    "p.json:3:1: error: a rule with a 'domain' needs somebody to ask: add \"dns\": {\"resolvers\": "
			    "[\"ADDRESS\"]} to 'egress'\n");
	expect_parse_errors(HEAD "\"egress\": {" DNS ", \"allow\": [\n"
			    "{\"domain\": \"a.example\", \"cidr\": \"192.0.2.0/24\", \"ports\": [1]},\n"
			    "{\"private\": true, \"cidr\": \"192.0.2.0/24\", \"ports\": [1]},\n"
			    "{\"domain\": \"a.example\", \"ports\": [1], \"tls\": \"required\"}]}}", NULL,
			    "p.json:3:2: error: a rule has 'cidr' or 'domain'; make it two rules\n"
			    "p.json:4:2: error: 'private' goes with 'domain': a network is named as it is\n"
			    "p.json:5:39: error: 'tls' is not enforced by this version of jobcage; remove it\n");
	expect_parse_errors(HEAD "\"user_namespaces\": true, \"capabilities\": [\"CAP_SYS_ADMIN\"],\n\"egress\": {" DNS "}}",
			    NULL,
			    "p.json:3:34: error: resolvers do not go with 'user_namespaces': in a network of its own the job "
			    "would answer its own questions\n"
			    "p.json:3:34: error: resolvers do not go with the capabilities net_admin and sys_admin: in a "
			    "network of its own the job would answer its own questions\n");
	expect_parse_errors(HEAD "\"egress\": {\"dns\": {\"resolvers\": [\"a.example\", \"10.0.0.2/32\", \"::ffff:10.0.0.2\", 1,\n"
			    "\"10.0.0.2\", \"10.0.0.2\"]}}}", NULL,
			    "p.json:2:34: error: 'a.example' is not an address; write it like 192.0.2.1 or 2001:db8::1\n"
			    "p.json:2:47: error: '10.0.0.2/32' is not an address; write it like 192.0.2.1 or 2001:db8::1\n"
			    "p.json:2:62: error: '::ffff:10.0.0.2' is not an address; write it like 192.0.2.1 or 2001:db8::1\n"
			    "p.json:2:81: error: a resolver must be a string, not a whole number\n"
			    "p.json:3:13: error: resolver 'dns:10.0.0.2' is listed already at p.json:3:1; remove one of the two\n");
	expect_parse_errors(HEAD "\"ingress\": {\"allow\": [\n{\"domain\": \"a.example\", \"ports\": [1]}]}}", NULL,
			    "p.json:3:1: error: an ingress rule needs the key 'cidr'\n"
			    "p.json:3:2: error: 'domain' is a key of egress rules: a peer is known by its address\n");
}

/* The id of the rule that opens the port by that name, or "". */
static const char *opened_by(const struct policy *policy, const char *name, uint16_t port)
{
	struct egress_tables tables = { 0 };
	const struct domain_value *domain;
	const char *id = "";

	assert_int_equal(egress_compile(policy, &tables), 0);
	domain = names_find(&tables, name);
	for (uint32_t i = 0; domain && i < domain->span.cnt; i++) {
		const struct port_range *range = &tables.ports[domain->span.first + i];

		if (range->protocol == IPPROTO_TCP && range->lo <= port && port <= range->hi)
			id = policy_rule(policy, range->rule)->id;
	}
	egress_tables_free(&tables);
	return id;
}

static void nearest_names(void **state)
{
	struct policy *policy = with_rules("{\"id\": \"all\", \"domain\": \"*.example\", \"ports\": [80]},"
					   "{\"id\": \"s3\", \"domain\": \"*.s3.example\", \"ports\": [443]},"
					   "{\"id\": \"s3-alt\", \"domain\": \"*.s3.example\", \"ports\": [8443]},"
					   "{\"id\": \"one\", \"domain\": \"a.s3.example\", \"ports\": [443, 22]},"
					   "{\"id\": \"self\", \"domain\": \"s3.example\", \"ports\": [25]}");

	(void)state;
	assert_string_equal(opened_by(policy, "a.s3.example", 22), "one");
	assert_string_equal(opened_by(policy, "a.s3.example", 443), "one");
	assert_string_equal(opened_by(policy, "a.s3.example", 8443), "s3-alt");
	assert_string_equal(opened_by(policy, "a.s3.example", 80), "all");
	assert_string_equal(opened_by(policy, "b.s3.example", 443), "s3");
	assert_string_equal(opened_by(policy, "c.b.s3.example", 443), "s3");
	assert_string_equal(opened_by(policy, "x.a.s3.example", 443), "s3");
	assert_string_equal(opened_by(policy, "x.a.s3.example", 22), "");
	assert_string_equal(opened_by(policy, "s3.example", 25), "self");
	assert_string_equal(opened_by(policy, "s3.example", 80), "all");
	assert_string_equal(opened_by(policy, "s3.example", 443), "");
	assert_string_equal(opened_by(policy, "example", 80), "");
	assert_string_equal(opened_by(policy, "notexample", 80), "");
	assert_string_equal(opened_by(policy, "b.nots3.example", 443), "");
	assert_string_equal(opened_by(policy, "a.example.org", 80), "");
	policy_free(policy);
}

/* The wider of two comes later by the alphabet; a name and the names below it share an entry. */
static void tables_of_names(void **state)
{
	struct policy *policy = with_rules("{\"id\": \"wide\", \"domain\": \"*.z\", \"ports\": [80]},"
					   "{\"id\": \"near\", \"domain\": \"*.a.z\", \"ports\": [443]},"
					   "{\"id\": \"self\", \"domain\": \"a.z\", \"ports\": [25]}");
	struct egress_tables tables = { 0 };

	(void)state;
	assert_string_equal(opened_by(policy, "q.a.z", 80), "wide");
	assert_string_equal(opened_by(policy, "q.a.z", 443), "near");
	assert_string_equal(opened_by(policy, "a.z", 80), "wide");
	assert_int_equal(egress_compile(policy, &tables), 0);
	assert_int_equal(tables.name_cnt, 2);
	assert_int_equal(tables.domain_cnt, 3);
	for (size_t i = 0; i < tables.domain_cnt; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(tables.domain_ids[i] != tables.domain_ids[j]);
	egress_tables_free(&tables);
	policy_free(policy);
}

/* The unspecified address is this host's own, as the kernel has it. */
static void this_host_is_explained(void **state)
{
	struct policy *policy = with_rules("{\"id\": \"v4\", \"cidr\": \"127.0.0.1/32\", \"ports\": [80]},"
					   "{\"id\": \"v6\", \"cidr\": \"::1/128\", \"ports\": [80]}");
	static const char *const asked[][2] = { { "0.0.0.0:80", "v4" }, { "[::ffff:0.0.0.0]:80", "v4" }, { "[::]:80", "v6" } };
	struct egress_tables tables;

	(void)state;
	assert_int_equal(egress_compile(policy, &tables), 0);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct flow flow = { .protocol = IPPROTO_TCP };
		struct explanation explanation;

		assert_true(flow_parse(asked[i][0], &flow));
		explanation = explain_flow(policy, &tables, &flow);
		assert_true(explanation.is_allowed && explanation.is_loopback);
		assert_string_equal(explanation.rule->id, asked[i][1]);
	}
	egress_tables_free(&tables);
	policy_free(policy);
}

static void names_are_explained(void **state)
{
	struct policy *policy = with_rules("{\"id\": \"wild\", \"domain\": \"*.example\", \"ports\": [443]},"
					   "{\"id\": \"in\", \"domain\": \"in.example\", \"ports\": [80], \"private\": true}");
	static const char *const wrong[] = { "a.example", ":443", ".:443", "a..example:443", "a.example:0", "a.example:65536",
					     "a b.example:443", "300.1.1.1:443", "-a.example:443" };
	struct egress_tables tables;
	struct explanation explanation;
	struct flow flow = { .protocol = IPPROTO_TCP };

	(void)state;
	assert_int_equal(egress_compile(policy, &tables), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(flow_parse_name(wrong[i], &flow));
	assert_true(flow_parse_name("A.Example.:443", &flow));
	explanation = explain_flow(policy, &tables, &flow);
	assert_true(explanation.is_allowed && explanation.is_public_only);
	assert_string_equal(explanation.rule->id, "wild");
	assert_true(flow_parse_name("in.example:80", &flow));
	explanation = explain_flow(policy, &tables, &flow);
	assert_true(explanation.is_allowed && !explanation.is_public_only);
	assert_true(flow_parse_name("in.example:443", &flow));
	explanation = explain_flow(policy, &tables, &flow);
	assert_true(explanation.is_allowed && explanation.is_public_only);
	assert_true(flow_parse_name("example:443", &flow));
	explanation = explain_flow(policy, &tables, &flow);
	assert_false(explanation.is_allowed);
	assert_null(explanation.rule);
	egress_tables_free(&tables);
	policy_free(policy);
}

static void what_an_alert_says(void **state)
{
	struct decoded_event event = { .event = fixture_event(OP_RESOLVE), .path = (char *)"a.example" };
	struct cause cause = cause_of(&fixture_policy, &event.event);
	_cleanup_free_ char *message = fixture_message(&event, &cause);

	(void)state;
	assert_string_equal(message, "python3 (pid 812) was denied asking 192.0.2.7 for a.example: no rule names it, and "
			    "egress.default is \"deny\". To allow it, add to the policy, with the port that it is for: "
			    "{\"egress\": {\"allow\": [{\"domain\": \"a.example\", \"ports\": [443]}]}}");
}

static void labels_of_a_record(void **state)
{
	unsigned char buf[FIXTURE_RECORD_MAX];
	struct event event = fixture_event(OP_RESOLVE);
	struct decoded_event decoded;

	(void)state;
	assert_int_equal(decode_event(buf, fixture_record(buf, event, "/example/store/a", NULL, NULL), &decoded), 0);
	assert_string_equal(decoded.path, "a.store.example");
	decoded_event_free(&decoded);
	event.reason = REASON_PRIVATE;
	assert_int_not_equal(decode_event(buf, fixture_record(buf, event, "/example", NULL, NULL), &decoded), 0);
	event.reason = REASON_QUESTION;
	assert_int_equal(decode_event(buf, fixture_record(buf, event, "/example", NULL, NULL), &decoded), 0);
	decoded_event_free(&decoded);
}

static void resolvers_are_open_on_their_port(void **state)
{
	struct policy *policy = with_rules("{\"domain\": \"a.example\", \"ports\": [1]}");
	struct egress_tables tables = { 0 };

	(void)state;
	assert_int_equal(egress_compile(policy, &tables), 0);
	assert_int_equal(tables.net_cnt, 1);
	assert_int_equal(tables.net_keys[0].prefixlen, 128);
	assert_int_equal(tables.net_values[0].cnt, 2);
	assert_int_equal(tables.ports[0].protocol, IPPROTO_TCP);
	assert_int_equal(tables.ports[1].protocol, IPPROTO_UDP);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(tables.ports[i].lo, 53);
		assert_int_equal(tables.ports[i].hi, 53);
	}
	egress_tables_free(&tables);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_are_normal),
		cmocka_unit_test(policies_without_names_stay_as_they_are),
		cmocka_unit_test(bad_domains),
		cmocka_unit_test(longest_names),
		cmocka_unit_test(what_does_not_go_together),
		cmocka_unit_test(nearest_names),
		cmocka_unit_test(tables_of_names),
		cmocka_unit_test(names_are_explained),
		cmocka_unit_test(this_host_is_explained),
		cmocka_unit_test(what_an_alert_says),
		cmocka_unit_test(labels_of_a_record),
		cmocka_unit_test(resolvers_are_open_on_their_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
