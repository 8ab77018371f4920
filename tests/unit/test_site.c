// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The site file: what it registers, and every mistake in it. */
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
		      MUST("1:16", "unknown key 'datset'; did you mean 'datasets'?")
		      MUST("1:1", "a site file needs the key 'datasets'"));
	expect_mistakes("{\"version\": 3, \"datasets\": {}}",
		      MUST("1:28", "'datasets' must be a list, not an object")
		      MUST("1:13", "version 3 is unknown to this jobcage, which reads version 1"));
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

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(good),     in_folder(nothing_registered), in_folder(absent),
		in_folder(mistakes), in_folder(duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
