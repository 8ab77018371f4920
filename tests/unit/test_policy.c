// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What sound policies come to: their rule table, merging, canonical form and digest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/rule.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\""

static void assert_same_rule(const struct rule *a, const struct rule *b)
{
	assert_string_equal(a->id, b->id);
	assert_int_equal(a->class, b->class);
	assert_int_equal(a->access, b->access);
	assert_int_equal(a->is_optional, b->is_optional);
	assert_int_equal(a->is_created, b->is_created);
	assert_string_equal(a->path ? a->path : "", b->path ? b->path : "");
	assert_string_equal(a->dataset ? a->dataset : "", b->dataset ? b->dataset : "");
	assert_memory_equal(a->addr, b->addr, sizeof(a->addr));
	assert_int_equal(a->prefixlen, b->prefixlen);
	assert_int_equal(a->protocol_cnt, b->protocol_cnt);
	assert_memory_equal(a->protocol, b->protocol, sizeof(a->protocol));
	assert_int_equal(a->port_cnt, b->port_cnt);
	for (size_t i = 0; i < a->port_cnt; i++) {
		assert_int_equal(a->ports[i].lo, b->ports[i].lo);
		assert_int_equal(a->ports[i].hi, b->ports[i].hi);
	}
}

static void assert_same_policy(const struct policy *a, const struct policy *b)
{
	assert_string_equal(a->canonical, b->canonical);
	assert_string_equal(a->digest, b->digest);
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->file_default, b->file_default);
	assert_int_equal(a->exec_default, b->exec_default);
	assert_int_equal(a->egress_default, b->egress_default);
	assert_int_equal(a->rule_cnt, b->rule_cnt);
	for (size_t i = 0; i < a->rule_cnt; i++)
		assert_same_rule(&a->rules[i], &b->rules[i]);
}

static void defaults(void **state)
{
	struct policy *policy = parse_good(HEAD "}", NULL);

	(void)state;
	assert_string_equal(policy->name, "t");
	assert_string_equal(policy->file, "p.json");
	assert_int_equal(policy->mode, MODE_ENFORCE);
	assert_int_equal(policy->file_default, ACCESS_READ);
	assert_int_equal(policy->exec_default, EXEC_DENY);
	assert_int_equal(policy->egress_default, EGRESS_DENY);
	assert_int_equal(policy->rule_cnt, 0);
	assert_null(policy_rule(policy, RULE_NONE));
	assert_null(policy_rule(policy, 1));
	policy_free(policy);
}

static const char everything[] =
	HEAD ", \"$schema\": \"s\", \"mode\": \"audit\",\n"
	     "\"datasets\": [{\"name\": \"digits\", \"access\": \"write\"}],\n"
	     "\"filesystem\": {\"default\": \"none\", \"rules\": [\n"
	     "{\"id\": \"ckpt\", \"path\": \"/srv//ckpt/\", \"access\": \"write\"},\n"
	     "{\"path\": \"/opt/\\u00fc \\\"x\\\"\", \"access\": \"read\", \"optional\": true}]},\n"
	     "\"exec\": {\"default\": \"allow\", \"allow\": [\"/usr/bin\"],\n"
	     "\"deny\": [{\"id\": \"no-nc\", \"path\": \"/usr/bin/nc\", \"optional\": true}]},\n"
	     "\"egress\": {\"allow\": [{\"id\": \"peers\", \"cidr\": \"198.51.100.0/24\",\n"
	     "\"protocol\": \"any\", \"ports\": [\"29500-29600\", 443, 444, \"440-443\"]},\n"
	     "{\"cidr\": \"2001:db8::/32\", \"protocol\": \"udp\", \"ports\": [53]}]}}";

static void rules_as_written(void **state)
{
	struct policy *policy = parse_good(everything, &test_site);
	const struct rule *rule;

	(void)state;
	assert_int_equal(policy->mode, MODE_AUDIT);
	assert_int_equal(policy->file_default, ACCESS_NONE);
	assert_int_equal(policy->exec_default, EXEC_ALLOW);
	assert_int_equal(policy->rule_cnt, 8);
	rule = rule_by_id(policy, "dataset:digits");
	assert_ptr_equal(rule, policy_rule(policy, 1));
	assert_string_equal(rule->path, "/srv/digits");
	assert_int_equal(rule->access, ACCESS_WRITE);
	rule = rule_by_id(policy, "dataset:patients");
	assert_int_equal(rule->access, ACCESS_NONE);
	assert_string_equal(rule->origin.file, "site.json");
	assert_int_equal(rule->origin.line, 3);
	rule = rule_by_id(policy, "ckpt");
	assert_string_equal(rule->path, "/srv/ckpt");
	assert_string_equal(rule->origin.file, "p.json");
	assert_int_equal(rule->origin.line, 4);
	assert_int_equal(rule->origin.column, 1);
	rule = rule_by_id(policy, "filesystem:/opt/\xc3\xbc \"x\"");
	assert_true(rule->is_optional);
	rule = rule_by_id(policy, "exec.allow:/usr/bin");
	assert_int_equal(rule->access, EXEC_ALLOW);
	rule = rule_by_id(policy, "no-nc");
	assert_int_equal(rule->access, EXEC_DENY);
	policy_free(policy);
}

static void networks_as_written(void **state)
{
	struct policy *policy = parse_good(everything, &test_site);
	const struct rule *rule = rule_by_id(policy, "peers");

	(void)state;
	assert_true(rule_is_ipv4(rule));
	assert_int_equal(rule->prefixlen, 96 + 24);
	assert_int_equal(rule->protocol_cnt, 2);
	assert_int_equal(rule->protocol[0], IPPROTO_TCP);
	assert_int_equal(rule->protocol[1], IPPROTO_UDP);
	assert_int_equal(rule->port_cnt, 2);
	assert_int_equal(rule->ports[0].lo, 440);
	assert_int_equal(rule->ports[0].hi, 444);
	assert_int_equal(rule->ports[1].lo, 29500);
	assert_int_equal(rule->ports[1].hi, 29600);
	rule = rule_by_id(policy, "egress:2001:db8::/32:udp:53");
	assert_int_equal(rule->prefixlen, 32);
	assert_int_equal(rule->protocol_cnt, 1);
	assert_int_equal(rule->protocol[0], IPPROTO_UDP);
	policy_free(policy);
}

/* The form itself is a promise: digests are kept in audit records. */
static void canonical_form(void **state)
{
	struct policy *policy = parse_good(everything, &test_site);

	(void)state;
	assert_string_equal(
		policy->canonical,
		"{\"datasets\":["
		"{\"access\":\"write\",\"name\":\"digits\",\"path\":\"/srv/digits\"},"
		"{\"access\":\"none\",\"name\":\"patients\",\"path\":\"/srv/patients\"}],"
		"\"egress\":{\"allow\":["
		"{\"cidr\":\"198.51.100.0/24\",\"id\":\"peers\",\"ports\":[\"440-444\",\"29500-29600\"],"
		"\"protocol\":\"any\"},"
		"{\"cidr\":\"2001:db8::/32\",\"ports\":[53],\"protocol\":\"udp\"}],"
		"\"default\":\"deny\"},"
		"\"exec\":{\"allow\":[{\"path\":\"/usr/bin\"}],\"default\":\"allow\","
		"\"deny\":[{\"id\":\"no-nc\",\"optional\":true,\"path\":\"/usr/bin/nc\"}]},"
		"\"filesystem\":{\"default\":\"none\",\"rules\":["
		"{\"access\":\"read\",\"optional\":true,\"path\":\"/opt/\xc3\xbc \\\"x\\\"\"},"
		"{\"access\":\"write\",\"id\":\"ckpt\",\"path\":\"/srv/ckpt\"}]},"
		"\"mode\":\"audit\",\"name\":\"t\",\"version\":1}");
	policy_free(policy);
}

static void canonical_parses_back(void **state)
{
	struct policy *policy = parse_good(everything, &test_site);
	struct policy *again = parse_good(policy->canonical, NULL);

	(void)state;
	assert_same_policy(policy, again);
	policy_free(again);
	policy_free(policy);
}

/* What is not said leaves the digests of policies as they were before there was such a key. */
static void loss_of_evidence(void **state)
{
	struct policy *policy = parse_good(HEAD "}", NULL);
	struct policy *lenient = parse_good(HEAD ", \"on_audit_loss\": \"continue\"}", NULL);
	struct policy *strict = parse_good(HEAD ", \"on_audit_loss\": \"stop\"}", NULL);
	struct policy *again = parse_good(strict->canonical, NULL);

	(void)state;
	assert_int_equal(policy->on_audit_loss, AUDIT_LOSS_CONTINUE);
	assert_same_policy(policy, lenient);
	assert_int_equal(strict->on_audit_loss, AUDIT_LOSS_STOP);
	assert_int_equal(again->on_audit_loss, AUDIT_LOSS_STOP);
	assert_same_policy(strict, again);
	assert_string_not_equal(strict->digest, policy->digest);
	policy_free(again);
	policy_free(strict);
	policy_free(lenient);
	policy_free(policy);
}

static void spiffe_id(void **state)
{
	struct policy *policy = parse_good(HEAD ", \"spiffe_id\": \"spiffe://prod.example/ml/digits_1\"}", NULL);
	struct policy *again = parse_good(policy->canonical, NULL);

	(void)state;
	assert_string_equal(policy->spiffe_id, "spiffe://prod.example/ml/digits_1");
	assert_string_equal(again->spiffe_id, policy->spiffe_id);
	assert_same_policy(policy, again);
	policy_free(again);
	policy_free(policy);
	policy = parse_good(HEAD ", \"spiffe_id\": \"spiffe://prod.example\"}", NULL);
	assert_string_equal(policy->spiffe_id, "spiffe://prod.example");
	policy_free(policy);
}

/* As sha256sum says of the same text. */
static void digest_is_sha256_of_canonical(void **state)
{
	struct policy *policy = parse_good(HEAD "}", NULL);

	(void)state;
	assert_string_equal(policy->canonical,
			    "{\"datasets\":[],\"egress\":{\"allow\":[],\"default\":\"deny\"},"
			    "\"exec\":{\"allow\":[],\"default\":\"deny\",\"deny\":[]},"
			    "\"filesystem\":{\"default\":\"read\",\"rules\":[]},"
			    "\"mode\":\"enforce\",\"name\":\"t\",\"version\":1}");
	assert_string_equal(policy->digest,
			    "dbf7458b9171690b23aaa5b54388c1593882886c20b51fd47ef2889e208815ab");
	policy_free(policy);
}

static void equal_policies_have_equal_digests(void **state)
{
	struct policy *one, *other;

	(void)state;
	one = parse_good(HEAD ", \"exec\": {\"allow\": [\"/a\", \"/b\"]}, \"egress\": {\"allow\": ["
			      "{\"cidr\": \"192.0.2.0/24\", \"ports\": [1, 2]},"
			      "{\"cidr\": \"2001:db8:0::/48\", \"ports\": [\"7-9\"]}]}}", NULL);
	other = parse_good("{\"egress\": {\"allow\": [\n"
			   "{\"ports\": [7, 8, \"8-9\"], \"protocol\": \"tcp\", \"cidr\": \"2001:DB8::/48\"},"
			   "{\"id\": \"egress:192.0.2.0/24:tcp:1-2\", \"cidr\": \"192.0.2.0/24\","
			   "\"ports\": [\"1-2\"]}]}, \"name\": \"t\", \"mode\": \"enforce\",\n"
			   "\"exec\": {\"deny\": [], \"allow\": [{\"path\": \"/b/\"}, \"//a\"]},"
			   "\"version\": 1}", NULL);
	assert_same_policy(one, other);
	policy_free(other);
	policy_free(one);
}

#define RULE(more) \
	", \"filesystem\": {\"rules\": [{\"path\": \"/runs/1\", \"access\": \"write\"" more "}]}}"
#define CREATED RULE(", \"create\": true")

/* Said only where it is so, so that digests of policies that do not say it stay as they were. */
static void created(void **state)
{
	struct policy *with = parse_good(HEAD CREATED, NULL);
	struct policy *without = parse_good(HEAD RULE(""), NULL), *again;
	struct policy *denied = parse_good(HEAD RULE(", \"create\": false, \"optional\": false"), NULL);

	(void)state;
	assert_true(with->rules[0].is_created);
	assert_false(without->rules[0].is_created);
	assert_non_null(strstr(with->canonical, "{\"access\":\"write\",\"create\":true,"
						"\"path\":\"/runs/1\"}"));
	assert_null(strstr(without->canonical, "create"));
	assert_same_policy(without, denied);
	assert_string_not_equal(with->digest, without->digest);
	again = parse_good(with->canonical, NULL);
	assert_same_policy(with, again);
	policy_free(again);
	policy_free(denied);
	policy_free(without);
	policy_free(with);
}

/* A rule that replaces another says itself whether its path is made. */
static void created_is_replaced(void **state)
{
	static const struct {
		const char *base, *child;
		bool is_created;
	} rows[] = {
		{ HEAD CREATED, HEAD ", \"extends\": [\"base.json\"]}", true },
		{ HEAD CREATED, HEAD ", \"extends\": [\"base.json\"]" RULE(""), false },
		{ HEAD RULE(""), HEAD ", \"extends\": [\"base.json\"]" CREATED, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *policy;

		write_file("base.json", rows[i].base);
		write_file("child.json", rows[i].child);
		policy = load_good("child.json", NULL);
		assert_int_equal(policy->rule_cnt, 1);
		assert_int_equal(policy->rules[0].is_created, rows[i].is_created);
		policy_free(policy);
	}
}

static void different_policies_have_different_digests(void **state)
{
	static const char *const texts[] = {
		HEAD "}",
		"{\"version\": 1, \"name\": \"u\"}",
		HEAD ", \"mode\": \"audit\"}",
		HEAD ", \"filesystem\": {\"default\": \"write\"}}",
		HEAD ", \"exec\": {\"allow\": [\"/a\"]}}",
		HEAD ", \"exec\": {\"deny\": [\"/a\"]}}",
		HEAD ", \"exec\": {\"allow\": [{\"path\": \"/a\", \"optional\": true}]}}",
		HEAD ", \"exec\": {\"allow\": [{\"path\": \"/a\", \"id\": \"a\"}]}}",
		HEAD ", \"egress\": {\"allow\": [{\"cidr\": \"::/0\", \"ports\": [1]}]}}",
		HEAD ", \"egress\": {\"allow\": [{\"cidr\": \"0.0.0.0/0\", \"ports\": [1]}]}}",
		HEAD ", \"egress\": {\"allow\": [{\"cidr\": \"::/0\", \"ports\": [2]}]}}",
	};
	struct policy *policies[ARRAY_SIZE(texts)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		policies[i] = parse_good(texts[i], NULL);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(policies[i]->digest, policies[j]->digest);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		policy_free(policies[i]);
}

static void write_family(void)
{
	write_file("base.json",
		   "{\"version\": 1, \"name\": \"base\", \"mode\": \"audit\",\n"
		   "\"datasets\": [{\"name\": \"digits\", \"access\": \"read\"},\n"
		   "{\"name\": \"patients\", \"access\": \"read\"}],\n"
		   "\"filesystem\": {\"default\": \"none\", \"rules\": [\n"
		   "{\"id\": \"tmp\", \"path\": \"/tmp\", \"access\": \"write\"},\n"
		   "{\"path\": \"/opt\", \"access\": \"read\"}]},\n"
		   "\"exec\": {\"allow\": [\"/usr/bin\", \"/usr/lib\"]},\n"
		   "\"egress\": {\"allow\": [{\"cidr\": \"192.0.2.0/24\", \"ports\": [1]}]}}");
	write_file("list.json", "{\"version\": 1, \"name\": \"list\", \"allow\": [\n"
				"{\"cidr\": \"192.0.2.0/24\", \"ports\": [1]},\n"
				"{\"id\": \"l\", \"cidr\": \"192.0.2.0/24\", \"ports\": [1]}]}");
	write_file("child.json",
		   HEAD ", \"extends\": [\"base.json\"],\n"
			"\"datasets\": [{\"name\": \"digits\", \"access\": \"write\"}],\n"
			"\"filesystem\": {\"default\": \"read\", \"rules\": [\n"
			"{\"id\": \"tmp\", \"path\": \"/tmp\", \"access\": \"none\"}]},\n"
			"\"exec\": {\"deny\": [\"/usr/bin\"], \"allow\": [\"/usr/bin/python3\"]},\n"
			"\"egress\": {\"include\": [\"list.json\"]}}");
}

static void child_overrides_base(void **state)
{
	struct policy *policy;

	(void)state;
	write_family();
	policy = load_good("child.json", &test_site);
	assert_string_equal(policy->name, "t");
	assert_int_equal(policy->mode, MODE_AUDIT);
	assert_int_equal(policy->file_default, ACCESS_READ);
	assert_int_equal(policy->rule_cnt, 9);
	assert_int_equal(rule_by_id(policy, "dataset:digits")->access, ACCESS_WRITE);
	assert_int_equal(rule_by_id(policy, "dataset:patients")->access, ACCESS_READ);
	assert_int_equal(rule_by_id(policy, "tmp")->access, ACCESS_NONE);
	assert_int_equal(rule_by_id(policy, "exec.deny:/usr/bin")->access, EXEC_DENY);
	assert_int_equal(rule_by_id(policy, "exec.allow:/usr/lib")->access, EXEC_ALLOW);
	rule_by_id(policy, "filesystem:/opt");
	rule_by_id(policy, "exec.allow:/usr/bin/python3");
	rule_by_id(policy, "egress:192.0.2.0/24:tcp:1");
	rule_by_id(policy, "l");
	policy_free(policy);
}

static void assert_origin(const struct policy *policy, const char *id, const char *file,
			  unsigned int line, unsigned int column)
{
	const struct origin *origin = &rule_by_id(policy, id)->origin;

	assert_string_equal(origin->file, file);
	assert_int_equal(origin->line, line);
	assert_int_equal(origin->column, column);
}

static void origins_survive(void **state)
{
	struct policy *policy;

	(void)state;
	write_family();
	policy = load_good("child.json", &test_site);
	assert_origin(policy, "dataset:digits", "child.json", 2, 14);
	assert_origin(policy, "dataset:patients", "base.json", 3, 1);
	assert_origin(policy, "filesystem:/opt", "base.json", 6, 1);
	assert_origin(policy, "tmp", "child.json", 4, 1);
	assert_origin(policy, "exec.allow:/usr/lib", "base.json", 7, 32);
	assert_origin(policy, "l", "list.json", 3, 1);
	policy_free(policy);
}

static void cut_into_files_is_the_same_policy(void **state)
{
	struct policy *cut, *whole;

	(void)state;
	write_family();
	write_file("whole.json",
		   HEAD ", \"mode\": \"audit\",\n"
			"\"datasets\": [{\"name\": \"patients\", \"access\": \"read\"},\n"
			"{\"name\": \"digits\", \"access\": \"write\"}],\n"
			"\"filesystem\": {\"rules\": [{\"path\": \"/opt\", \"access\": \"read\"},\n"
			"{\"id\": \"tmp\", \"path\": \"/tmp\", \"access\": \"none\"}]},\n"
			"\"exec\": {\"deny\": [\"/usr/bin\"],\n"
			"\"allow\": [\"/usr/lib\", \"/usr/bin/python3\"]},\n"
			"\"egress\": {\"allow\": [{\"cidr\": \"192.0.2.0/24\", \"ports\": [1]},\n"
			"{\"id\": \"l\", \"cidr\": \"192.0.2.0/24\", \"ports\": [1]}]}}");
	cut = load_good("child.json", &test_site);
	whole = load_good("whole.json", &test_site);
	assert_same_policy(cut, whole);
	policy_free(whole);
	policy_free(cut);
}

/* Extended twice, a file counts at its first place: what overrode it stays overridden. */
static void diamond(void **state)
{
	struct policy *policy;

	(void)state;
	write_file("root.json", "{\"version\": 1, \"mode\": \"enforce\"}");
	write_file("left.json",
		   "{\"version\": 1, \"extends\": [\"root.json\"], \"mode\": \"audit\"}");
	write_file("right.json", "{\"version\": 1, \"extends\": [\"./root.json\"]}");
	write_file("a.json", HEAD ", \"extends\": [\"left.json\", \"right.json\", \"left.json\"]}");
	policy = load_good("a.json", NULL);
	assert_int_equal(policy->mode, MODE_AUDIT);
	policy_free(policy);
}

static void allow_by_default_warns(void **state)
{
	static const char text[] = HEAD ",\n\"egress\": {\"default\": \"allow\", \"allow\": [\n"
					"{\"cidr\": \"::/0\", \"ports\": [1]}]}}";
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	_cleanup_free_ char *printed = NULL;

	(void)state;
	assert_int_equal(policy_parse(text, strlen(text), "p.json", NULL, &diags, &policy), 0);
	printed = diags_text(&diags);
	assert_string_equal(printed, "p.json:3:1: warning: egress rules allow nothing more while "
				     "egress.default is 'allow'\n");
	policy_free(policy);
}

static void rule_inside_dataset_may_grant_less(void **state)
{
	struct policy *policy = parse_good(
		HEAD ", \"datasets\": [{\"name\": \"digits\", \"access\": \"read\"}],"
		     "\"filesystem\": {\"rules\": ["
		     "{\"path\": \"/srv/digits/labels\", \"access\": \"none\"},"
		     "{\"path\": \"/srv\", \"access\": \"write\"}]}}", &test_site);

	(void)state;
	assert_int_equal(policy->rule_cnt, 4);
	policy_free(policy);
}

static void many_rules_in_time(void **state)
{
	size_t size = 100000 * 64 + 128, len;
	_cleanup_free_ char *text = malloc(size);
	struct policy *policy;

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, HEAD ", \"egress\": {\"allow\": [");
	for (unsigned int i = 0; i < 100000; i++)
		len += (size_t)sprintf(text + len, "%s{\"cidr\":\"10.%u.%u.%u/32\",\"ports\":[443]}",
				       i ? ",\n" : "", i >> 16, i >> 8 & 255, i & 255);
	sprintf(text + len, "]}}");
	policy = parse_good(text, NULL);
	assert_int_equal(policy->rule_cnt, 100000);
	assert_int_equal(policy_rule(policy, 100000)->origin.line, 100000);
	policy_free(policy);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(rules_as_written),
		cmocka_unit_test(networks_as_written),
		cmocka_unit_test(canonical_form),
		cmocka_unit_test(canonical_parses_back),
		cmocka_unit_test(loss_of_evidence),
		cmocka_unit_test(spiffe_id),
		cmocka_unit_test(digest_is_sha256_of_canonical),
		cmocka_unit_test(equal_policies_have_equal_digests),
		cmocka_unit_test(different_policies_have_different_digests),
		cmocka_unit_test(created),
		in_folder(created_is_replaced),
		in_folder(child_overrides_base),
		in_folder(origins_survive),
		in_folder(cut_into_files_is_the_same_policy),
		in_folder(diamond),
		cmocka_unit_test(allow_by_default_warns),
		cmocka_unit_test(rule_inside_dataset_may_grant_less),
		cmocka_unit_test(many_rules_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
