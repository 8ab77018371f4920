// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A policy's limits: durations, sizes and counts, and every mistake in them at its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\",\n"
#define ENVIRONMENT(members) HEAD "\"environment\": {" members "}}"
#define LIMITS(members) HEAD "\"limits\": {" members "}}"
#define MUST(place, text) "p.json:" place ": error: " text "\n"

static uint64_t scratch_bytes(const char *text)
{
	struct policy *policy = parse_good(text, NULL);
	uint64_t bytes = policy->limits.scratch_bytes;

	policy_free(policy);
	return bytes;
}

static void scratch_is_never_without_limit(void **state)
{
	(void)state;
	assert_int_equal(scratch_bytes(ENVIRONMENT("\"private\": [\"/tmp\"]")), 1ULL << 30);
	assert_int_equal(scratch_bytes(ENVIRONMENT("\"scratch\": \"/s\"")),
			 LIMIT_SCRATCH_DEFAULT);
	assert_int_equal(scratch_bytes(ENVIRONMENT("\"hide\": [\"/home\"]")), 0);
	assert_int_equal(scratch_bytes(HEAD "\"environment\": {\"scratch\": \"/s\"},\n"
					    "\"limits\": {\"scratch\": \"1B\"}}"), 1);
}

static void idle_scratch_limit_warns(void **state)
{
	static const char text[] = HEAD "\"environment\": {\"hide\": [\"/home\"]},\n"
					"\"limits\": {\"scratch\": \"1GB\"}}";
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	_cleanup_free_ char *printed = NULL;

	(void)state;
	assert_int_equal(policy_parse(text, strlen(text), "p.json", NULL, &diags, &policy), 0);
	printed = diags_text(&diags);
	assert_string_equal(printed, "p.json:3:23: warning: limits.scratch limits nothing: the "
				     "environment has neither 'private' nor 'scratch'\n");
	policy_free(policy);
}

static uint64_t runtime_ms(const char *duration)
{
	_cleanup_free_ char *text = NULL;
	struct policy *policy;
	uint64_t ms;

	assert_true(asprintf(&text, LIMITS("\"runtime\": \"%s\""), duration) > 0);
	policy = parse_good(text, NULL);
	ms = policy->limits.runtime_ms;
	policy_free(policy);
	return ms;
}

static void durations(void **state)
{
	(void)state;
	assert_int_equal(runtime_ms("1s"), 1000);
	assert_int_equal(runtime_ms("90s"), 90 * 1000);
	assert_int_equal(runtime_ms("15m"), 15 * 60 * 1000);
	assert_int_equal(runtime_ms("24h"), 24 * 3600 * 1000);
	assert_int_equal(runtime_ms("7d"), 7 * 24 * 3600 * 1000);
	assert_int_equal(runtime_ms("1d2h3m4s"), ((26 * 60 + 3) * 60 + 4) * 1000);
	assert_int_equal(runtime_ms("1h0m"), 3600 * 1000);
	assert_int_equal(runtime_ms("2d30s"), (2 * 24 * 3600 + 30) * 1000);
	assert_int_equal(runtime_ms("36500d"), LIMIT_RUNTIME_MS_MAX);
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "1B", 1 },
		{ "1kB", 1000 },
		{ "3MB", 3000000 },
		{ "20GB", 20000000000 },
		{ "1TB", 1000000000000 },
		{ "1KiB", 1024 },
		{ "512MiB", 512ULL << 20 },
		{ "20GiB", 20ULL << 30 },
		{ "2TiB", 2ULL << 40 },
		{ "8388607TiB", 8388607ULL << 40 },
		{ "9223372036854775807B", INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;

		assert_true(asprintf(&text, HEAD "\"environment\": {\"scratch\": \"/s\"}, "
						 "\"limits\": {\"scratch\": \"%s\"}}",
				     cases[i].text) > 0);
		assert_int_equal(scratch_bytes(text), cases[i].bytes);
	}
}

/* Mistakes */

struct mistake {
	const char *text;
	const char *want;
};

static void check_all(const struct mistake *mistakes, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		expect_parse_errors(mistakes[i].text, NULL, mistakes[i].want);
}

static void keys_and_types(void **state)
{
	static const struct mistake mistakes[] = {
		{ LIMITS("\"run_time\": \"1h\", \"egress_bytes\": 50,\n"
			 "\"runtime\": 3600, \"processes\": \"4\", \"scratch\": 1024"),
		  MUST("2:12", "unknown key 'run_time'; did you mean 'runtime'?")
		  MUST("2:46", "'egress_bytes' must be a string, not a whole number")
		  MUST("3:12", "'runtime' must be a string, not a whole number")
		  MUST("3:31", "'processes' must be a whole number, not a string")
		  MUST("3:47", "'scratch' must be a string, not a whole number") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

#define BAD_DURATION(text) \
	"bad duration '" text "'; write it like \"90s\", \"15m\", \"24h\", \"7d\" or \"1h30m\""
#define NO_LIMIT(text, key) \
	"'" text "' is nothing at all; leave '" key "' out where there is to be no limit"

static void bad_durations(void **state)
{
	static const char *const texts[] = { "",     "90",   "h",   "1 h",   "24H",  "-1s",
					     "1.5h", "01h",  "1ms", "30m1h", "1h1h", "1h30",
					     "1hm",  "1h-1m", "+1s", "1s ",  " 1s" };
	static const struct mistake mistakes[] = {
		{ LIMITS("\"runtime\": \"0s\""), MUST("2:23", NO_LIMIT("0s", "runtime")) },
		{ LIMITS("\"runtime\": \"0d0h\""), MUST("2:23", NO_LIMIT("0d0h", "runtime")) },
		{ LIMITS("\"runtime\": \"36501d\""),
		  MUST("2:23", "'36501d' is too much: at most 36500d") },
		{ LIMITS("\"runtime\": \"36500d1s\""),
		  MUST("2:23", "'36500d1s' is too much: at most 36500d") },
		{ LIMITS("\"runtime\": \"99999999999999999999999s\""),
		  MUST("2:23", "'99999999999999999999999s' is too much: at most 36500d") },
		{ LIMITS("\"runtime\": \"213503982335d18446744073709551615s\""),
		  MUST("2:23", "'213503982335d18446744073709551615s' is too much: "
			       "at most 36500d") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *text = NULL, *want = NULL;

		assert_true(asprintf(&text, LIMITS("\"runtime\": \"%s\""), texts[i]) > 0);
		assert_true(asprintf(&want, MUST("2:23", BAD_DURATION("%s")), texts[i]) > 0);
		expect_parse_errors(text, NULL, want);
	}
}

#define BAD_SIZE(text) \
	"bad size '" text "'; write it like \"512MiB\" or \"20GB\": a whole number and B, kB, " \
	"MB, GB, TB, KiB, MiB, GiB or TiB"

static void bad_sizes(void **state)
{
	static const char *const texts[] = { "",      "20",     "GiB", "20G",  "1.5GiB", "-1GiB",
					     "1 GiB", "01GiB",  "1PB", "1GiB ", "0x1kB", "1k" };
	static const struct mistake mistakes[] = {
		{ LIMITS("\"scratch\": \"20gib\""),
		  MUST("2:23", "bad size '20gib'; did you mean \"20GiB\"?") },
		{ LIMITS("\"scratch\": \"4KB\""),
		  MUST("2:23", "bad size '4KB'; did you mean \"4kB\"?") },
		{ LIMITS("\"scratch\": \"0TB\""), MUST("2:23", NO_LIMIT("0TB", "scratch")) },
		{ LIMITS("\"scratch\": \"8388608TiB\""),
		  MUST("2:23", "'8388608TiB' is too much: at most 8388607TiB") },
		{ LIMITS("\"scratch\": \"16777217TiB\""), /* 2^64 and a little */
		  MUST("2:23", "'16777217TiB' is too much: at most 8388607TiB") },
		{ LIMITS("\"scratch\": \"18446744073709551617B\""),
		  MUST("2:23", "'18446744073709551617B' is too much: at most 8388607TiB") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *text = NULL, *want = NULL;

		assert_true(asprintf(&text, LIMITS("\"scratch\": \"%s\""), texts[i]) > 0);
		assert_true(asprintf(&want, MUST("2:23", BAD_SIZE("%s")), texts[i]) > 0);
		expect_parse_errors(text, NULL, want);
	}
}

static void bad_counts(void **state)
{
	static const struct mistake mistakes[] = {
		{ LIMITS("\"processes\": 0"), MUST("2:25", "'processes' must be 1 to 4194304") },
		{ LIMITS("\"processes\": -1"), MUST("2:25", "'processes' must be 1 to 4194304") },
		{ LIMITS("\"processes\": 4194305"),
		  MUST("2:25", "'processes' must be 1 to 4194304") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scratch_is_never_without_limit),
		cmocka_unit_test(idle_scratch_limit_warns),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(keys_and_types),
		cmocka_unit_test(bad_durations),
		cmocka_unit_test(bad_sizes),
		cmocka_unit_test(bad_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
