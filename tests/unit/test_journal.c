// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A controller that is killed while it writes: whoever comes next goes on exactly where the file ends, however many of the events
 * of a step are in it. What is killed here is only said to be: its progress, as it was at that point, and the file, cut there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert/record.h"
#include "base/cleanup.h"
#include "daemon/controller.h"
#include "daemon/journal.h"

#define ID "job-1"
#define STEP 5

struct place {
	char dir[64], file[96];
	struct job_progress progress;
	struct controller controller;
	struct job job;
	struct watch watch;
};

/* As a process begins: all but progress and file is new. */
static void begin(struct place *place)
{
	struct error err = { 0 };

	place->controller = (struct controller){ 0 };
	place->job = (struct job){ .id = (char *)ID, .alerts = place->file, .start_ms = 1 };
	place->job.state.progress = &place->progress;
	place->watch = (struct watch){ .controller = &place->controller, .job = &place->job };
	assert_int_equal(sinks_new(&err, &place->controller.sinks), 0);
	assert_int_equal(sinks_use(place->controller.sinks, place->file, &err, &place->watch.sink), 0);
	place->watch.tally = tally_new();
	journal_adopt(&place->watch);
}

static void end(struct place *place)
{
	sinks_release(place->controller.sinks, place->watch.sink);
	sinks_free(place->controller.sinks);
	tally_unref(place->watch.tally);
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->dir, "/tmp/jobcage-journal-XXXXXX");
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->file, sizeof(place->file), "%s/alerts.jsonl", place->dir);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->file);
	rmdir(place->dir);
	free(place);
	return 0;
}

/* One record becomes an event, or is one that was told already. */
static void see_record(struct place *place)
{
	json_auto_t *event = NULL;
	struct line *line;

	if (place->watch.skip) {
		place->watch.skip--;
		return;
	}
	event = json_pack("{s:I, s:{s:s, s:I}}", "time", (json_int_t)2, "metadata", "correlation_uid", ID,
			  "sequence", (json_int_t)journal_next(&place->watch));
	assert_int_equal(line_new(event, &line), 0);
	journal_step(&place->watch)->delivered++;
	assert_true(journal_put(&place->watch, line));
}

static uint64_t last_in_file(const struct place *place)
{
	uint64_t last = 0;

	record_last(place->file, ID, 1, &last);
	return last;
}

/* Leaves so many lines of the file, and half of the next. */
static void cut(const struct place *place, size_t lines, bool is_half)
{
	_cleanup_file_ FILE *in = fopen(place->file, "re");
	char line[4096];
	long size = 0;

	while (lines-- && fgets(line, sizeof(line), in))
		size = ftell(in);
	if (is_half && fgets(line, sizeof(line), in))
		size += strlen(line) / 2;
	assert_int_equal(truncate(place->file, size), 0);
}

/* The numbers in the file are 1 to cnt, each once. */
static void expect_numbers(const struct place *place, uint64_t cnt)
{
	_cleanup_file_ FILE *in = fopen(place->file, "re");
	char line[4096];
	uint64_t next = 1;

	while (fgets(line, sizeof(line), in)) {
		json_auto_t *event = json_loads(line, 0, NULL);

		if (event)
			assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "metadata"), "sequence")),
					 next++);
	}
	assert_int_equal(next, cnt + 1);
}

/* Of 2 + STEP records the first two are done with; of the others so many were written. */
static void kill_and_go_on(struct place *place, size_t written, bool is_half)
{
	struct job_progress before;

	begin(place);
	see_record(place);
	see_record(place);
	journal_commit(&place->watch);
	before = place->progress;
	for (int i = 0; i < STEP; i++)
		see_record(place);
	journal_commit(&place->watch);
	assert_int_equal(last_in_file(place), 2 + STEP);
	end(place);

	place->progress.now = before.now;
	place->progress.step_state = STEP_WRITING;
	cut(place, 2 + written, is_half);
	begin(place);
	assert_int_equal(place->progress.now.sequence, 2 + written);
	assert_int_equal(place->progress.now.delivered, 2 + written);
	/* Without a ring that says where it stands, what was written is passed over. */
	for (size_t i = written == STEP ? STEP : 0; i < STEP; i++)
		see_record(place);
	journal_commit(&place->watch);
	assert_int_equal(place->progress.now.sequence, 2 + STEP);
	assert_int_equal(place->progress.now.delivered, 2 + STEP);
	assert_int_equal(place->progress.now.skip, 0);
	assert_int_equal(place->progress.write_failures, 0);
	end(place);
	expect_numbers(place, 2 + STEP);
	unlink(place->file);
	place->progress = (struct job_progress){ 0 };
}

static void test_killed(void **state)
{
	for (size_t written = 0; written <= STEP; written++) {
		kill_and_go_on(*state, written, false);
		kill_and_go_on(*state, written, true);
	}
}

/* Killed again and again, with one more line in the file each time. */
static void test_killed_again(void **state)
{
	struct place *place = *state;

	begin(place);
	for (int i = 0; i < STEP; i++)
		see_record(place);
	journal_commit(&place->watch);
	end(place);
	place->progress.now = (struct job_progress_step){ 0 };
	place->progress.step_state = STEP_WRITING;
	cut(place, 1, false);
	for (uint64_t written = 1; written < STEP; written++) {
		struct job_progress_step now;

		begin(place);
		now = place->progress.now;
		assert_int_equal(now.sequence, written);
		assert_int_equal(now.skip, written);
		for (int i = 0; i < STEP; i++)
			see_record(place);
		journal_commit(&place->watch);
		end(place);
		place->progress.now = now;
		place->progress.step_state = STEP_WRITING;
		cut(place, written + 1, false);
	}
	begin(place);
	assert_int_equal(place->progress.now.sequence, STEP);
	assert_int_equal(place->progress.now.delivered, STEP);
	end(place);
	expect_numbers(place, STEP);
}

/* Before the step was complete: nobody has looked at it, and nothing comes of it. */
static void test_not_begun(void **state)
{
	struct place *place = *state;

	begin(place);
	see_record(place);
	journal_commit(&place->watch);
	journal_step(&place->watch)->malformed++;
	journal_step(&place->watch)->is_ended = 1;
	end(place);
	begin(place);
	assert_int_equal(place->progress.now.sequence, 1);
	assert_int_equal(place->progress.now.malformed, 0);
	assert_int_equal(place->progress.now.is_ended, 0);
	end(place);
}

/* While it was being copied: all of it is in the file, or waits; it is copied again. */
static void test_taking(void **state)
{
	struct place *place = *state;
	struct job_progress before;

	begin(place);
	see_record(place);
	before = place->progress;
	journal_commit(&place->watch);
	end(place);
	place->progress.now = before.now;
	place->progress.step_state = STEP_TAKING;
	begin(place);
	assert_int_equal(place->progress.now.sequence, 1);
	assert_int_equal(place->progress.step_state, STEP_NONE);
	end(place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_killed),
		TEST(test_killed_again),
		TEST(test_not_begun),
		TEST(test_taking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
