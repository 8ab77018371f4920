// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a log file says of a job's last event: whole lines of this job only, also in the file that was rotated away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/record.h"

#define SINCE_MS 1000

static char dir[] = "/tmp/jobcage-record-XXXXXX";
static char path[64], rotated[96];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/jobcage-record-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(rotated, sizeof(rotated), "%s.%012d", path, 7);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(rotated);
	return rmdir(dir);
}

static void put(const char *file, const char *text)
{
	FILE *stream = fopen(file, "a");

	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
}

static void put_event(const char *file, const char *job, int time, int sequence)
{
	char text[256];

	snprintf(text, sizeof(text), "{\"time\":%d,\"metadata\":{\"correlation_uid\":\"%s\",\"sequence\":%d}}\n", time,
		 job, sequence);
	put(file, text);
}

static void expect(const char *job, int code, uint64_t sequence)
{
	uint64_t last = 0;

	assert_int_equal(record_last(path, job, SINCE_MS, &last), code);
	assert_int_equal(last, sequence);
}

static void test_the_last_line_of_the_job(void **state)
{
	(void)state;
	put_event(path, "a", 1000, 1);
	put_event(path, "a", 1001, 2);
	expect("a", 0, 2);
	put_event(path, "ab", 1001, 5);
	expect("a", 0, 2);
	expect("b", -ENOENT, 0);
}

static void test_a_fragment_does_not_count(void **state)
{
	(void)state;
	put_event(path, "a", 1000, 1);
	put(path, "{\"time\":1001,\"metadata\":{\"correlation_uid\":\"a\",\"sequence\":2}");
	expect("a", 0, 1);
	put(path, "\n"); /* the next writer's */
	expect("a", 0, 1);
	put_event(path, "a", 1001, 2);
	put(path, "{\"time\":1001,\"metadata\":{\"correlation_uid\":\"a\",\"sequence\":3}}");
	expect("a", 0, 2);
}

static void test_lines_that_only_speak_of_it(void **state)
{
	(void)state;
	put_event(path, "a", 1000, 4);
	put(path, "{\"time\":1001,\"metadata\":{\"sequence\":9},\"message\":\"a\"}\n\n[\"a\"]\na\n");
	expect("a", 0, 4);
}

static void test_an_earlier_job_of_that_id(void **state)
{
	(void)state;
	put_event(path, "a", SINCE_MS - 1, 4);
	expect("a", -ENOENT, 0);
}

static void test_rotated_away(void **state)
{
	(void)state;
	put_event(rotated, "a", 1000, 3);
	put_event(path, "b", 1000, 1);
	expect("a", 0, 3);
	put_event(path, "a", 1000, 4);
	expect("a", 0, 4);
}

static void test_behind_much_that_is_others(void **state)
{
	(void)state;
	put_event(path, "a", 1000, 3);
	for (int i = 0; i < 100000; i++)
		put_event(path, "b", 1000, i + 1);
	expect("a", 0, 3);
	expect("b", 0, 100000);
}

static void test_no_file(void **state)
{
	(void)state;
	expect("a", -ENOENT, 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect("a", -EINVAL, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_the_last_line_of_the_job),
		TEST(test_a_fragment_does_not_count),
		TEST(test_lines_that_only_speak_of_it),
		TEST(test_an_earlier_job_of_that_id),
		TEST(test_rotated_away),
		TEST(test_behind_much_that_is_others),
		TEST(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
