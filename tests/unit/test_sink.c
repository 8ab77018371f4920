// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sinks that are files: whole lines only, whatever the disk does, rotated and shared; what was not
 * written is kept within the bound, then counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sink_fixture.h"

static void test_file(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	struct stat st;

	assert_int_equal(put_text(place, sink, "one"), 0);
	assert_int_equal(put_text(place, sink, "two\nlines"), 0);
	sinks_release(place->sinks, sink);
	assert_null(place->sinks->first);
	sink = must_use(place, place->file);
	assert_int_equal(put_text(place, sink, "three"), 0);
	expect_texts(place->file, "one,two\nlines,three,");
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	expect_tally(place, 3, 0, 0);
}

/* Controllers that share a file share its chain. */
static void test_two_writers(void **state)
{
	struct place *place = *state;
	struct place other = { .tally = tally_new() };
	struct sink *a = must_use(place, place->file), *b;

	assert_int_equal(sinks_new(NULL, &other.sinks), 0);
	b = must_use(&other, place->file);
	assert_int_equal(put_text(place, a, "a"), 0);
	assert_int_equal(put_text(&other, b, "b"), 0);
	assert_int_equal(put_text(place, a, "c"), 0);
	assert_int_equal(a->chain.sequence, 3);
	expect_texts(place->file, "a,b,c,");
	sinks_free(other.sinks);
	tally_unref(other.tally);
}

static void expect_refused(struct place *place, const char *target, int code, const char *words)
{
	struct error err = { 0 };
	struct sink *sink = NULL;

	assert_int_equal(sinks_use(place->sinks, target, &err, &sink), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, words));
	assert_null(sink);
	assert_null(place->sinks->first);
}

static void test_refused(void **state)
{
	struct place *place = *state;

	assert_int_equal(symlink("/etc/passwd", place->file), 0);
	expect_refused(place, place->file, -ELOOP, "is a symbolic link");
	assert_int_equal(unlink(place->file), 0);
	expect_refused(place, place->dir, -EISDIR, "cannot open");
	expect_refused(place, "/nonexistent/deep/alerts", -ENOENT,
		       "cannot open /nonexistent/deep/alerts");
	assert_int_equal(mkfifo(place->file, 0600), 0);
	expect_refused(place, place->file, -ENXIO, "start the reader first");
}

/*
 * A file that may not grow, as on a full disk: the fragment is cut back, no signal comes, lines
 * wait, and go on when there is room.
 */
static void test_full(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	struct rlimit before, tight;
	struct stat st;
	off_t size;

	assert_int_equal(put_text(place, sink, "fits"), 0);
	assert_int_equal(stat(place->file, &st), 0);
	size = st.st_size;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = size + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(put_text(place, sink, "does not fit"), 0);
	assert_int_equal(put_text(place, sink, "nor does this"), 0);
	expect_tally(place, 1, 0, 2);
	assert_int_equal(sink->trouble.code, -EFBIG);
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	sinks_flush(place->sinks, 5000);
	expect_texts(place->file, "fits,does not fit,nor does this,");
	expect_tally(place, 3, 0, 0);
	assert_int_equal(sink->trouble.code, 0);
}

/* Beyond the bound lines are counted, and the number is exact. */
static void test_bound(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, "/dev/full");
	int dropped = 0;

	sink->config.queue_bytes = 1000;
	for (int i = 0; i < 100; i++)
		dropped += put_text(place, sink, "x") == -ENOBUFS;
	assert_in_range(dropped, 50, 99);
	expect_tally(place, 0, dropped, 100 - dropped);
	assert_int_equal(sink->counts.dropped, dropped);
	assert_in_range(sink->queue.bytes, 900, 1000);
}

/* Removed with its folder, and a folder in its place that is no file: kept, told, written later. */
static void test_gone(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);

	assert_int_equal(put_text(place, sink, "one"), 0);
	assert_int_equal(unlink(place->file), 0);
	assert_int_equal(rmdir(place->dir), 0);
	/* Its folder is made anew. */
	assert_int_equal(put_text(place, sink, "two"), 0);
	expect_texts(place->file, "two,");
	assert_int_equal(unlink(place->file), 0);
	assert_int_equal(mkdir(place->file, 0700), 0);
	assert_int_equal(put_text(place, sink, "three"), 0);
	assert_int_equal(sink->trouble.code, -EISDIR);
	expect_tally(place, 2, 0, 1);
	assert_int_equal(rmdir(place->file), 0);
	sinks_flush(place->sinks, 5000);
	expect_texts(place->file, "three,");
	assert_int_equal(sink->chain.sequence, 4);
}

static void test_rotation(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	char path[160], text[32];

	sink->config.max_bytes = 1000;
	sink->config.keep = 2;
	for (int i = 1; i <= 20; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(put_text(place, sink, text), 0);
	}
	expect_texts(place->file, "17,18,19,20,");
	snprintf(path, sizeof(path), "%s.000000000016", place->file);
	expect_texts(path, "13,14,15,16,");
	snprintf(path, sizeof(path), "%s.000000000004", place->file);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(sink->chain.sequence, 20);
	/* A writer that finds the file gone goes on behind the newest rotated one. */
	sinks_release(place->sinks, sink);
	assert_int_equal(unlink(place->file), 0);
	sink = must_use(place, place->file);
	assert_int_equal(sink->chain.sequence, 16);
}

/* A decision that is not written yet. */
static int queue_text(struct place *place, struct sink *sink, const char *text)
{
	json_auto_t *event = json_pack("{s:I, s:s}", "time", (json_int_t)1000, "text", text);
	struct line *line;

	assert_int_equal(line_new(event, &line), 0);
	line->is_decision = true;
	return sinks_put_line(place->sinks, sink, place->tally, line);
}

static void queue_numbers(struct place *place, struct sink *sink, int last)
{
	char text[16];

	for (int i = 1; i <= last; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(queue_text(place, sink, text), 0);
	}
}

/* Whoever floods a sink that takes nothing loses his own lines, and nobody else's. */
static void test_flood(void **state)
{
	struct place *place = *state, quiet = *place;
	struct sink *sink = must_use(place, "/dev/full");

	quiet.tally = tally_new();
	sink->config.queue_bytes = 10000;
	for (int i = 0; i < 1000; i++)
		queue_text(place, sink, "flood");
	for (int i = 0; i < 20; i++)
		assert_int_equal(queue_text(&quiet, sink, "quiet"), 0);
	assert_true(place->tally->dropped > 500);
	expect_tally(&quiet, 0, 0, 20);
	/* The flood's end is told all the same. */
	assert_int_equal(put_text(place, sink, "end"), 0);
	tally_unref(quiet.tally);
}

/* In one go, behind a fragment, and beyond the size at which the file is rotated: as if they came one by one. */
static void test_many(void **state)
{
	struct place *place = *state;
	struct sink *sink;
	char path[160];
	int fd = open(place->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "{\"time\":1", 9), 9);
	close(fd);
	sink = must_use(place, place->file);
	sink->config.max_bytes = 1000;
	sink->config.keep = 9;
	queue_numbers(place, sink, 10);
	expect_tally(place, 0, 0, 10);
	expect_texts(place->file, "?,");
	sinks_write(sink);
	expect_tally(place, 10, 0, 0);
	snprintf(path, sizeof(path), "%s.000000000004", place->file);
	expect_texts(path, "?,1,2,3,4,");
	snprintf(path, sizeof(path), "%s.000000000008", place->file);
	expect_texts(path, "5,6,7,8,");
	expect_texts(place->file, "9,10,");
	assert_int_equal(sink->chain.sequence, 10);
}

/* What fits is written, although what waits with it does not. */
static void test_nearly_full(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	struct rlimit before, tight;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = 1000;
	queue_numbers(place, sink, 10);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	sinks_write(sink);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_tally(place, 4, 0, 6);
	expect_texts(place->file, "1,2,3,4,");
	sinks_flush(place->sinks, 5000);
	expect_texts(place->file, "1,2,3,4,5,6,7,8,9,10,");
	expect_tally(place, 10, 0, 0);
}

static void test_rotation_by_age(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	char path[160];

	assert_int_equal(put_text(place, sink, "one"), 0);
	sink->config.max_age_ms = 1000;
	assert_int_equal(put_text(place, sink, "young"), 0);
	sink->file_since_ms -= 2000;
	assert_int_equal(put_text(place, sink, "two"), 0);
	expect_texts(place->file, "two,");
	snprintf(path, sizeof(path), "%s.000000000002", place->file);
	expect_texts(path, "one,young,");
}

static void test_close_on_exec(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);

	assert_true(fcntl(sink->fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(place->sinks->epoll_fd, F_GETFD) & FD_CLOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),	    TEST(test_two_writers), TEST(test_refused),
		TEST(test_full),	    TEST(test_bound),	    TEST(test_gone),
		TEST(test_rotation),	    TEST(test_many),	    TEST(test_nearly_full),
		TEST(test_rotation_by_age), TEST(test_flood),	    TEST(test_close_on_exec),
	};

	return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
