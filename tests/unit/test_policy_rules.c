// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The shipped rules, one test for each file, by the file's name: sound, and meaning what they are
 * shipped for.
 *
 * Run in the project's folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/rule.h"
#include "policy_fixture.h"

static struct policy_check check_good(const char *file, const struct site *site)
{
	struct diag_list diags = { 0 };
	struct policy_check check = { 0 };
	int err = policy_check(file, site, &diags, &check);
	_cleanup_free_ char *text = diags_text(&diags);

	assert_string_equal(text, "");
	assert_int_equal(err, 0);
	return check;
}

static void base(void **state)
{
	struct policy *policy = load_good("rules/base.json", NULL);
	struct policy_check check = check_good("rules/base.json", NULL);

	(void)state;
	assert_false(check.is_allowlist);
	assert_string_equal(check.name, "base");
	assert_string_equal(check.digest, policy->digest);
	assert_int_equal(policy->mode, MODE_ENFORCE);
	assert_int_equal(policy->file_default, ACCESS_READ);
	assert_int_equal(policy->exec_default, EXEC_DENY);
	assert_int_equal(policy->egress_default, EGRESS_DENY);
	assert_int_equal(rule_by_id(policy, "filesystem:/tmp")->access, ACCESS_WRITE);
	assert_int_equal(rule_by_id(policy, "filesystem:/dev/shm")->access, ACCESS_WRITE);
	assert_int_equal(rule_by_id(policy, "filesystem:/dev/null")->access, ACCESS_WRITE);
	assert_int_equal(rule_by_id(policy, "exec.allow:/usr/bin")->access, EXEC_ALLOW);
	for (size_t i = 0; i < policy->rule_cnt; i++) {
		assert_int_not_equal(policy->rules[i].class, RULE_EGRESS);
		assert_int_not_equal(policy->rules[i].access, EXEC_UNSET);
	}
	policy_free(policy);
}

static void digits_train(void **state)
{
	struct policy *policy = load_good("rules/digits-train.json", &test_site);
	struct policy_check check = check_good("rules/digits-train.json", &test_site);

	(void)state;
	assert_string_equal(check.name, "digits-train");
	assert_string_equal(check.digest, policy->digest);
	assert_int_equal(check.rule_cnt, policy->rule_cnt);
	assert_int_equal(policy->mode, MODE_ENFORCE);
	assert_int_equal(rule_by_id(policy, "dataset:digits")->access, ACCESS_READ);
	assert_int_equal(rule_by_id(policy, "dataset:patients")->access, ACCESS_NONE);
	assert_int_equal(rule_by_id(policy, "output")->access, ACCESS_WRITE);
	assert_int_equal(rule_by_id(policy, "python")->access, EXEC_ALLOW);
	assert_int_equal(rule_by_id(policy, "python-only")->access, EXEC_DENY);
	assert_int_equal(policy->egress_default, EGRESS_DENY);
	policy_free(policy);
}

/* Examples may name documentation networks only: nobody should reach anything by copying them. */
static bool is_documentation(const struct rule *rule)
{
	static const struct {
		const char *text;
		uint8_t prefixlen;
	} nets[] = {
		{ "::ffff:192.0.2.0", 120 }, { "::ffff:198.51.100.0", 120 },
		{ "::ffff:203.0.113.0", 120 }, { "2001:db8::", 32 },
	};
	uint8_t addr[16];

	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		assert_int_equal(inet_pton(AF_INET6, nets[i].text, addr), 1);
		if (rule->prefixlen >= nets[i].prefixlen &&
		    !memcmp(rule->addr, addr, nets[i].prefixlen / 8))
			return true;
	}
	return false;
}

/* Sound alone, and in a policy that includes it. */
static void check_allowlist(const char *name)
{
	_cleanup_free_ char *file = NULL, *text = NULL;
	struct policy_check check;
	struct policy *policy;
	char cwd[4096];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_true(asprintf(&file, "%s/rules/egress/%s.json", cwd, name) > 0);
	check = check_good(file, NULL);
	assert_true(check.is_allowlist);
	assert_string_equal(check.name, name);
	assert_string_equal(check.digest, "");
	assert_true(asprintf(&text, "{\"version\": 1, \"name\": \"t\", \"egress\": "
				    "{\"include\": [\"%s\"]}}", file) > 0);
	assert_int_equal(enter_folder(NULL), 0);
	write_file("t.json", text);
	policy = load_good("t.json", NULL);
	assert_int_equal(leave_folder(NULL), 0);
	assert_int_equal(policy->rule_cnt, check.rule_cnt);
	for (size_t i = 0; i < policy->rule_cnt; i++)
		assert_true(is_documentation(&policy->rules[i]));
	policy_free(policy);
}

static void object_store(void **state)
{
	(void)state;
	check_allowlist("object-store");
}

static void nccl_peers(void **state)
{
	(void)state;
	check_allowlist("nccl-peers");
}

static void pypi_mirror(void **state)
{
	(void)state;
	check_allowlist("pypi-mirror");
}

/* The text between two comments of the page. */
static char *man_example(const char *begin)
{
	static const char end[] = ".\\\" end of example\n";
	_cleanup_free_ char *page = NULL;
	char *from, *to;

	assert_int_equal(file_read("userspace/man/jobcage-policy.5", 1 << 20, &page, NULL), 0);
	from = strstr(page, begin);
	assert_non_null(from);
	from += strlen(begin);
	to = strstr(from, end);
	assert_non_null(to);
	return strndup(from, (size_t)(to - from));
}

static void man_page(void **state)
{
	_cleanup_free_ char *text = man_example("\n.\\\" example\n");
	_cleanup_free_ char *tidy = man_example("\n.\\\" environment example\n");
	_cleanup_free_ char *base_file = realpath("rules/base.json", NULL);
	_cleanup_free_ char *egress = realpath("rules/egress", NULL);
	struct policy *policy, *tidy_policy;

	(void)state;
	assert_true(text && tidy && base_file && egress);
	assert_int_equal(enter_folder(NULL), 0);
	assert_int_equal(symlink(base_file, "base.json"), 0);
	assert_int_equal(symlink(egress, "egress"), 0);
	write_file("digits-train.json", text);
	write_file("digits-train-tidy.json", tidy);
	policy = load_good("digits-train.json", &test_site);
	tidy_policy = load_good("digits-train-tidy.json", &test_site);
	assert_int_equal(leave_folder(NULL), 0);
	assert_int_equal(policy->rule_cnt, 26); /* as the page says */
	assert_int_equal(tidy_policy->rule_cnt, 26);
	assert_true(tidy_policy->environment.is_present);
	assert_int_equal(tidy_policy->limits.runtime_ms, 24 * 3600 * 1000);
	policy_free(tidy_policy);
	policy_free(policy);
}

static void man_page_site(void **state)
{
	_cleanup_free_ char *text = man_example("\n.\\\" site example\n"), *printed = NULL;
	struct diag_list diags = { 0 };
	struct site *site = NULL;

	(void)state;
	assert_non_null(text);
	assert_int_equal(enter_folder(NULL), 0);
	write_file("site.json", text);
	assert_int_equal(site_load("site.json", &diags, &site), 0);
	assert_int_equal(leave_folder(NULL), 0);
	printed = diags_text(&diags);
	assert_string_equal(printed, "");
	assert_true(site_may_run(site, 1000, NULL, 0, "digits-train"));
	assert_false(site_may_run(site, 1001, NULL, 0, "digits-train"));
	assert_true(site_may_bring_policy(site, 1000, NULL, 0));
	site_free(site);
}

static void site_example(void **state)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;

	(void)state;
	assert_int_equal(site_load("rules/site.example.json", &diags, &site), 0);
	assert_int_equal(diags.error_cnt, 0);
	assert_non_null(site_dataset(site, "digits"));
	assert_int_equal(site->permission_cnt, 2);
	diag_free(&diags);
	site_free(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base),		cmocka_unit_test(digits_train),
		cmocka_unit_test(object_store), cmocka_unit_test(nccl_peers),
		cmocka_unit_test(pypi_mirror),
		cmocka_unit_test(man_page),	cmocka_unit_test(man_page_site),
		cmocka_unit_test(site_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
