// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sink: whole lines only, whatever the target does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "alert/sink.h"
#include "base/cleanup.h"

/* A directory of its own for each test; the name of a target in it. */
struct place {
	char dir[64];
	char file[96];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	strcpy(place->dir, "/tmp/jobcage-sink-XXXXXX");
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

static struct sink *must_open(const char *target)
{
	struct error err = { 0 };
	struct sink *sink = NULL;

	if (sink_open(target, &err, &sink))
		fail_msg("%s", err.text);
	return sink;
}

static int write_text(struct sink *sink, const char *text)
{
	json_t *event = json_pack("{s:s}", "text", text);
	int ret = sink_write(sink, event);

	json_decref(event);
	return ret;
}

static void expect_content(const char *file, const char *expected)
{
	_cleanup_file_ FILE *in = fopen(file, "re");
	char text[4096];
	size_t len;

	assert_non_null(in);
	len = fread(text, 1, sizeof(text) - 1, in);
	text[len] = '\0';
	assert_string_equal(text, expected);
}

static void test_file(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_open(place->file);
	struct stat st;

	assert_int_equal(write_text(sink, "one"), 0);
	assert_int_equal(write_text(sink, "two\nlines"), 0);
	sink_close(sink);
	sink = must_open(place->file);
	assert_int_equal(write_text(sink, "three"), 0);
	sink_close(sink);
	expect_content(place->file,
		       "{\"text\":\"one\"}\n{\"text\":\"two\\nlines\"}\n{\"text\":\"three\"}\n");
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Two jobs may share a file. */
static void test_two_writers(void **state)
{
	struct place *place = *state;
	struct sink *a = must_open(place->file), *b = must_open(place->file);

	assert_int_equal(write_text(a, "a"), 0);
	assert_int_equal(write_text(b, "b"), 0);
	assert_int_equal(write_text(a, "c"), 0);
	sink_close(a);
	sink_close(b);
	expect_content(place->file, "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"text\":\"c\"}\n");
}

static void expect_refused(const char *target, int code, const char *words)
{
	struct error err = { 0 };
	struct sink *sink = NULL;

	assert_int_equal(sink_open(target, &err, &sink), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, words));
	assert_null(sink);
}

static void test_refused(void **state)
{
	struct place *place = *state;

	assert_int_equal(symlink("/etc/passwd", place->file), 0);
	expect_refused(place->file, -ELOOP, "is a symbolic link");
	assert_int_equal(unlink(place->file), 0);
	expect_refused(place->dir, -EISDIR, "cannot open");
	expect_refused("/nonexistent/alerts", -ENOENT, "cannot open /nonexistent/alerts");
	assert_int_equal(mkfifo(place->file, 0600), 0);
	expect_refused(place->file, -ENXIO, "start the reader first");
}

static void test_close_on_exec(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_open(place->file);
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (int fd = 3; fd < before; fd++) {
		int flags = fcntl(fd, F_GETFD);
		char link[64], name[PATH_MAX] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, name, sizeof(name) - 1) > 0 && !strcmp(name, place->file))
			assert_true(flags & FD_CLOEXEC);
	}
	close(before);
	sink_close(sink);
}

/*
 * A file that may not grow: the fragment is cut back, no signal comes, and the sink goes on when
 * there is room.
 */
static void test_full(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_open(place->file);
	struct rlimit before, tight;

	assert_int_equal(write_text(sink, "fits"), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(write_text(sink, "does not fit"), -EFBIG);
	assert_int_equal(write_text(sink, "nor does this"), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_content(place->file, "{\"text\":\"fits\"}\n");
	assert_int_equal(write_text(sink, "again"), 0);
	sink_close(sink);
	expect_content(place->file, "{\"text\":\"fits\"}\n{\"text\":\"again\"}\n");
}

static void test_no_space(void **state)
{
	struct sink *sink = must_open("/dev/full");

	(void)state;
	assert_int_equal(write_text(sink, "x"), -ENOSPC);
	sink_close(sink);
	sink = must_open("/dev/null");
	assert_int_equal(write_text(sink, "x"), 0);
	sink_close(sink);
}

static void test_fifo(void **state)
{
	struct place *place = *state;
	_cleanup_fd_ int reader = -1;
	struct sink *sink;
	char text[64] = "";

	assert_int_equal(mkfifo(place->file, 0600), 0);
	reader = open(place->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	sink = must_open(place->file);
	assert_int_equal(write_text(sink, "one"), 0);
	assert_int_equal(read(reader, text, sizeof(text) - 1), strlen("{\"text\":\"one\"}\n"));
	assert_string_equal(text, "{\"text\":\"one\"}\n");
	close(TAKE_FD(reader));
	assert_int_equal(write_text(sink, "two"), -EPIPE);
	sink_close(sink);
}

/* Drains fd into text, NUL-terminated. */
static void drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

/* A reader that stalls: the line fails in bounded time, and its fragment spoils no later line. */
static void test_stalled(void **state)
{
	static char big[100000], text[300000];
	struct place *place = *state;
	_cleanup_fd_ int reader = -1;
	struct sink *sink;

	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(mkfifo(place->file, 0600), 0);
	reader = open(place->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	sink = must_open(place->file);
	assert_int_equal(write_text(sink, big), -EAGAIN);
	assert_int_equal(write_text(sink, "y"), -EAGAIN);
	drain(reader, text, sizeof(text));
	assert_null(strchr(text, '\n'));
	assert_int_equal(write_text(sink, "after"), 0);
	drain(reader, text, sizeof(text));
	assert_string_equal(text, "\n{\"text\":\"after\"}\n");
	assert_int_equal(write_text(sink, "next"), 0);
	drain(reader, text, sizeof(text));
	assert_string_equal(text, "{\"text\":\"next\"}\n");
	sink_close(sink);
}

/* Lines above PIPE_BUF pass a pipe whole while its reader reads. */
static void test_large_line(void **state)
{
	static char big[200000], text[300000];
	struct place *place = *state;
	_cleanup_fd_ int reader = -1;
	struct sink *sink;
	pid_t child;
	int status;

	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(mkfifo(place->file, 0600), 0);
	reader = open(place->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	sink = must_open(place->file);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(write_text(sink, big) ? 1 : 0);
	sink_close(sink);
	assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
	drain(reader, text, sizeof(text));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(strlen(text), strlen(big) + strlen("{\"text\":\"\"}\n"));
}

static void test_stdout(void **state)
{
	struct place *place = *state;
	int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), fd;
	struct sink *sink;
	int ret;

	fflush(stdout);
	fd = open(place->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && saved >= 0);
	dup2(fd, STDOUT_FILENO);
	sink = must_open("-");
	ret = write_text(sink, "one");
	dprintf(STDOUT_FILENO, "the job's own\n");
	ret = ret ? ret : write_text(sink, "two");
	sink_close(sink);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	assert_int_equal(ret, 0);
	expect_content(place->file, "{\"text\":\"one\"}\nthe job's own\n{\"text\":\"two\"}\n");
}

static void test_signal_mask(void **state)
{
	struct sink *sink = must_open("/dev/null");
	sigset_t before, after;

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(write_text(sink, "x"), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int signal_no = 1; signal_no < SIGRTMIN; signal_no++)
		assert_int_equal(sigismember(&before, signal_no), sigismember(&after, signal_no));
	sink_close(sink);
	sink_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),          TEST(test_two_writers), TEST(test_refused),
		TEST(test_close_on_exec), TEST(test_full),        TEST(test_no_space),
		TEST(test_fifo),          TEST(test_stalled),     TEST(test_large_line),
		TEST(test_stdout),        TEST(test_signal_mask),
	};

	return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
