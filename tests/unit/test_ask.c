// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ask and named: words of a command line on their way into a request. One that a request cannot carry
 * is refused, and nothing is asked without it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/ask.h"
#include "cmd/named.h"
#include "command_fixture.h"
#include "policy_fixture.h"

#define BAD "a\xff"
#define BAD_SENTENCE "\"a\\xff\" is no UTF-8, which requests and alerts are made of"

static const struct command command = { .name = "test" };

static const char *string_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void adds_words(void **state)
{
	json_auto_t *members = json_object();
	struct error err = { 0 };

	(void)state;
	assert_int_equal(ask_add(members, "job", "j\xc3\xa4", &err), 0);
	assert_int_equal(ask_add(members, "empty", "", &err), 0);
	assert_string_equal(string_at(members, "job"), "j\xc3\xa4");
	assert_string_equal(string_at(members, "empty"), "");
	assert_int_equal(err.code, 0);
}

static void refuses_what_is_no_utf8(void **state)
{
	json_auto_t *members = json_object();
	struct error err = { 0 };

	(void)state;
	assert_int_equal(ask_add(members, "job", BAD, &err), -EILSEQ);
	assert_int_equal(err.code, -EILSEQ);
	assert_string_equal(err.text, BAD_SENTENCE);
	assert_int_equal(json_object_size(members), 0);
	assert_int_equal(ask_check("good", &err), 0);
	assert_int_equal(ask_check(BAD, &err), -EILSEQ);
}

static void says_that_memory_ran_out(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(ask_add(NULL, "job", "good", &err), -ENOMEM);
	assert_string_equal(err.text, "cannot ask the daemon: Cannot allocate memory");
}

static int ask_for(int argc, char **argv)
{
	json_t *answer = NULL;
	int status = ask_about(&command, "reload", argc > 1 ? argv[1] : NULL, &answer);

	assert_null(answer);
	return status;
}

/* 'reload' of a job that cannot be named would be one of all jobs. */
static void asks_nothing_without_the_word(void **state)
{
	(void)state;
	expect(run_command(ask_for, (const char *const[]){ "x", BAD, NULL }), EXIT_REFUSED, "",
	       "jobcage test: " BAD_SENTENCE "\n");
}

static void names_a_policy(void **state)
{
	json_auto_t *members = json_object();
	_cleanup_free_ char *path = NULL;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(named_policy(members, "digits", &err), 0);
	assert_string_equal(string_at(members, "policy"), "digits");
	assert_int_equal(named_policy(members, "p.json", &err), 0);
	assert_true(asprintf(&path, "%s/p.json", folder) > 0);
	assert_string_equal(string_at(members, "policy_file"), path);
	assert_int_equal(json_object_size(members), 2);
}

static void says_what_is_wrong_with_a_policy(void **state)
{
	json_auto_t *members = json_object();
	struct error err = { 0 };

	(void)state;
	assert_int_equal(named_policy(members, BAD, &err), -EILSEQ);
	assert_string_equal(err.text, BAD_SENTENCE);
	err = (struct error){ 0 };
	assert_int_equal(named_policy(members, "/" BAD ".json", &err), -EILSEQ);
	assert_string_equal(err.text,
			    "\"/a\\xff.json\" is no UTF-8, which requests and alerts are made of");
	assert_int_equal(json_object_size(members), 0);
}

static void tells_where_a_path_is(void **state)
{
	_cleanup_free_ char *from_root = NULL, *here = NULL, *expected = NULL;
	char *untouched = NULL;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(named_absolute("/a/b", &err, &from_root), 0);
	assert_string_equal(from_root, "/a/b");
	assert_int_equal(named_absolute("a/b", &err, &here), 0);
	assert_true(asprintf(&expected, "%s/a/b", folder) > 0);
	assert_string_equal(here, expected);
	/* The folder is gone from under the command. */
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(named_absolute("a", &err, &untouched), -ENOENT);
	assert_string_equal(err.text, "cannot tell where a is: No such file or directory");
	assert_null(untouched);
	assert_int_equal(mkdir(folder, 0700), 0);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(adds_words),
		in_folder(refuses_what_is_no_utf8),
		in_folder(says_that_memory_ran_out),
		in_folder(asks_nothing_without_the_word),
		in_folder(names_a_policy),
		in_folder(says_what_is_wrong_with_a_policy),
		in_folder(tells_where_a_path_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
