// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A regular file: chained, rotated, shared.
 *
 * Several controllers may write to one file. Each takes a lock for a few lines at a time and goes
 * on from the file's own end, so the file is all the state there is: after a crash the chain is
 * found where the last whole line left it. A file that was moved away or removed is made anew, and
 * the chain goes on in it. What a full disk cuts short is cut back.
 */
#include "alert/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/rotate.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

/* Lines for one write. */
#define BATCH_BYTES (64u << 10)

static int explain_open(const char *path, int code, struct error *err)
{
	if (code == -ELOOP)
		return error_set(err, code,
				 "%s is a symbolic link: name the file that it points to", path);
	if (code == -ENXIO)
		return error_set(err, code, "nobody reads from %s: start the reader first", path);
	return error_errno(err, code, "cannot open %s for alerts", path);
}

/* O_NONBLOCK: a FIFO without a reader is an error and not a wait. */
int sink_open_path(const char *path, struct error *err)
{
	const int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
			  O_NONBLOCK;
	int fd = open(path, flags, 0600);

	return fd < 0 ? explain_open(path, -errno, err) : fd;
}

/* Our own, or one that was there before: somebody cleaned up. A name that is mistyped makes none. */
static void make_folder(const struct sink *sink)
{
	_cleanup_free_ char *folder = strdup(sink->config.path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!slash || slash == folder)
		return;
	*slash = '\0';
	if (sink->counts.opened || !strcmp(folder, LOG_ROOT))
		make_dir(folder, 0750);
}

/* --- where the chain stands ------------------------------------------------------------------- */

/* The file's own time, or now for one without lines. */
static int64_t first_line_ms(int fd)
{
	char room[64] = "";
	long long ms;

	if (pread(fd, room, sizeof(room) - 1, 0) > 0 && sscanf(room, "{\"time\":%lld,", &ms) == 1)
		return ms;
	return clock_ms(CLOCK_REALTIME);
}

static int read_chain(struct sink *sink, const char *path, off_t size)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return -errno;
	r = chain_recover(fd, size, &sink->chain, &sink->is_line_open);
	if (!r)
		sink->file_since_ms = first_line_ms(fd);
	return r;
}

/* An empty file goes on where the newest rotated one ended, if this process knows no better. */
static int begin_file(struct sink *sink)
{
	_cleanup_free_ char *before = NULL;
	struct stat st;

	sink->is_line_open = false;
	sink->file_since_ms = clock_ms(CLOCK_REALTIME);
	if (sink->chain.sequence)
		return 0;
	before = rotate_newest(sink->config.path);
	if (!before || stat(before, &st))
		return 0;
	read_chain(sink, before, st.st_size);
	sink->is_line_open = false;
	sink->file_since_ms = clock_ms(CLOCK_REALTIME);
	return 0;
}

/* Somebody else has written since: go on from the file's end. */
static int catch_up(struct sink *sink, off_t size)
{
	int r;

	if (size == sink->file_size)
		return 0;
	r = size ? read_chain(sink, sink->config.path, size) : begin_file(sink);
	if (!r)
		sink->file_size = size;
	return r;
}

/* --- opening and locking ---------------------------------------------------------------------- */

static int open_file(struct sink *sink, struct error *err)
{
	const char *path = sink->config.path;
	struct stat st;
	int fd;

	make_folder(sink);
	fd = sink_open_path(path, err);
	if (fd < 0)
		return fd;
	sink->fd = fd;
	if (fstat(fd, &st))
		return error_errno(err, -errno, "cannot examine %s", path);
	if (!S_ISREG(st.st_mode)) {
		sink->ops = &sink_pipe_ops;
		if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
			return 0;
		return error_set(err, -EINVAL,
				 "%s cannot take alerts: name a file, a FIFO or a character device",
				 path);
	}
	sink->dev = st.st_dev;
	sink->ino = st.st_ino;
	sink->file_size = -1;
	return 0;
}

static bool is_still_there(const struct sink *sink)
{
	struct stat st;

	return !lstat(sink->config.path, &st) && st.st_dev == sink->dev && st.st_ino == sink->ino;
}

static int lock_file(struct sink *sink, struct error *err)
{
	if (!flock(sink->fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return -EAGAIN;
	return error_errno(err, -errno, "cannot lock %s", sink->config.path);
}

static int reopen(struct sink *sink, struct error *err)
{
	int r;

	close(TAKE_FD(sink->fd));
	r = open_file(sink, err);
	return r ? r : lock_file(sink, err);
}

static int begin_write(struct sink *sink, struct error *err)
{
	struct stat st;
	int r = lock_file(sink, err);

	if (!r && !is_still_there(sink))
		r = reopen(sink, err);
	if (r)
		return r;
	if (fstat(sink->fd, &st))
		return error_errno(err, -errno, "cannot examine %s", sink->config.path);
	r = catch_up(sink, st.st_size);
	return r ? error_errno(err, r, "cannot read the end of %s", sink->config.path) : 0;
}

static void end_write(struct sink *sink)
{
	if (sink->fd >= 0)
		flock(sink->fd, LOCK_UN);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool is_too_big(const struct sink *sink, size_t len)
{
	return sink->config.max_bytes && sink->file_size + len > sink->config.max_bytes;
}

static bool is_due(const struct sink *sink, size_t len)
{
	int64_t age_ms = clock_ms(CLOCK_REALTIME) - sink->file_since_ms;

	if (!sink->file_size)
		return false;
	return is_too_big(sink, len) ||
	       (sink->config.max_age_ms && age_ms >= (int64_t)sink->config.max_age_ms);
}

/* If it cannot be moved away it goes on growing: better than losing lines. */
static int rotate(struct sink *sink, struct error *err)
{
	int r;

	if (rotate_away(sink->config.path, sink->chain.sequence, sink->config.keep))
		return 0;
	r = reopen(sink, err);
	if (r)
		return r;
	sink->file_size = 0;
	sink->is_line_open = false;
	sink->file_since_ms = clock_ms(CLOCK_REALTIME);
	return 0;
}

/* What was written of a line that did not fit is taken back; or else the next line says so. */
static int take_back(struct sink *sink, int code, struct error *err)
{
	if (ftruncate(sink->fd, sink->file_size))
		sink->file_size = -1;
	return error_errno(err, code, "cannot write to %s", sink->config.path);
}

static int append(struct sink *sink, const char *text, size_t len, struct error *err)
{
	ssize_t n;

	do
		n = write(sink->fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len) {
		sink->file_size += n;
		return 0;
	}
	/* What comes of a second attempt says why; a disk that is full says so only then. */
	if (n >= 0)
		errno = write(sink->fd, text + n, len - n) < 0 ? errno : ENOSPC;
	return take_back(sink, -errno, err);
}

/* Lines that are written in one go. */
struct batch {
	size_t len; /* of sink->batch: a newline, which closes a fragment if there is one, and the lines */
	size_t cnt;
	struct chain chain; /* after them */
};

/* The room is kept: new memory for each write would cost more than the write. */
static int make_room(struct sink *sink, size_t len)
{
	size_t room = sink->batch_room ? sink->batch_room : BATCH_BYTES;
	char *text;

	while (room < len)
		room *= 2;
	if (room == sink->batch_room)
		return 0;
	text = realloc(sink->batch, room);
	if (!text)
		return -ENOMEM;
	sink->batch = text;
	sink->batch_room = room;
	return 0;
}

/* Returns 1 if the line was added, 0 if it belongs into the next file, or -errno. */
static int add_line(struct sink *sink, struct batch *batch, const struct line *line,
		    struct error *err)
{
	struct chain chain = batch->chain;
	size_t len;
	int r = make_room(sink, batch->len + line->len + CHAIN_LINK_MAX);

	if (r)
		return error_errno(err, r, "cannot write to %s", sink->config.path);
	len = chain_add(&chain, line, sink->batch + batch->len);
	if (batch->cnt && is_too_big(sink, batch->len - 1 + len))
		return 0;
	if (!batch->cnt && is_due(sink, len)) {
		r = rotate(sink, err);
		if (r)
			return r;
	}
	batch->chain = chain;
	batch->len += len;
	batch->cnt++;
	return 1;
}

static int fill_batch(struct sink *sink, struct batch *batch, size_t max, struct error *err)
{
	int r = make_room(sink, 1);

	if (r)
		return error_errno(err, r, "cannot write to %s", sink->config.path);
	sink->batch[batch->len++] = '\n';
	while (batch->cnt < max && batch->cnt < sink->queue.cnt && batch->len < BATCH_BYTES) {
		r = add_line(sink, batch, queue_at(&sink->queue, batch->cnt)->line, err);
		if (r <= 0)
			return r;
	}
	return 0;
}

/* A fragment is closed in the same write: what dies in between leaves a fragment again. */
static int write_lines(struct sink *sink, size_t max, struct error *err, size_t *ret_cnt)
{
	struct batch batch = { .chain = sink->chain };
	int r = fill_batch(sink, &batch, max, err);

	if (!r && sink->is_line_open)
		r = append(sink, sink->batch, batch.len, err);
	else if (!r)
		r = append(sink, sink->batch + 1, batch.len - 1, err);
	if (r)
		return r;
	sink->is_line_open = false;
	sink->chain = batch.chain;
	*ret_cnt = batch.cnt;
	return 0;
}

static void close_file(struct sink *sink)
{
	sink->file_size = -1;
	free(sink->batch);
	sink->batch = NULL;
	sink->batch_room = 0;
}

const struct sink_ops sink_file_ops = {
	.open = open_file,
	.begin = begin_write,
	.write_many = write_lines,
	.end = end_write,
	.close = close_file,
};
