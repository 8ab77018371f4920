// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * diag: everything found is kept, in order, with its place, and printed one line each.
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
#include "base/diag.h"

/* What diag_print() writes. Free it. */
static char *printed(const struct diag_list *list)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	diag_print(list, out);
	fclose(out);
	return text;
}

static void test_empty(void **state)
{
	struct diag_list list = { 0 };
	_cleanup_free_ char *text = printed(&list);

	(void)state;
	assert_string_equal(text, "");
	diag_free(&list);
	assert_null(list.items);
}

static void test_kept_in_order_with_their_places(void **state)
{
	struct diag_list list = { 0 };

	(void)state;
	diag_add(&list, DIAG_ERROR, (struct origin){ "b.json", 12, 7 }, "unknown key \"%s\"",
		 "exce");
	diag_add(&list, DIAG_WARNING, (struct origin){ "a.json", 1, 1 }, "%d rules", 2);
	assert_int_equal(list.cnt, 2);
	assert_int_equal(list.items[0].level, DIAG_ERROR);
	assert_string_equal(list.items[0].origin.file, "b.json");
	assert_int_equal(list.items[0].origin.line, 12);
	assert_int_equal(list.items[0].origin.column, 7);
	assert_string_equal(list.items[0].text, "unknown key \"exce\"");
	assert_string_equal(list.items[1].text, "2 rules");
	diag_free(&list);
}

static void test_only_errors_count_as_errors(void **state)
{
	struct diag_list list = { 0 };

	(void)state;
	diag_add(&list, DIAG_WARNING, (struct origin){ "a", 1, 1 }, "w");
	assert_int_equal(list.error_cnt, 0);
	diag_add(&list, DIAG_ERROR, (struct origin){ "a", 1, 1 }, "e");
	diag_add(&list, DIAG_ERROR, (struct origin){ "a", 2, 1 }, "e");
	assert_int_equal(list.error_cnt, 2);
	assert_int_equal(list.cnt, 3);
	diag_free(&list);
}

/* The file's name belongs to a document that may be gone when the list is printed. */
static void test_file_name_is_a_copy(void **state)
{
	struct diag_list list = { 0 };
	char name[] = "gone.json";

	(void)state;
	diag_add(&list, DIAG_ERROR, (struct origin){ name, 1, 1 }, "x");
	memset(name, '!', sizeof(name) - 1);
	assert_string_equal(list.items[0].origin.file, "gone.json");
	diag_free(&list);
}

static void test_print(void **state)
{
	struct diag_list list = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	diag_add(&list, DIAG_ERROR, (struct origin){ "p.json", 3, 9 }, "expected a list");
	diag_add(&list, DIAG_WARNING, (struct origin){ "p.json", 4, 1 }, "no rule");
	text = printed(&list);
	assert_string_equal(text, "p.json:3:9: error: expected a list\n"
				  "p.json:4:1: warning: no rule\n");
	diag_free(&list);
}

static void test_print_without_a_place(void **state)
{
	struct diag_list list = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	diag_add(&list, DIAG_ERROR, (struct origin){ "p.json", 0, 0 }, "cannot read");
	diag_add(&list, DIAG_ERROR, (struct origin){ 0 }, "standard input");
	text = printed(&list);
	assert_string_equal(text, "p.json: error: cannot read\n"
				  "-: error: standard input\n");
	diag_free(&list);
}

static void test_percent_signs_are_data(void **state)
{
	struct diag_list list = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	diag_add(&list, DIAG_ERROR, (struct origin){ "100%s.json", 1, 1 }, "%s", "%n%d");
	text = printed(&list);
	assert_string_equal(text, "100%s.json:1:1: error: %n%d\n");
	diag_free(&list);
}

static void test_text_of_any_length(void **state)
{
	struct diag_list list = { 0 };
	char long_text[10000];

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	diag_add(&list, DIAG_ERROR, (struct origin){ "a", 1, 1 }, "<%s>", long_text);
	assert_int_equal(strlen(list.items[0].text), sizeof(long_text) - 1 + 2);
	diag_free(&list);
}

static void test_many(void **state)
{
	struct diag_list list = { 0 };

	(void)state;
	for (unsigned int i = 1; i <= 1000; i++)
		diag_add(&list, DIAG_ERROR, (struct origin){ "a", i, 1 }, "number %u", i);
	assert_int_equal(list.cnt, 1000);
	assert_int_equal(list.error_cnt, 1000);
	assert_int_equal(list.items[999].origin.line, 1000);
	assert_string_equal(list.items[999].text, "number 1000");
	diag_free(&list);
}

static void test_free_leaves_it_usable(void **state)
{
	struct diag_list list = { 0 };

	(void)state;
	diag_add(&list, DIAG_ERROR, (struct origin){ "a", 1, 1 }, "x");
	diag_free(&list);
	assert_int_equal(list.cnt, 0);
	assert_int_equal(list.error_cnt, 0);
	diag_free(&list);
	diag_add(&list, DIAG_ERROR, (struct origin){ "b", 1, 1 }, "y");
	assert_int_equal(list.cnt, 1);
	diag_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_kept_in_order_with_their_places),
		cmocka_unit_test(test_only_errors_count_as_errors),
		cmocka_unit_test(test_file_name_is_a_copy),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_print_without_a_place),
		cmocka_unit_test(test_percent_signs_are_data),
		cmocka_unit_test(test_text_of_any_length),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_free_leaves_it_usable),
	};

	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
