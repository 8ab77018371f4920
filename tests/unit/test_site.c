// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The site file: what it registers, what it permits to whom, and every mistake in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1,\n"
#define DATASETS(list) "{\"version\": 1, \"datasets\": [\n" list "]}"
#define MUST(place, text) "site.json:" place ": error: " text "\n"

static void good(void **state)
{
	struct diag_list diags = { 0 };
	const struct dataset *dataset;
	struct site *site = NULL;

	(void)state;
	write_file("site.json", "{\"$schema\": \"x\", \"version\": 1, \"datasets\": [\n"
				"{\"name\": \"digits\", \"path\": \"/srv//digits/\", "
				"\"owner\": \"vision team\"},\n"
				"{\"path\": \"/srv/digits/secret\", \"name\": \"labels\"}]}");
	assert_int_equal(site_load("site.json", &diags, &site), 0);
	assert_int_equal(diags.cnt, 0);
	assert_string_equal(site->file, "site.json");
	assert_int_equal(site->dataset_cnt, 2);
	dataset = site_dataset(site, "digits");
	assert_non_null(dataset);
	assert_string_equal(dataset->path, "/srv/digits");
	assert_string_equal(dataset->owner, "vision team");
	assert_ptr_equal(dataset->origin.file, site->file);
	assert_int_equal(dataset->origin.line, 2);
	assert_int_equal(dataset->origin.column, 1);
	assert_null(site_dataset(site, "labels")->owner);
	assert_null(site_dataset(site, "other"));
	assert_null(site_dataset(NULL, "digits"));
	site_free(site);
}

static void nothing_registered(void **state)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;

	(void)state;
	write_file("site.json", DATASETS(""));
	assert_int_equal(site_load("site.json", &diags, &site), 0);
	assert_int_equal(site->dataset_cnt, 0);
	site_free(site);
}

/* Whether that is an error is for the caller to say. */
static void absent(void **state)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;

	(void)state;
	assert_int_equal(site_load("absent.json", &diags, &site), -ENOENT);
	assert_int_equal(diags.cnt, 0);
	assert_null(site);
}

static void expect_mistakes(const char *text, const char *want)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	_cleanup_free_ char *printed = NULL;
	int err;

	write_file("site.json", text);
	err = site_load("site.json", &diags, &site);
	printed = diags_text(&diags);
	assert_string_equal(printed, want);
	assert_int_equal(err, -EINVAL);
	assert_null(site);
}

static void mistakes(void **state)
{
	(void)state;
	expect_mistakes("{", MUST("1:2", "not JSON: string or '}' expected near end of file"));
	expect_mistakes("{\"version\": 1, \"datset\": []}",
		      MUST("1:16", "unknown key 'datset'; did you mean 'datasets'?"));
	expect_mistakes("{}", MUST("1:1", "a site file needs the key 'version'"));
	expect_mistakes("{\"version\": 3, \"datasets\": {}}",
		      MUST("1:13", "version 3 is unknown to this jobcage, which reads version 1")
		      MUST("1:28", "'datasets' must be a list, not an object"));
	expect_mistakes(DATASETS("{\"name\": \"a b\", \"path\": \"srv\"},\n7,\n{}"),
		      MUST("2:10", "bad name 'a b': 1 to 64 characters of A-Z a-z 0-9 . _ -")
		      MUST("2:25", "path 'srv' is relative; paths begin with '/'")
		      MUST("3:1", "a dataset must be an object, not a whole number")
		      MUST("4:1", "a dataset needs the key 'name'")
		      MUST("4:1", "a dataset needs the key 'path'"));
	expect_mistakes(DATASETS("{\"name\": \"a\", \"path\": \"//\"}"),
		      MUST("2:23", "the root of all files cannot be a dataset"));
	expect_mistakes(DATASETS("{\"name\": \"a\", \"path\": \"/a\", \"manifest\": \"m\", "
			       "\"access\": \"read\"}"),
		      MUST("2:29", "'manifest' is not enforced by this version of jobcage; "
				   "remove it")
		      MUST("2:46", "'access' is for each policy to say, in its own 'datasets'"));
}

static void duplicates(void **state)
{
	(void)state;
	expect_mistakes(DATASETS("{\"name\": \"a\", \"path\": \"/a\"},\n"
			       "{\"name\": \"a\", \"path\": \"/b\"},\n"
			       "{\"name\": \"c\", \"path\": \"/a/\"}"),
		      MUST("3:1", "dataset 'a' is registered already at site.json:2:1")
		      MUST("4:1", "path '/a' is registered already at site.json:2:1"));
}

/* A site that must be sound but for these warnings. */
static struct site *load_site(const char *text, const char *want)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	_cleanup_free_ char *printed = NULL;
	int err;

	write_file("site.json", text);
	err = site_load("site.json", &diags, &site);
	printed = diags_text(&diags);
	assert_string_equal(printed, want);
	assert_int_equal(err, 0);
	assert_non_null(site);
	return site;
}

static void settings(void **state)
{
	struct site *site = load_site(HEAD "\"policies\": \"/srv//policies/\",\n"
					   "\"limits\": {\"jobs\": 1000, \"jobs_per_user\": 50},\n"
					   "\"alerts\": \"/var/log/alerts.jsonl\", "
					   "\"self_test\": false}", "");

	(void)state;
	assert_string_equal(site->policies, "/srv/policies");
	assert_int_equal(site->limits.jobs, 1000);
	assert_int_equal(site->limits.jobs_per_user, 50);
	assert_string_equal(site->alerts, "/var/log/alerts.jsonl");
	assert_false(site->self_test);
	assert_int_equal(site->dataset_cnt, 0);
	assert_int_equal(site->permission_cnt, 0);
	site_free(site);
}

static void default_settings(void **state)
{
	struct site *site = load_site("{\"version\": 1}", "");

	(void)state;
	assert_string_equal(site->policies, SITE_POLICIES);
	assert_int_equal(site->limits.jobs, 0);
	assert_int_equal(site->limits.jobs_per_user, 0);
	assert_null(site->alerts);
	assert_true(site->self_test);
	assert_int_equal(site->dataset_cnt, 0);
	assert_int_equal(site->permission_cnt, 0);
	site_free(site);
}

static void bad_settings(void **state)
{
	(void)state;
	expect_mistakes(HEAD "\"policies\": \"policies\", \"alerts\": \"-\",\n"
			     "\"limits\": {\"jobs\": 0, \"jobs_per_user\": 16384, \"job\": 1},\n"
			     "\"self_test\": 1, \"permissions\": {}}",
			MUST("2:13", "path 'policies' is relative; paths begin with '/'")
			MUST("2:35", "path '-' is relative; paths begin with '/'")
			MUST("3:20", "'jobs' must be 1 to 16383")
			MUST("3:40", "'jobs_per_user' must be 1 to 16383")
			MUST("3:47", "unknown key 'job'; did you mean 'jobs'?")
			MUST("4:14", "'self_test' must be true or false, not a whole number")
			MUST("4:32", "'permissions' must be a list, not an object"));
}

/* Permissions */

#define PERMISSIONS(list) HEAD "\"permissions\": [\n" list "]}"
#define OTHER 4711

static const gid_t no_group[] = { OTHER };

static bool may_run(const struct site *site, uid_t uid, const char *name)
{
	return site_may_run(site, uid, no_group, ARRAY_SIZE(no_group), name);
}

static bool may_bring(const struct site *site, uid_t uid)
{
	return site_may_bring_policy(site, uid, no_group, ARRAY_SIZE(no_group));
}

static void users(void **state)
{
	struct site *site = load_site(
		PERMISSIONS("{\"users\": [\"daemon\", 1000, \"1001\"], \"policies\": [\"digits-*\"]},\n"
			    "{\"users\": [1001], \"policies\": [\"plain\"]}"), "");
	const struct permission *permission = &site->permissions[0];

	(void)state;
	assert_int_equal(site->permission_cnt, 2);
	assert_int_equal(permission->users.cnt, 3);
	assert_int_equal(permission->users.ids[0], 1); /* daemon, on every Linux */
	assert_int_equal(permission->users.ids[1], 1000);
	assert_int_equal(permission->users.ids[2], 1001);
	assert_true(may_run(site, 1, "digits-train"));
	assert_true(may_run(site, 1000, "digits-"));
	assert_true(may_run(site, 1001, "digits-eval"));
	assert_true(may_run(site, 1001, "plain"));
	assert_false(may_run(site, 1000, "plain"));
	assert_false(may_run(site, 1000, "digits"));
	assert_false(may_run(site, 1000, "Digits-x"));
	assert_false(may_run(site, OTHER, "digits-train"));
	assert_false(may_bring(site, 1000));
	site_free(site);
}

static void groups(void **state)
{
	struct site *site = load_site(
		PERMISSIONS("{\"groups\": [\"daemon\", 2000], \"policies\": [\"[a-c]?\", \"x\"]}"), "");
	static const gid_t member[] = { OTHER, 2000 }, daemon_member[] = { 1 };

	(void)state;
	assert_true(site_may_run(site, 1000, member, 2, "b1"));
	assert_true(site_may_run(site, 1000, daemon_member, 1, "x"));
	assert_false(site_may_run(site, 1000, member, 1, "b1"));
	assert_false(site_may_run(site, 1000, NULL, 0, "b1"));
	assert_false(site_may_run(site, 1000, member, 2, "d1"));
	assert_false(site_may_run(site, 1000, member, 2, "b12"));
	assert_false(site_may_run(site, 2000, no_group, 1, "b1")); /* a group's number only */
	site_free(site);
}

static void everybody(void **state)
{
	struct site *site;

	(void)state;
	site = load_site(PERMISSIONS("{\"users\": [\"*\"], \"policies\": [\"*\"]}"), "");
	assert_true(may_run(site, OTHER, "any"));
	assert_false(may_bring(site, OTHER));
	site_free(site);
	site = load_site(PERMISSIONS("{\"groups\": [\"*\"], \"own_policies\": true}"), "");
	assert_false(may_run(site, OTHER, "any"));
	assert_true(may_bring(site, OTHER));
	assert_true(site_may_bring_policy(site, OTHER, NULL, 0));
	site_free(site);
}

static void own_policies(void **state)
{
	struct site *site = load_site(
		PERMISSIONS("{\"users\": [1000], \"own_policies\": true},\n"
			    "{\"users\": [1001], \"policies\": [\"a\"], \"own_policies\": false}"), "");

	(void)state;
	assert_true(may_bring(site, 1000));
	assert_false(may_bring(site, 1001));
	assert_false(may_run(site, 1000, "a"));
	assert_true(may_run(site, 1001, "a"));
	site_free(site);
}

/* Where the site says nothing, root alone may. */
static void root_and_nobody_else(void **state)
{
	struct site *site = load_site("{\"version\": 1}", "");

	(void)state;
	assert_true(may_run(NULL, 0, "any"));
	assert_true(may_bring(NULL, 0));
	assert_true(may_run(site, 0, "any"));
	assert_true(may_bring(site, 0));
	assert_false(may_run(NULL, 1000, "any"));
	assert_false(may_bring(NULL, 1000));
	assert_false(may_run(site, 1000, "any"));
	assert_false(may_bring(site, 1000));
	site_free(site);
}

/* One file may serve machines that do not all know the same people. */
static void unknown_names(void **state)
{
	struct site *site = load_site(
		PERMISSIONS("{\"users\": [\"no-such-user\", 1000], \"groups\": [\"no-such-group\"],\n"
			    "\"policies\": [\"*\"]}"),
		"site.json:3:12: warning: unknown user 'no-such-user': nobody is meant by it\n"
		"site.json:3:46: warning: unknown group 'no-such-group': nobody is meant by it\n");

	(void)state;
	assert_int_equal(site->permissions[0].users.cnt, 1);
	assert_int_equal(site->permissions[0].groups.cnt, 0);
	assert_true(may_run(site, 1000, "a"));
	assert_false(may_run(site, OTHER, "a"));
	site_free(site);
}

#define BAD_POLICY(text) \
	"bad policy '" text "': a name, or a pattern of at most 64 characters with *, ? and [...]"

static void bad_permissions(void **state)
{
	(void)state;
	expect_mistakes(PERMISSIONS("7,\n{},\n{\"users\": [], \"policies\": []}"),
			MUST("3:1", "a permission must be an object, not a whole number")
			MUST("4:1", "a permission for nobody: name 'users' or 'groups', or \"*\" "
				    "for everybody")
			MUST("4:1", "a permission for nothing: name 'policies', or say "
				    "\"own_policies\": true")
			MUST("5:1", "a permission for nobody: name 'users' or 'groups', or \"*\" "
				    "for everybody")
			MUST("5:1", "a permission for nothing: name 'policies', or say "
				    "\"own_policies\": true"));
	expect_mistakes(PERMISSIONS("{\"user\": [1], \"groups\": \"ml\",\n"
				    "\"policies\": \"*\", \"own_policies\": 1}"),
			MUST("3:2", "unknown key 'user'; did you mean 'users'?")
			MUST("3:25", "'groups' must be a list, not a string")
			MUST("4:13", "'policies' must be a list, not a string")
			MUST("4:34", "'own_policies' must be true or false, not a whole number"));
	expect_mistakes(PERMISSIONS("{\"users\": [-1, 4294967295, \"4294967295\", \"\", {}, "
				    "\"99999999999999999999\"],\n"
				    "\"groups\": [null, 4294967294, 0],\n"
				    "\"policies\": [\"\", \"../x\", \"a b\", \"[a\", 1]}"),
			MUST("3:12", "ids are 0 to 4294967294")
			MUST("3:16", "ids are 0 to 4294967294")
			MUST("3:28", "ids are 0 to 4294967294")
			MUST("3:42", "a user without a name")
			MUST("3:46", "a user must be a string or a whole number, not an object")
			MUST("3:50", "ids are 0 to 4294967294")
			MUST("4:12", "a group must be a string or a whole number, not null")
			MUST("5:14", BAD_POLICY("")) MUST("5:18", BAD_POLICY("../x"))
			MUST("5:26", BAD_POLICY("a b")) MUST("5:33", BAD_POLICY("[a"))
			MUST("5:39", "a policy's name must be a string, not a whole number"));
}

/* Names */

static void policy_paths(void **state)
{
	static const char *const bad[] = { "",	   ".",	       "..",	 ".x",	"a/b", "/etc/passwd",
					   "../x", "a b",      "a\n",	 "\xc3\xbc", "*",   "a%s",
					   "x12345678901234567890123456789012345678901234567890"
					   "12345678901234" };
	struct site *site = load_site(
		HEAD "\"policies\": \"/p\", \"permissions\": "
		     "[{\"users\": [\"*\"], \"policies\": [\"*\"]}]}", "");
	char *path = NULL;

	(void)state;
	assert_int_equal(site_policy_path(site, "digits-train_2.b", &path), 0);
	assert_string_equal(path, "/p/digits-train_2.b.json");
	free(path);
	assert_int_equal(site_policy_path(NULL, "a..b", &path), 0);
	assert_string_equal(path, SITE_POLICIES "/a..b.json");
	free(path);
	path = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(site_policy_path(site, bad[i], &path), -EINVAL);
		assert_null(path);
		assert_false(may_run(site, 1000, bad[i]));
	}
	site_free(site);
}

/* The file that was asked for must be there. */
static void find(void **state)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	_cleanup_free_ char *printed = NULL;

	(void)state;
	assert_int_equal(site_find("absent.json", &diags, &site), -ENOENT);
	assert_null(site);
	printed = diags_text(&diags);
	assert_string_equal(printed,
			    "absent.json: error: cannot read: No such file or directory\n");
	write_file("site.json", DATASETS(""));
	assert_int_equal(site_find("site.json", &diags, &site), 0);
	assert_non_null(site);
	site_free(site);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(good),     in_folder(nothing_registered), in_folder(absent),
		in_folder(mistakes), in_folder(duplicates),
		in_folder(settings),
		in_folder(default_settings),
		in_folder(bad_settings),
		in_folder(users),
		in_folder(groups),
		in_folder(everybody),
		in_folder(own_policies),
		in_folder(root_and_nobody_else),
		in_folder(unknown_names),
		in_folder(bad_permissions),
		in_folder(policy_paths),
		in_folder(find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
