// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is read of the counts of repeats, on a page of our own. The kernel's part of the protocol is
 * played by threads: they add by compare-and-swap as bpf/lib/fold.bpf.h does, while the reader tells and
 * closes, and not one act may be missing or told twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "daemon/folds.h"
#include "../ocsf/fixture.h"

#define WRITERS 4
#define ACTS 200000

/* The state that the kernel leaves when it opens a fold for a head. */
static void open_fold(struct fold *fold, struct event head)
{
	fold->told = 0;
	fold->event = head;
	fold->last_ns = head.time_ns;
	__atomic_fetch_add(&fold->word, (__u64)FOLD_OPEN << FOLD_STATE_SHIFT, __ATOMIC_SEQ_CST);
}

/* What is there of a head without its names. */
static struct event bare(struct event head)
{
	head.flags |= EVENT_PATH_MISSING;
	return head;
}

static void add(struct fold *fold, __u64 cnt, __u64 now_ns)
{
	fold->word += cnt;
	fold->last_ns = now_ns;
}

static void test_with_head(void **state)
{
	struct evidence page = { 0 };
	struct folds folds = { .evidence = &page };
	struct event head = by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS);
	unsigned char record[FIXTURE_RECORD_MAX];
	size_t len = fixture_record(record, head, "/srv/datasets/digits/a", NULL, NULL);
	struct decoded_event event;
	struct fold_reading reading;

	(void)state;
	open_fold(&page.folds[3], bare(head));
	folds_see(&folds, record, len);
	add(&page.folds[3], 7, head.time_ns + 5);
	assert_int_equal(folds_next(&folds, 0, true, &event, &reading), 0);
	assert_int_equal(folds_next(&folds, 3, false, &event, &reading), 1);
	assert_string_equal(event.path, "/srv/datasets/digits/a");
	assert_true(event.is_fold);
	assert_int_equal(event.cnt, 7);
	assert_int_equal(event.start_ns, head.time_ns);
	assert_int_equal(event.event.time_ns, head.time_ns + 5);
	decoded_event_free(&event);
	/* Not told yet, so it is there still. */
	assert_int_equal(folds_next(&folds, 3, false, &event, &reading), 1);
	decoded_event_free(&event);
	add(&page.folds[3], 2, head.time_ns + 9);
	fold_told(&page.folds[3], reading.counted);
	assert_int_equal(folds_next(&folds, 3, false, &event, &reading), 1);
	assert_int_equal(event.cnt, 2);
	decoded_event_free(&event);
	fold_told(&page.folds[3], reading.counted);
	assert_int_equal(folds_next(&folds, 3, false, &event, &reading), 0);
	assert_int_equal(page.folds[3].word >> FOLD_STATE_SHIFT, FOLD_FREE);
	folds.evidence = NULL;
	folds_close(&folds);
}

/* A head that is on its way is waited for; one that was lost is not. */
static void test_without_head(void **state)
{
	struct evidence page = { 0 };
	struct folds folds = { .evidence = &page };
	struct event head = by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS), other = head;
	unsigned char record[FIXTURE_RECORD_MAX];
	struct decoded_event event;
	struct fold_reading reading;

	(void)state;
	other.sequence++;
	folds_see(&folds, record, fixture_record(record, other, "/other", NULL, NULL));
	open_fold(&page.folds[0], bare(head));
	folds_see(&folds, record, fixture_record(record, other, "/other", NULL, NULL));
	assert_int_equal(folds_next(&folds, 0, false, &event, &reading), -EAGAIN);
	add(&page.folds[0], 1, head.time_ns + 1);
	assert_int_equal(folds_next(&folds, 0, false, &event, &reading), -EAGAIN);
	assert_int_equal(folds_next(&folds, 0, true, &event, &reading), 1);
	assert_null(event.path);
	assert_int_equal(event.cnt, 1);
	decoded_event_free(&event);
	folds.evidence = NULL;
	folds_close(&folds);
}

/* Whatever stands on the page, it is refused whole, and how much that was is known. */
static void test_malformed(void **state)
{
	struct evidence page = { 0 };
	struct folds folds = { .evidence = &page };
	struct event head = bare(by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS));
	struct decoded_event event;
	struct fold_reading reading;

	(void)state;
	head.op = 200;
	open_fold(&page.folds[15], head);
	add(&page.folds[15], 9, head.time_ns);
	assert_int_equal(folds_next(&folds, 15, true, &event, &reading), -EBADMSG);
	assert_int_equal(reading.cnt, 9);
}

/* Something came after it was read: it stays open. */
static void test_close_is_late(void **state)
{
	struct fold fold = { 0 };
	struct fold_reading reading;
	__u64 word;

	(void)state;
	open_fold(&fold, fixture_event(OP_EXEC));
	assert_true(fold_read(&fold, &reading));
	add(&fold, 1, 1);
	word = fold.word;
	fold_close(&fold, &reading);
	assert_int_equal(fold.word, word);
	assert_true(fold_read(&fold, &reading));
	fold_close(&fold, &reading);
	assert_false(fold_read(&fold, &reading));
	/* Another incarnation, so a writer that has read the old word does not succeed. */
	assert_int_equal(fold.word, 1ULL << FOLD_COUNT_BITS);
}

struct race {
	struct fold fold;
	__u64 unfolded; /* acts that found it closed */
	__u64 running;
};

static void *write_acts(void *arg)
{
	struct race *race = arg;

	for (int i = 0; i < ACTS; i++) {
		__u64 word = __atomic_load_n(&race->fold.word, __ATOMIC_SEQ_CST);

		while (word >> FOLD_STATE_SHIFT == FOLD_OPEN &&
		       !__atomic_compare_exchange_n(&race->fold.word, &word, word + 1, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		if (word >> FOLD_STATE_SHIFT != FOLD_OPEN) {
			__atomic_fetch_add(&race->unfolded, 1, __ATOMIC_SEQ_CST);
			sched_yield(); /* the reader opens it */
		}
	}
	__atomic_fetch_sub(&race->running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void test_race(void **state)
{
	struct race race = { .running = WRITERS };
	struct fold_reading reading;
	pthread_t threads[WRITERS];
	__u64 told = 0;
	bool is_last = false;

	(void)state;
	open_fold(&race.fold, fixture_event(OP_EXEC));
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_acts, &race), 0);
	while (!is_last) {
		is_last = !__atomic_load_n(&race.running, __ATOMIC_SEQ_CST);
		if (!fold_read(&race.fold, &reading)) {
			open_fold(&race.fold, fixture_event(OP_EXEC));
			continue;
		}
		told += reading.cnt;
		fold_told(&race.fold, reading.counted);
		fold_close(&race.fold, &reading);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(told + race.unfolded, (__u64)WRITERS * ACTS);
	assert_true(told > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_head), cmocka_unit_test(test_without_head),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_close_is_late),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
