// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is written as text is what jansson would have written of the same, byte by byte; and what fails, fails whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/json_out.h"
#include "alert/text.h"
#include "base/cleanup.h"

#define RANDOM_STRINGS 200000

static void expect(struct json_out *out, const char *expected)
{
	assert_int_equal(out_finish(out), 0);
	assert_string_equal(out->text, expected);
	assert_int_equal(out->len, strlen(expected));
	out_free(out);
}

static void write_all(struct json_out *out)
{
	out_open(out, NULL);
	out_int(out, "zero", 0);
	out_open(out, "empty");
	out_close(out);
	out_open_list(out, "list");
	out_int(out, NULL, INT64_MIN);
	out_int(out, NULL, INT64_MAX);
	out_word(out, NULL, "w");
	out_open(out, NULL);
	out_bool(out, "yes", true);
	out_bool(out, "no", false);
	out_close(out);
	out_open_list(out, NULL);
	out_close_list(out);
	out_close_list(out);
	out_text(out, "none", NULL);
	out_text_span(out, "span", "/srv/data", 4);
	out_begin_string(out, "pieces");
	out_add(out, "a:");
	out_add_uint(out, UINT64_MAX);
	out_addf(out, ":%02x", 10);
	out_end_string(out);
	out_close(out);
}

static void test_members(void **state)
{
	struct json_out out = { 0 };

	(void)state;
	write_all(&out);
	expect(&out, "{\"zero\":0,\"empty\":{},\"list\":[-9223372036854775808,9223372036854775807,\"w\","
		     "{\"yes\":true,\"no\":false},[]],\"span\":\"/srv\",\"pieces\":\"a:18446744073709551615:0a\"}");
}

/* As json_dumps() without flags has it, which is how messages show what a policy needs. */
static void test_spaced(void **state)
{
	struct json_out out = { .is_spaced = true };
	_cleanup_free_ char *dumped = NULL;
	json_auto_t *tree = NULL;

	(void)state;
	write_all(&out);
	assert_int_equal(out_finish(&out), 0);
	tree = json_loads(out.text, JSON_REJECT_DUPLICATES, NULL);
	dumped = json_dumps(tree, 0);
	assert_string_equal(out.text, dumped);
	out_free(&out);
}

/* What a value ends with must not pass for the beginning of an object or list. */
static void test_commas_after_brackets_in_strings(void **state)
{
	struct json_out out = { 0 };

	(void)state;
	out_open(&out, NULL);
	out_word(&out, "a", "{");
	out_word(&out, "b", "[");
	out_text(&out, "c", "{");
	out_int(&out, "d", 1);
	out_close(&out);
	expect(&out, "{\"a\":\"{\",\"b\":\"[\",\"c\":\"{\",\"d\":1}");
}

/* --- strings ---------------------------------------------------------------------------------- */

static void expect_like_jansson(struct json_out *out, json_t *string)
{
	_cleanup_free_ char *dumped = json_dumps(string, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(dumped);
	expect(out, dumped);
	json_decref(string);
}

static void check_string(const char *text)
{
	struct json_out out = { 0 };

	out_string(&out, NULL, text);
	if (text_is_utf8(text)) {
		expect_like_jansson(&out, json_string(text));
		return;
	}
	assert_null(json_string(text));
	assert_int_equal(out_finish(&out), -EILSEQ);
	out_free(&out);
}

static void check_text(const char *raw)
{
	_cleanup_free_ char *quoted = text_quote(raw), *always = text_quote_always(raw);
	struct json_out out = { 0 };

	out_text(&out, NULL, raw);
	expect_like_jansson(&out, text_json(raw));
	out_begin_string(&out, NULL);
	out_add_name(&out, raw, QUOTES_IF_NEEDED);
	out_end_string(&out);
	expect_like_jansson(&out, json_string(quoted));
	out_begin_string(&out, NULL);
	out_add_name(&out, raw, QUOTES_ALWAYS);
	out_end_string(&out);
	expect_like_jansson(&out, json_string(always));
}

static void test_every_byte(void **state)
{
	(void)state;
	check_string("");
	check_text("");
	for (int first = 1; first < 256; first++)
		for (int second = 0; second < 256; second++) {
			const char text[] = { (char)first, (char)second, '\0' };

			check_string(text);
			check_text(text);
		}
}

/* Bytes that matter more often than others: ends of ranges, leads and followers of UTF-8, signs of JSON. */
static char random_byte(void)
{
	static const unsigned char likely[] = { '"',  '\\', '/',  '\n', 0x1f, 0x7f, 0x80, 0xbf, 0xc2, 0xc3, 0xe2, 0xe0,
						0xed, 0xef, 0xf0, 0xf4, 0x9f, 0xa0, 0x8f, 0x90, 0xff, '{',  'a',	' ' };
	unsigned int choice = rand() % 4;

	if (!choice)
		return (char)(1 + rand() % 255);
	if (choice == 1)
		return (char)likely[rand() % sizeof(likely)];
	return (char)(' ' + rand() % 95);
}

static void test_random_strings(void **state)
{
	char text[48];

	(void)state;
	srand(7);
	for (int i = 0; i < RANDOM_STRINGS; i++) {
		size_t len = rand() % sizeof(text);

		for (size_t at = 0; at < len; at++)
			text[at] = random_byte();
		text[len] = '\0';
		check_string(text);
		check_text(text);
	}
}

/* --- room and errors -------------------------------------------------------------------------- */

static void test_long(void **state)
{
	const size_t len = 300000;
	_cleanup_free_ char *raw = malloc(len + 1);
	struct json_out out = { 0 };

	(void)state;
	memset(raw, '\x01', len);
	raw[len] = '\0';
	out_text(&out, NULL, raw);
	assert_int_equal(out_finish(&out), 0);
	assert_int_equal(out.len, 2 + len * strlen("\\\\x01"));
	out_free(&out);
}

/* The first error is the one that is told, and nothing is written after it. */
static void test_errors_stay(void **state)
{
	struct json_out out = { 0 };
	size_t len;

	(void)state;
	out_open(&out, NULL);
	out_fail(&out, -ENOMEM);
	len = out.len;
	out_string(&out, "a", "\xff");
	out_int(&out, "b", 1);
	out_close(&out);
	assert_int_equal(out.len, len);
	assert_int_equal(out_finish(&out), -ENOMEM);
	out_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_spaced),
		cmocka_unit_test(test_commas_after_brackets_in_strings),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_random_strings),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_errors_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
