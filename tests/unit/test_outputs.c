// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Directories that a policy has made: by the maker's own rights, and in a place that is not root's alone. What
 * root makes for users, the system tests try.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "job/outputs.h"
#include "kern/places.h"
#include "policy_fixture.h"

/* One rule, for that name in the test's folder. */
static struct policy *policy_for(const char *name)
{
	_cleanup_free_ char *text = NULL;

	assert_true(asprintf(&text,
			     "{\"version\": 1, \"name\": \"p\", \"filesystem\": {\"rules\": [\n{\"id\": \"run\", "
			     "\"path\": \"%s/%s\", \"access\": \"write\", \"create\": true}]}}",
			     folder, name) > 0);
	return parse_good(text, NULL);
}

static struct outputs *make_good(const char *name)
{
	struct policy *policy = policy_for(name);
	struct outputs *outputs = NULL;
	struct error err = { 0 };
	int r = outputs_make_own(policy, &err, &outputs);

	policy_free(policy);
	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
	assert_non_null(outputs);
	return outputs;
}

static void expect_refusal(int r, const struct error *err, int code, const char *name, const char *why)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(r, code);
	assert_int_equal(err->code, code);
	assert_true(asprintf(&text, "p.json:2:1: rule \"run\": cannot make %s/%s: %s", folder, name, why) > 0);
	assert_string_equal(err->text, text);
}

static void refused(const char *name, int code, const char *why)
{
	struct policy *policy = policy_for(name);
	struct outputs *outputs = NULL;
	struct error err = { 0 };
	int r = outputs_make_own(policy, &err, &outputs);

	policy_free(policy);
	expect_refusal(r, &err, code, name, why);
	assert_null(outputs);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? 0 : st.st_mode;
}

static void made_and_kept(void **state)
{
	struct outputs *outputs;

	(void)state;
	umask(0);
	outputs = make_good("run");
	assert_int_equal(mode_of("run"), S_IFDIR | 0700);
	outputs_keep(outputs);
	outputs_free(outputs);
	assert_int_equal(mode_of("run"), S_IFDIR | 0700);
}

/* A folder whose content has the folder's group gives it to what is made there, and its mode too. */
static void group_and_mode_are_the_makers(void **state)
{
	struct outputs *outputs;
	struct stat st;

	(void)state;
	assert_int_equal(mkdir("shared", 0755), 0);
	if (!geteuid())
		assert_int_equal(chown("shared", 0, 1001), 0);
	assert_int_equal(chmod("shared", 02755), 0);
	outputs = make_good("shared/run");
	assert_int_equal(stat("shared/run", &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_gid, getegid());
	outputs_free(outputs);
}

static void removed_unless_kept(void **state)
{
	(void)state;
	outputs_free(make_good("run"));
	assert_int_equal(mode_of("run"), 0);
	outputs_free(NULL);
	outputs_keep(NULL);
}

static void what_is_in_use_stays(void **state)
{
	struct outputs *outputs = make_good("run");

	(void)state;
	write_file("run/f", "x");
	outputs_free(outputs);
	assert_int_equal(mode_of("run"), S_IFDIR | 0700);
}

static void another_directory_stays(void **state)
{
	struct outputs *outputs = make_good("run");

	(void)state;
	assert_int_equal(rename("run", "away"), 0);
	assert_int_equal(mkdir("run", 0755), 0);
	outputs_free(outputs);
	assert_int_equal(mode_of("run"), S_IFDIR | 0755);
	assert_int_equal(mode_of("away"), S_IFDIR | 0700);
}

/* The second start relies on it; the first one's failure is nothing to it. */
static void found_by_another_start(void **state)
{
	struct outputs *first = make_good("run"), *second = make_good("run");

	(void)state;
	outputs_free(first);
	assert_int_equal(mode_of("run"), S_IFDIR | 0700);
	outputs_free(second);
	assert_int_equal(mode_of("run"), S_IFDIR | 0700);
}

static void what_is_there_is_left(void **state)
{
	(void)state;
	assert_int_equal(mkdir("run", 0750), 0);
	outputs_free(make_good("run"));
	assert_int_equal(mode_of("run"), S_IFDIR | 0750);
}

static void what_is_no_directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir("dir", 0755), 0);
	write_file("file", "x");
	assert_int_equal(symlink("dir", "link"), 0);
	assert_int_equal(symlink("none", "dangling"), 0);
	assert_int_equal(mkdir("half", 0), 0);
	refused("file", -ENOTDIR, "there is something else than a directory");
	refused("link", -ELOOP, "there is a symbolic link; name the place that is meant");
	refused("dangling", -ELOOP, "there is a symbolic link; name the place that is meant");
	refused("half", -EBUSY,
		"a directory of mode 0 is there, as a start leaves it that was killed while it made it; "
		"remove it");
	refused("none/run", -ENOENT, "No such file or directory");
	refused("file/run", -ENOTDIR, "Not a directory");
	assert_int_equal(mode_of("none"), 0);
}

/* All that was made goes, if one cannot be. */
static void all_or_nothing(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct outputs *outputs = NULL;
	struct error err = { 0 };
	struct policy *policy;

	(void)state;
	assert_true(asprintf(&text,
			     "{\"version\": 1, \"name\": \"p\", \"filesystem\": {\"rules\": ["
			     "{\"path\": \"%s/a\", \"access\": \"write\", \"create\": true},\n"
			     "{\"id\": \"run\", \"path\": \"%s/none/b\", \"access\": \"write\", \"create\": true}]}}",
			     folder, folder) > 0);
	policy = parse_good(text, NULL);
	expect_refusal(outputs_make_own(policy, &err, &outputs), &err, -ENOENT, "none/b",
		       "No such file or directory");
	policy_free(policy);
	assert_int_equal(mode_of("a"), 0);
}

/* Root makes nothing for others where somebody else could put a link in the way. */
static void only_in_places_of_roots(void **state)
{
	struct policy *policy = policy_for("run");
	const struct output_owner owner = { geteuid(), getegid() };
	struct outputs *outputs = NULL;
	struct error err = { 0 };
	_cleanup_free_ char *why = NULL;

	(void)state;
	if (!geteuid())
		assert_int_equal(chown(folder, 1001, 0), 0);
	assert_true(asprintf(&why,
			     "\"%s\" on the way to it is not root's, so root makes nothing there for a job: "
			     "make it before the job starts, or where only root can rename",
			     strrchr(folder, '/') + 1) > 0);
	expect_refusal(outputs_make(policy, &owner, &err, &outputs), &err, -EPERM, "run", why);
	assert_int_equal(mode_of("run"), 0);
	err = (struct error){ 0 };
	expect_refusal(outputs_make(policy, NULL, &err, &outputs), &err, -EINVAL, "run",
		       "it does not exist, and nobody has said which user the job runs as (--user)");
	/* What is there is no matter of whose it is. */
	assert_int_equal(mkdir("run", 0700), 0);
	assert_int_equal(outputs_make(policy, NULL, &err, &outputs), 0);
	outputs_free(outputs);
	policy_free(policy);
}

static int code_of_places(const char *name)
{
	struct policy *policy = policy_for(name);
	struct error err = { 0 };
	struct places *places = places_walk(policy, &err);
	int r = places_check(places, &err);

	places_free(places);
	policy_free(policy);
	return r;
}

/* Also when paths are looked at again, and whoever has put a link there. */
static void rule_follows_no_link(void **state)
{
	(void)state;
	assert_int_equal(mkdir("dir", 0755), 0);
	assert_int_equal(mkdir("dir/run", 0755), 0);
	assert_int_equal(symlink("dir", "way"), 0);
	assert_int_equal(symlink("dir", "link"), 0);
	write_file("file", "x");
	assert_int_equal(code_of_places("dir"), 0);
	assert_int_equal(code_of_places("way/run"), 0);
	assert_int_equal(code_of_places("link"), -ELOOP);
	assert_int_equal(code_of_places("file"), -ENOTDIR);
	assert_int_equal(code_of_places("none"), -ENOENT);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(made_and_kept),
		IN_FOLDER(group_and_mode_are_the_makers),
		IN_FOLDER(removed_unless_kept),
		IN_FOLDER(what_is_in_use_stays),
		IN_FOLDER(another_directory_stays),
		IN_FOLDER(found_by_another_start),
		IN_FOLDER(what_is_there_is_left),
		IN_FOLDER(what_is_no_directory_is_refused),
		IN_FOLDER(all_or_nothing),
		IN_FOLDER(only_in_places_of_roots),
		IN_FOLDER(rule_follows_no_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
