// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * error: a code and a sentence, whole or cut, never lost and never past its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/error.h"

/* Longer than any sentence may be. */
static char long_text[2 * ERROR_TEXT_MAX];

static int setup(void **state)
{
	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	return 0;
}

static void fill(struct error *err)
{
	memset(err, 0xa5, sizeof(*err));
}

static void test_set(void **state)
{
	struct error err;

	(void)state;
	fill(&err);
	assert_int_equal(error_set(&err, -EPERM, "%s at line %d", "trouble", 7), -EPERM);
	assert_int_equal(err.code, -EPERM);
	assert_string_equal(err.text, "trouble at line 7");
}

static void test_set_again_replaces(void **state)
{
	struct error err = { 0 };

	(void)state;
	error_set(&err, -EPERM, "the first, which is the longer of the two");
	error_set(&err, -EIO, "the second");
	assert_int_equal(err.code, -EIO);
	assert_string_equal(err.text, "the second");
}

static void test_errno_says_what_it_means(void **state)
{
	struct error err;

	(void)state;
	fill(&err);
	assert_int_equal(error_errno(&err, -ENOENT, "cannot open %s", "/x"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "cannot open /x: No such file or directory");
}

/* errno may have changed since. */
static void test_errno_goes_by_code(void **state)
{
	struct error err = { 0 };

	(void)state;
	errno = EACCES;
	error_errno(&err, -EEXIST, "x");
	assert_string_equal(err.text, "x: File exists");
}

static void test_prefix(void **state)
{
	struct error err = { 0 };

	(void)state;
	error_set(&err, -EINVAL, "inner");
	assert_int_equal(error_prefix(&err, "middle %d", 2), -EINVAL);
	assert_int_equal(error_prefix(&err, "outer"), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, "outer: middle 2: inner");
}

static void test_percent_signs_are_data(void **state)
{
	struct error err = { 0 };

	(void)state;
	error_set(&err, -EINVAL, "%s", "100%s %n");
	assert_string_equal(err.text, "100%s %n");
	error_prefix(&err, "at");
	assert_string_equal(err.text, "at: 100%s %n");
}

static void test_nobody_wants_it(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, -EPERM, "%d", 1), -EPERM);
	assert_int_equal(error_errno(NULL, -ENOENT, "%d", 1), -ENOENT);
	assert_int_equal(error_prefix(NULL, "%d", 1), 0);
}

static void test_long_sentences_are_cut(void **state)
{
	struct error err;

	(void)state;
	fill(&err);
	assert_int_equal(error_set(&err, -E2BIG, "%s", long_text), -E2BIG);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	fill(&err);
	assert_int_equal(error_errno(&err, -ENOENT, "%s", long_text), -ENOENT);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_int_equal(error_prefix(&err, "%s", long_text), -ENOENT);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
}

/* What is said first is kept, what was there gives way. */
static void test_prefix_pushes_out_the_end(void **state)
{
	struct error err = { 0 };

	(void)state;
	error_set(&err, -E2BIG, "%s", long_text);
	error_prefix(&err, "reading %s", "policy.json");
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "reading policy.json: xxx",
			    strlen("reading policy.json: xxx"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_again_replaces),
		cmocka_unit_test(test_errno_says_what_it_means),
		cmocka_unit_test(test_errno_goes_by_code),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_percent_signs_are_data),
		cmocka_unit_test(test_nobody_wants_it),
		cmocka_unit_test(test_long_sentences_are_cut),
		cmocka_unit_test(test_prefix_pushes_out_the_end),
	};

	return cmocka_run_group_tests_name("error", tests, setup, NULL);
}
