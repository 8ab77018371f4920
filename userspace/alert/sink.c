// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where events go; see sink.h.
 *
 * A regular file gets each line in one write, at its end, so several jobs may share it. What a full
 * disk cuts short is cut back. A pipe or terminal is written only when it has room, and is given up
 * on for this line after WRITE_WAIT_MS: a reader that stalls costs events, which are counted, and
 * never the job's end. A fragment that could not be taken back is closed by a newline before the
 * next line, so that it spoils no other.
 */
#include "alert/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define WRITE_WAIT_MS 1000

struct sink {
	int fd;
	bool is_regular;
	bool is_torn; /* ends in a fragment of a line */
};

static int open_stdout(struct error *err, int *ret_fd)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return error_errno(err, -errno, "standard output cannot take alerts");
	*ret_fd = fd;
	return 0;
}

static int explain_open(const char *target, int code, struct error *err)
{
	if (code == -ELOOP)
		return error_set(err, code,
				 "%s is a symbolic link: name the file that it points to", target);
	if (code == -ENXIO)
		return error_set(err, code, "nobody reads from %s: start the reader first", target);
	return error_errno(err, code, "cannot open %s for alerts", target);
}

/* O_NONBLOCK: a FIFO without a reader is an error and not a wait. */
static int open_file(const char *target, struct error *err, int *ret_fd)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
			  O_NONBLOCK;
	int fd = open(target, flags, 0600);

	if (fd < 0)
		return explain_open(target, -errno, err);
	*ret_fd = fd;
	return 0;
}

static int check_kind(const char *target, mode_t mode, struct error *err)
{
	if (S_ISREG(mode) || S_ISFIFO(mode) || S_ISCHR(mode))
		return 0;
	return error_set(err, -EINVAL,
			 "%s cannot take alerts: name a file, a FIFO or a character device",
			 target);
}

int sink_open(const char *target, struct error *err, struct sink **ret_sink)
{
	bool is_stdout = !strcmp(target, "-");
	_cleanup_fd_ int fd = -1;
	struct sink *sink;
	struct stat st;
	int ret;

	ret = is_stdout ? open_stdout(err, &fd) : open_file(target, err, &fd);
	if (ret)
		return ret;
	if (fstat(fd, &st))
		return error_errno(err, -errno, "cannot examine %s", target);
	/* Standard output is what the caller made it: a socket too. */
	ret = is_stdout ? 0 : check_kind(target, st.st_mode, err);
	if (ret)
		return ret;
	sink = malloc(sizeof(*sink));
	if (!sink)
		return error_errno(err, -ENOMEM, "cannot open %s for alerts", target);
	*sink = (struct sink){ .fd = TAKE_FD(fd), .is_regular = S_ISREG(st.st_mode) };
	*ret_sink = sink;
	return 0;
}

void sink_close(struct sink *sink)
{
	if (!sink)
		return;
	close(sink->fd);
	free(sink);
}

/*
 * 0 when there is room for PIPE_BUF bytes, -EAGAIN at the deadline, -EPIPE when the reader has
 * gone.
 */
static int wait_for_room(int fd, int64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	for (;;) {
		int64_t left_ms = deadline_ms - clock_ms(CLOCK_MONOTONIC);
		int cnt = poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0);

		if (cnt > 0)
			return poll_fd.revents & POLLOUT ? 0 : -EPIPE;
		if (cnt == 0)
			return -EAGAIN;
		if (errno != EINTR)
			return -errno;
	}
}

/*
 * A pipe that polls as writable takes PIPE_BUF bytes without blocking, whoever else holds its other
 * flags.
 */
static ssize_t write_some(const struct sink *sink, const char *data, size_t len,
			  int64_t deadline_ms)
{
	int ret;

	if (sink->is_regular)
		return write(sink->fd, data, len);
	ret = wait_for_room(sink->fd, deadline_ms);
	if (ret) {
		errno = -ret;
		return -1;
	}
	return write(sink->fd, data, len < PIPE_BUF ? len : PIPE_BUF);
}

/* Returns 0 or -errno; *done tells how far it came. */
static int write_all(const struct sink *sink, const char *data, size_t len, size_t *done)
{
	int64_t deadline_ms = clock_ms(CLOCK_MONOTONIC) + WRITE_WAIT_MS;

	while (*done < len) {
		ssize_t n = write_some(sink, data + *done, len - *done, deadline_ms);

		if (n > 0)
			*done += (size_t)n;
		else if (n == 0)
			return -EIO;
		else if (errno == EAGAIN && !sink->is_regular && clock_ms(CLOCK_MONOTONIC) < deadline_ms)
			continue;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/*
 * A write beyond a limit or to a closed pipe is to be an error here and no signal for the process;
 * a handler of the whole process would be inherited by what it starts.
 */
static int write_quietly(const struct sink *sink, const char *data, size_t len, size_t *done)
{
	const struct timespec no_wait = { 0 };
	sigset_t quiet, before;
	int ret;

	sigemptyset(&quiet);
	sigaddset(&quiet, SIGPIPE);
	sigaddset(&quiet, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &quiet, &before);
	ret = write_all(sink, data, len, done);
	if (ret == -EPIPE || ret == -EFBIG)
		while (sigtimedwait(&quiet, NULL, &no_wait) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/*
 * Whether the last len bytes of the file, just written by us, could be taken back: nobody may have
 * appended since.
 */
static bool cut_back(const struct sink *sink, size_t len)
{
	off_t end = lseek(sink->fd, 0, SEEK_CUR);
	struct stat st;

	if (!sink->is_regular || end < (off_t)len || fstat(sink->fd, &st) || st.st_size != end)
		return false;
	return ftruncate(sink->fd, end - (off_t)len) == 0 &&
	       lseek(sink->fd, -(off_t)len, SEEK_CUR) >= 0;
}

/* A line that owns its memory: a newline in front if the one before is torn, one behind. */
static char *new_line(const json_t *event, bool is_torn, size_t *ret_len)
{
	_cleanup_free_ char *text = json_dumps(event, JSON_COMPACT);
	char *line;
	int len;

	if (!text)
		return NULL;
	len = asprintf(&line, "%s%s\n", is_torn ? "\n" : "", text);
	if (len < 0)
		return NULL;
	*ret_len = (size_t)len;
	return line;
}

int sink_write(struct sink *sink, const json_t *event)
{
	size_t len = 0, done = 0;
	_cleanup_free_ char *line = new_line(event, sink->is_torn, &len);
	int ret;

	if (!line)
		return -ENOMEM;
	ret = write_quietly(sink, line, len, &done);
	if (!ret)
		sink->is_torn = false;
	else if (done && !cut_back(sink, done))
		sink->is_torn = true;
	return ret;
}
