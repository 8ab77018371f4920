// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a policy says of budgets: the canonical form, mistakes, what the kernel's tables have of it, and
 * what an alert says of one that is spent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../ocsf/fixture.h"
#include "alert/cause.h"
#include "alert/decode.h"
#include "base/cleanup.h"
#include "policy/explain.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\",\n"
#define RULE(id, cidr, more) "{\"id\": \"" id "\", \"cidr\": \"" cidr "\", \"ports\": [443]" more "}"
#define TWO_RULES                                                                    \
	RULE("free", "192.0.2.0/24", "") ",\n"                                       \
	RULE("bucket", "198.51.100.0/24", ", \"max_bytes\": \"10KiB\"")

static struct egress_tables compile(const struct policy *policy)
{
	struct egress_tables tables;

	assert_int_equal(egress_compile(policy, &tables), 0);
	return tables;
}

/* The number that the kernel has of the rule. */
static uint32_t in_kernel(const struct policy *policy, const struct egress_tables *tables,
			  const char *id)
{
	for (size_t i = 0; i < tables->port_cnt; i++) {
		uint32_t rule = tables->ports[i].rule;

		if (!strcmp(policy_rule(policy, rule & RULE_NUMBER_MASK)->id, id))
			return rule;
	}
	return RULE_NONE;
}

static void the_canonical_form_has_bytes(void **state)
{
	struct policy *policy = parse_good(HEAD "\"egress\": {\"allow\": [" TWO_RULES "]},\n"
					   "\"limits\": {\"egress_bytes\": \"2MB\"}}", NULL);
	struct policy *again;

	(void)state;
	assert_non_null(strstr(policy->canonical, "\"max_bytes\":\"10240B\""));
	assert_non_null(strstr(policy->canonical, "\"egress_bytes\":\"2000000B\""));
	again = parse_good(policy->canonical, NULL);
	assert_string_equal(again->digest, policy->digest);
	policy_free(again);
	policy_free(policy);
}

static void mistakes(void **state)
{
	(void)state;
	expect_parse_errors(HEAD "\"egress\": {\"max_bytes\": \"1kB\", \"allow\": [\n"
			    RULE("a", "192.0.2.0/24", ", \"max_bytes\": 10") "]},\n"
			    "\"ingress\": {\"allow\": [\n"
			    RULE("b", "192.0.2.0/24", ", \"max_bytes\": \"10B\"") "]}}", NULL,
			    "p.json:2:12: error: 'max_bytes' is a key of a rule; for all that leaves the job use "
			    "'limits.egress_bytes'\n"
			    "p.json:3:66: error: 'max_bytes' must be a string, not a whole number\n"
			    "p.json:5:53: error: 'max_bytes' is a key of egress rules: what comes in is not counted\n");
}

static void too_many_are_refused(void **state)
{
	_cleanup_free_ char *text = malloc(65536);
	size_t len;

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, HEAD "\"egress\": {\"allow\": [");
	for (int i = 0; i <= BUDGET_RULES_MAX; i++)
		len += (size_t)sprintf(text + len,
				       "%s\n{\"cidr\": \"192.0.2.%d/32\", \"ports\": [443], \"max_bytes\": \"1B\"}",
				       i ? "," : "", i);
	sprintf(text + len, "]}}");
	expect_parse_errors(text, NULL, "p.json:129:1: error: at most 126 rules may have 'max_bytes'\n");
}

/* A policy without budgets is as it was: nothing is counted. */
static void nothing_is_counted_without(void **state)
{
	struct policy *policy =
		parse_good(HEAD "\"egress\": {\"allow\": [" RULE("free", "192.0.2.0/24", "") "]}}", NULL);
	struct egress_tables tables = compile(policy);

	(void)state;
	assert_int_equal(tables.budget_cnt, 0);
	assert_int_equal(in_kernel(policy, &tables, "free"), 1);
	egress_tables_free(&tables);
	policy_free(policy);
}

static void the_tables_have_budgets(void **state)
{
	struct policy *policy = parse_good(HEAD "\"egress\": {\"allow\": [" TWO_RULES "]},\n"
					   "\"ingress\": {\"allow\": [" RULE("in", "192.0.2.0/24", "") "]}}", NULL);
	struct egress_tables tables = compile(policy);
	uint32_t bucket = in_kernel(policy, &tables, "bucket");

	(void)state;
	assert_int_equal(tables.budget_cnt, 2);
	assert_true(tables.budgets[BUDGET_OF_JOB].max_bytes == UINT64_MAX);
	assert_int_equal(tables.budgets[BUDGET_OF_JOB].id, 0);
	assert_int_equal(tables.budgets[1].max_bytes, 10240);
	assert_int_equal(tables.budgets[1].rule, bucket & RULE_NUMBER_MASK);
	assert_true(bucket & RULE_IS_COUNTED);
	assert_int_equal(RULE_BUDGET(bucket), 1);
	assert_true(in_kernel(policy, &tables, "free") & RULE_IS_COUNTED);
	assert_int_equal(RULE_BUDGET(in_kernel(policy, &tables, "free")), BUDGET_OF_JOB);
	assert_int_equal(RULE_BUDGET(in_kernel(policy, &tables, "in")), BUDGET_INBOUND);
	egress_tables_free(&tables);
	policy_free(policy);
}

/* What is spent is known by the rule's id, whatever stands before it and however much it is. */
static void the_id_stays(void **state)
{
	struct policy *policy = parse_good(HEAD "\"egress\": {\"allow\": [" TWO_RULES "]}}", NULL);
	struct policy *other = parse_good(HEAD "\"egress\": {\"allow\": ["
					  RULE("first", "10.0.0.0/8", ", \"max_bytes\": \"1B\"") ",\n"
					  RULE("bucket", "198.51.0.0/16", ", \"max_bytes\": \"1TB\"") "]}}", NULL);
	struct egress_tables tables = compile(policy), others = compile(other);
	uint32_t index = RULE_BUDGET(in_kernel(other, &others, "bucket"));

	(void)state;
	assert_true(tables.budgets[1].id == others.budgets[index].id);
	assert_true(others.budgets[1].id != others.budgets[2].id);
	egress_tables_free(&tables);
	egress_tables_free(&others);
	policy_free(policy);
	policy_free(other);
}

static void explain_names_the_rule(void **state)
{
	struct policy *policy = parse_good(HEAD "\"egress\": {\"allow\": [" TWO_RULES "]}}", NULL);
	struct egress_tables tables = compile(policy);
	struct flow flow = { .protocol = IPPROTO_TCP };
	struct explanation explanation;

	(void)state;
	assert_true(flow_parse("198.51.100.7:443", &flow));
	explanation = explain_flow(policy, &tables, &flow);
	assert_true(explanation.is_allowed);
	assert_string_equal(explanation.rule->id, "bucket");
	egress_tables_free(&tables);
	policy_free(policy);
}

static void open_is_not_counted(void **state)
{
	struct policy *open = parse_good(HEAD "\"egress\": {\"default\": \"allow\"}}", NULL);
	struct policy *limited = parse_good(HEAD "\"egress\": {\"default\": \"allow\"},\n"
					    "\"limits\": {\"egress_bytes\": \"1kB\"}}", NULL);

	(void)state;
	assert_true(policy_leaves_egress_open(open));
	assert_false(policy_leaves_egress_open(limited));
	policy_free(open);
	policy_free(limited);
}

static char *explained(const struct policy *policy, uint32_t rule)
{
	const struct event event = { .kind = EVENT_NET, .op = OP_PACKET_OUT, .reason = REASON_BUDGET,
				     .rule = rule };
	struct cause cause = cause_of(policy, &event);
	struct json_out out = { 0 };

	cause_write_rule(&out, "rule", &cause);
	out_begin_string(&out, "text");
	cause_explain(&out, &cause);
	out_add(&out, " ");
	out_add(&out, cause_remedy(&cause));
	out_end_string(&out);
	assert_int_equal(out.error, 0);
	out_bytes(&out, "", 1);
	return out.text;
}

static void an_alert_names_what_is_spent(void **state)
{
	struct policy *policy = parse_good(HEAD "\"egress\": {\"allow\": ["
					   RULE("bucket", "198.51.100.0/24", ", \"max_bytes\": \"10KiB\"") "]},\n"
					   "\"limits\": {\"egress_bytes\": \"2MB\"}}", NULL);
	_cleanup_free_ char *of_rule = explained(policy, 1), *of_job = explained(policy, RULE_NONE);

	(void)state;
	assert_non_null(strstr(of_rule, "\"uid\":\"bucket\""));
	assert_non_null(strstr(of_rule, "\"type\":\"budget\""));
	assert_non_null(strstr(of_rule, "is spent: its max_bytes is 10240"));
	assert_non_null(strstr(of_rule, "raise the rule's max_bytes"));
	assert_non_null(strstr(of_job, "\"uid\":\"limits.egress_bytes\""));
	assert_non_null(strstr(of_job, "limits.egress_bytes is 2000000"));
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_canonical_form_has_bytes),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(nothing_is_counted_without),
		cmocka_unit_test(the_tables_have_budgets),
		cmocka_unit_test(the_id_stays),
		cmocka_unit_test(explain_names_the_rule),
		cmocka_unit_test(open_is_not_counted),
		cmocka_unit_test(an_alert_names_what_is_spent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
