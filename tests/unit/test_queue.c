// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What waits for a sink: in order, and with room for each job, whatever another does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "alert/queue.h"

#define LINE_LEN 100
#define BOUND (100 * LINE_LEN)

static struct line *new_line(struct tally *tally)
{
	char text[LINE_LEN];
	struct line *line;

	memset(text, 'x', sizeof(text));
	assert_int_equal(line_of_text(text, sizeof(text), 1, 1000, "file_create", &line), 0);
	line_set_tally(line, tally);
	line->is_decision = true;
	return line;
}

/* Whether the queue had room for it. */
static bool put(struct queue *queue, struct tally *tally)
{
	struct line *line = new_line(tally);

	if (!queue_has_room(queue, line, BOUND)) {
		line_unref(line);
		return false;
	}
	assert_int_equal(queue_push(queue, (struct queued){ .line = line }), 0);
	return true;
}

/* Until no more is taken; how many were. */
static int flood(struct queue *queue, struct tally *const *tallies, int cnt)
{
	int taken = 0, before;

	do {
		before = taken;
		for (int i = 0; i < cnt; i++)
			taken += put(queue, tallies[i]);
	} while (taken > before);
	return taken;
}

static void test_order(void **state)
{
	struct tally *tally = tally_new();
	struct line *lines[40];
	struct queue queue = { 0 };

	(void)state;
	for (int i = 0; i < 40; i++)
		lines[i] = new_line(tally);
	for (int i = 1; i < 40; i++)
		assert_int_equal(queue_push(&queue, (struct queued){ .line = lines[i] }), 0);
	assert_int_equal(queue_push_front(&queue, (struct queued){ .line = lines[0] }), 0);
	assert_ptr_equal(queue_last(&queue)->line, lines[39]);
	line_unref(queue_pop_last(&queue).line);
	for (int i = 0; i < 39; i++) {
		assert_ptr_equal(queue_first(&queue)->line, lines[i]);
		line_unref(queue_pop(&queue).line);
	}
	assert_null(queue_first(&queue));
	assert_int_equal(queue.bytes, 0);
	queue_free(&queue);
	tally_unref(tally);
}

/* Those who flood have equal shares and leave one. */
static void test_shares(void **state)
{
	struct tally *tallies[4], *quiet = tally_new();

	(void)state;
	for (int i = 0; i < 4; i++)
		tallies[i] = tally_new();
	for (int cnt = 1; cnt <= 4; cnt++) {
		struct queue queue = { 0 };

		flood(&queue, tallies, cnt);
		for (int i = 0; i < cnt; i++)
			assert_in_range(queue.shares[i].cnt, 100 / (cnt + 1), 100 / (cnt + 1) + 1);
		assert_true(put(&queue, quiet));
		assert_true(put(&queue, NULL));
		assert_false(put(&queue, tallies[0]));
		queue_free(&queue);
	}
	for (int i = 0; i < 4; i++)
		tally_unref(tallies[i]);
	tally_unref(quiet);
}

/* Whoever has filled his share is still told of: how he ended. */
static void test_end(void **state)
{
	struct tally *tally = tally_new();
	struct queue queue = { 0 };
	struct line *end = new_line(tally);

	(void)state;
	end->is_decision = false;
	flood(&queue, &tally, 1);
	assert_false(put(&queue, tally));
	assert_true(queue_has_room(&queue, end, BOUND));
	line_unref(end);
	queue_free(&queue);
	tally_unref(tally);
}

/* What is taken out is room for whoever comes, and nothing is remembered of who has gone. */
static void test_room_again(void **state)
{
	struct tally *tally = tally_new();
	struct queue queue = { 0 };

	(void)state;
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(flood(&queue, &tally, 1), 50);
		assert_int_equal(queue.share_cnt, 1);
		line_unref(queue_pop(&queue).line);
		assert_true(put(&queue, tally));
		while (queue.cnt)
			line_unref(queue_pop(&queue).line);
		assert_int_equal(queue.share_cnt, 0);
	}
	queue_free(&queue);
	tally_unref(tally);
}

/* More jobs than there is room for at first, each with a line of its own. */
static void test_many_jobs(void **state)
{
	struct tally *tallies[90];
	struct queue queue = { 0 };

	(void)state;
	for (int i = 0; i < 90; i++) {
		tallies[i] = tally_new();
		assert_true(put(&queue, tallies[i]));
	}
	assert_int_equal(queue.share_cnt, 90);
	for (int i = 0; i < 45; i++) {
		line_unref(queue_pop(&queue).line);
		line_unref(queue_pop_last(&queue).line);
	}
	assert_int_equal(queue.share_cnt, 0);
	queue_free(&queue);
	for (int i = 0; i < 90; i++)
		tally_unref(tallies[i]);
}

/* A line as long as the bound is taken while nothing waits. */
static void test_long_line(void **state)
{
	struct line *line = new_line(NULL);
	struct queue queue = { 0 };

	(void)state;
	assert_true(queue_has_room(&queue, line, LINE_LEN));
	assert_false(queue_has_room(&queue, line, LINE_LEN - 1));
	line_unref(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	   cmocka_unit_test(test_shares),
		cmocka_unit_test(test_room_again), cmocka_unit_test(test_many_jobs),
		cmocka_unit_test(test_long_line),  cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
