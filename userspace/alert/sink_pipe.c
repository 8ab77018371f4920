// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Standard output, a FIFO, a terminal or another device: lines as they are.
 *
 * Whoever else holds its other end may have made it blocking, so it is written only when it has
 * room, and no more than surely fits. A line that was cut short is closed by a newline before the
 * next one, so that it spoils no other.
 */
#include "alert/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int open_pipe(struct sink *sink, struct error *err)
{
	struct stat st;

	sink->fd = sink->config.path ? sink_open_path(sink->config.path, err) :
				       fcntl(sink->std_fd, F_DUPFD_CLOEXEC, 3);
	if (sink->fd < 0 && sink->config.path)
		return sink->fd;
	if (sink->fd < 0)
		return error_errno(err, -errno, "standard output cannot take alerts");
	if (sink->config.path && !fstat(sink->fd, &st) && S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s has become a file; it was none",
				 sink->config.path);
	return 0;
}

/* Is there room for PIPE_BUF bytes? -EPIPE when the reader has gone. */
static int poll_room(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int cnt = poll(&poll_fd, 1, 0);

	if (cnt <= 0)
		return cnt && errno != EINTR ? -errno : -EAGAIN;
	return poll_fd.revents & POLLOUT ? 0 : -EPIPE;
}

static int make_frame(struct sink *sink, const struct line *line)
{
	char *frame = realloc(sink->frame, line->len + 2);
	size_t len = 0;

	if (!frame)
		return -ENOMEM;
	if (sink->is_torn)
		frame[len++] = '\n';
	memcpy(frame + len, line->text, line->len);
	len += line->len;
	frame[len++] = '\n';
	sink->frame = frame;
	sink->frame_len = len;
	sink->frame_done = 0;
	return 0;
}

static int write_pipe(struct sink *sink, const struct line *line, struct error *err)
{
	int r = sink->frame_len ? 0 : make_frame(sink, line);

	while (!r && sink->frame_len) {
		r = poll_room(sink->fd);
		if (!r)
			r = sink_write_frame(sink, err);
		if (r == -EAGAIN && sink->frame_done && poll_room(sink->fd) == 0)
			r = 0;
	}
	if (!r)
		sink->is_torn = false;
	else if (r != -EAGAIN && !err->code)
		error_errno(err, r, "cannot write to %s", sink->config.name);
	return r;
}

static void close_pipe(struct sink *sink)
{
	sink->is_torn |= sink->frame_done > 0;
}

const struct sink_ops sink_pipe_ops = {
	.open = open_pipe,
	.write = write_pipe,
	.close = close_pipe,
};
