// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * `jobcage policy check` as its callers meet it: exit status, the lines it prints, and the JSON
 * document.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/policy_check.c" /* the whole command, as the libraries hold none */
#include "command_fixture.h"
#include "policy_fixture.h"

#define GOOD "{\"version\": 1, \"name\": \"good\", \"exec\": {\"allow\": [\"/usr/bin\"]}}"
#define BAD "{\"version\": 1,\n\"name\": 7}"
#define LIST "{\"version\": 1, \"name\": \"list\", \"allow\": [{\"cidr\": \"::/0\", \"ports\": [1]}]}"
#define GRANT "{\"version\": 1, \"name\": \"grant\", \"datasets\": [{\"name\": \"d\", \"access\": \"read\"}]}"
#define SITE "{\"version\": 1, \"datasets\": [{\"name\": \"d\", \"path\": \"/d\"}]}"

#define RUN(...) run_command(cmd_policy_check, (const char *const[]){ "check", __VA_ARGS__, NULL })

static int write_files(void **state)
{
	if (enter_folder(state))
		return -1;
	write_file("good.json", GOOD);
	write_file("bad.json", BAD);
	write_file("list.json", LIST);
	write_file("grant.json", GRANT);
	write_file("site.json", SITE);
	write_file("empty-site.json", "{\"version\": 1, \"datasets\": []}");
	return 0;
}

static void plain(void **state)
{
	_cleanup_free_ char *line = NULL;
	struct policy *policy = load_good("good.json", NULL);

	(void)state;
	assert_true(asprintf(&line, "good.json: ok: policy 'good', 1 rule, sha256 %s\n",
			     policy->digest) > 0);
	policy_free(policy);
	expect(RUN("--site", "empty-site.json", "good.json"), 0, line, "");
	expect(RUN("-s", "empty-site.json", "list.json", "bad.json"), 125,
	       "list.json: ok: egress allowlist 'list', 1 rule\nbad.json: failed: 1 error\n",
	       "bad.json:2:9: error: 'name' must be a string, not a whole number\n");
}

static void sites(void **state)
{
	(void)state;
	expect(RUN("-s", "empty-site.json", "grant.json"), 125,
	       "grant.json: failed: 1 error\n",
	       "grant.json:1:55: error: unknown dataset 'd'; register it in empty-site.json\n");
	expect(RUN("-s", "absent.json", "good.json"), 125, "",
	       "absent.json: error: cannot read: No such file or directory\n");
	expect(RUN("-s", "bad.json", "good.json"), 125, "",
	       "bad.json:2:1: error: unknown key 'name'; a site file has: $schema, version, "
	       "datasets, policies, permissions, limits, alerts, self_test, sinks, audit\n");
}

static void usage(void **state)
{
	(void)state;
	expect(run_command(cmd_policy_check, (const char *const[]){ "check", NULL }), 125, "",
	       "jobcage policy check: an argument is missing; 'jobcage policy check --help' says more\n");
	expect(RUN("--nonsense", "good.json"), 125, "",
	       "jobcage policy check: there is no option --nonsense; 'jobcage policy check --help' says more\n");
}

static const char *string_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void json(void **state)
{
	struct outcome outcome = RUN("--json", "-s", "site.json", "good.json", "bad.json",
				     "list.json");
	json_t *root = json_loads(outcome.out, JSON_REJECT_DUPLICATES, NULL), *files, *file, *diag;

	(void)state;
	assert_non_null(root);
	files = json_object_get(root, "files");
	assert_true(json_is_false(json_object_get(root, "ok")));
	assert_int_equal(json_array_size(files), 3);
	file = json_array_get(files, 0);
	assert_true(json_is_true(json_object_get(file, "ok")));
	assert_string_equal(string_at(file, "file"), "good.json");
	assert_string_equal(string_at(file, "kind"), "policy");
	assert_int_equal(strlen(string_at(file, "digest")), 64);
	assert_int_equal(json_integer_value(json_object_get(file, "rules")), 2);
	file = json_array_get(files, 1);
	assert_true(json_is_false(json_object_get(file, "ok")));
	diag = json_array_get(json_object_get(file, "diagnostics"), 0);
	assert_string_equal(string_at(diag, "file"), "bad.json");
	assert_int_equal(json_integer_value(json_object_get(diag, "line")), 2);
	assert_int_equal(json_integer_value(json_object_get(diag, "column")), 9);
	assert_string_equal(string_at(diag, "level"), "error");
	assert_string_equal(string_at(diag, "text"), "'name' must be a string, not a whole number");
	assert_string_equal(string_at(json_array_get(files, 2), "kind"), "allowlist");
	json_decref(root);
	expect(outcome, 125, outcome.out, "");
}

static void json_of_a_bad_site(void **state)
{
	struct outcome outcome = RUN("--json", "-s", "absent.json", "good.json");
	json_t *root = json_loads(outcome.out, JSON_REJECT_DUPLICATES, NULL), *diags;

	(void)state;
	diags = json_object_get(root, "diagnostics");
	assert_true(json_is_false(json_object_get(root, "ok")));
	assert_int_equal(json_array_size(json_object_get(root, "files")), 0);
	assert_string_equal(string_at(json_array_get(diags, 0), "file"), "absent.json");
	json_decref(root);
	expect(outcome, 125, outcome.out, "");
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, write_files, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(plain), in_folder(sites),		 in_folder(usage),
		in_folder(json),  in_folder(json_of_a_bad_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
