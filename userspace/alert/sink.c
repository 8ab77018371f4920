// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What all sinks have in common; see sink.h. The kinds are in sink_file.c, sink_pipe.c and
 * sink_socket.c. */
#include "alert/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* How long a sink that failed is left alone: doubled each time. */
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000

/* While another controller writes to the same file. */
#define BUSY_MS 5

/* A sink that comes and goes is not told of more often. */
#define NEWS_MS 10000

/* What one sink gets of the loop's time before it is another's turn. */
#define TURN_LINES 256

/*
 * What a connection's other end may not have read yet, kept to be sent again if it breaks: all that
 * the kernel has still to deliver, and for TCP, where what the peer's kernel has is not to be seen,
 * what was sent so lately.
 */
#define SENT_BYTES_MAX (1u << 20)
#define SENT_AGE_MS 2000

static const struct sink_ops *ops_of(const struct sink_config *config)
{
	switch (config->type) {
	case SINK_FILE: return &sink_file_ops;
	case SINK_STDOUT: return &sink_pipe_ops;
	case SINK_SYSLOG:
	case SINK_SOCKET: break;
	}
	return &sink_socket_ops;
}

int sink_new(const struct sink_config *config, struct sink **ret_sink)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return -ENOMEM;
	sink->config = *config;
	sink->ops = ops_of(config);
	sink->fd = sink->epoll_fd = -1;
	sink->std_fd = config->type == SINK_STDOUT ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
	*ret_sink = sink;
	return 0;
}

/* --- accounts --------------------------------------------------------------------------------- */

static void settle(struct sink *sink, struct queued item, bool is_written)
{
	struct tally *tally = item.is_record ? item.line->tally : NULL;

	if (is_written)
		sink->counts.written++;
	else
		sink->counts.dropped++;
	if (tally) {
		tally->waiting--;
		if (is_written)
			tally->written++;
		else
			tally->dropped++;
	}
	line_unref(item.line);
}

void sink_put(struct sink *sink, struct line *line, bool is_record)
{
	struct queued item = { .line = line_ref(line), .is_record = is_record };

	if (is_record && line->tally)
		line->tally->waiting++;
	if (!queue_has_room(&sink->queue, line, sink->config.queue_bytes) ||
	    queue_push(&sink->queue, item))
		settle(sink, item, false);
}

bool sink_is_flushed(const struct sink *sink)
{
	return !sink->queue.cnt;
}

/* --- trouble ---------------------------------------------------------------------------------- */

static void close_sink(struct sink *sink)
{
	if (sink->state != SINK_CLOSED)
		sink->ops->close(sink);
	/* Closing is not enough while somebody has a duplicate. */
	if (sink->is_polled)
		epoll_ctl(sink->epoll_fd, EPOLL_CTL_DEL, sink->fd, NULL);
	cleanup_fd(&sink->fd);
	sink->fd = -1;
	sink->state = SINK_CLOSED;
	sink->is_polled = sink->wants_out = false;
	sink->frame_done = sink->frame_len = 0;
	sink->stream_bytes = 0;
}

/* What the other end may not have read is sent again: twice is better than never. */
static void take_back_sent(struct sink *sink)
{
	while (sink->sent.cnt) {
		struct queued item = queue_pop_last(&sink->sent);

		if (queue_push_front(&sink->queue, item))
			settle(sink, item, false);
	}
}

static void fail(struct sink *sink, const struct error *err)
{
	close_sink(sink);
	take_back_sent(sink);
	sink->pause_ms = sink->pause_ms ? sink->pause_ms * 2 : PAUSE_MIN_MS;
	if (sink->pause_ms > PAUSE_MAX_MS)
		sink->pause_ms = PAUSE_MAX_MS;
	sink->retry_ms = clock_ms(CLOCK_MONOTONIC) + sink->pause_ms;
	if (!sink->trouble.code) {
		sink->trouble_ms = clock_ms(CLOCK_REALTIME);
		sink->trouble_dropped = sink->counts.dropped;
	}
	sink->trouble = *err;
	if (!sink->trouble.code)
		sink->trouble.code = -EIO;
}

static void recovered(struct sink *sink)
{
	sink->pause_ms = 0;
	sink->trouble.code = 0;
}

bool sink_news(struct sink *sink, int64_t now_ms)
{
	if (sink->trouble.code == sink->told_code ||
	    (sink->told_ms && now_ms - sink->told_ms < NEWS_MS))
		return false;
	sink->told_code = sink->trouble.code;
	sink->told_ms = now_ms;
	return true;
}

/* --- what was sent ---------------------------------------------------------------------------- */

static bool keeps_sent(const struct sink *sink)
{
	return sink->ops == &sink_socket_ops && sink->config.transport != TRANSPORT_UDP;
}

/* Lets go of lines that have been read, as far as that can be seen. */
static void forget_sent(struct sink *sink)
{
	int64_t before = clock_ms(CLOCK_MONOTONIC) - SENT_AGE_MS;
	int unread = 0;

	if (sink->fd < 0 || ioctl(sink->fd, SIOCOUTQ, &unread))
		unread = 0;
	while (sink->sent.cnt) {
		const struct queued *item = queue_first(&sink->sent);
		bool is_read = item->end + unread <= sink->stream_bytes;
		bool may_wait = sink->config.transport != TRANSPORT_TCP || item->sent_ms <= before;

		if (sink->sent.bytes <= SENT_BYTES_MAX && !(is_read && may_wait))
			break;
		settle(sink, queue_pop(&sink->sent), true);
	}
}

static void written(struct sink *sink)
{
	struct queued item = queue_pop(&sink->queue);

	item.end = sink->stream_bytes;
	item.sent_ms = clock_ms(CLOCK_MONOTONIC);
	if (!keeps_sent(sink) || queue_push(&sink->sent, item))
		settle(sink, item, true);
}

/* --- writing ---------------------------------------------------------------------------------- */

int sink_write_frame(struct sink *sink, struct error *err)
{
	while (sink->frame_done < sink->frame_len) {
		size_t left = sink->frame_len - sink->frame_done;
		ssize_t n = sink->ops == &sink_socket_ops ?
				    send(sink->fd, sink->frame + sink->frame_done, left,
					 MSG_NOSIGNAL | MSG_DONTWAIT) :
				    write(sink->fd, sink->frame + sink->frame_done,
					  left < PIPE_BUF ? left : PIPE_BUF);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return -EAGAIN;
		if (n < 0)
			return error_errno(err, -errno, "cannot write to %s", sink->config.name);
		sink->frame_done += n;
		sink->stream_bytes += n;
		if (sink->ops == &sink_pipe_ops && sink->frame_done < sink->frame_len)
			return -EAGAIN;
	}
	sink->frame_len = sink->frame_done = 0;
	return 0;
}

/* What stops many may let one pass: a disk that is nearly full. */
static int write_many(struct sink *sink, struct error *err)
{
	size_t left = TURN_LINES, cnt;
	int r = 0;

	while (!r && left && sink->queue.cnt) {
		r = sink->ops->write_many(sink, left, err, &cnt);
		if (r)
			r = sink->ops->write_many(sink, 1, err, &cnt);
		if (r)
			break;
		for (left -= cnt; cnt; cnt--)
			written(sink);
		recovered(sink);
	}
	return r;
}

/* Returns 0 when the queue is empty or the turn is over, -EAGAIN, or another -errno. */
static int write_lines(struct sink *sink, struct error *err)
{
	for (int i = 0; i < TURN_LINES && sink->queue.cnt; i++) {
		int r = sink->ops->write(sink, queue_first(&sink->queue)->line, err);

		if (r == -EMSGSIZE) {
			sink->frame_len = sink->frame_done = 0;
			settle(sink, queue_pop(&sink->queue), false);
			continue;
		}
		if (r)
			return r;
		written(sink);
		recovered(sink);
	}
	return 0;
}

/* Between begin() and end(). */
static int write_turn(struct sink *sink, struct error *err)
{
	int r = sink->ops->begin ? sink->ops->begin(sink, err) : 0;

	if (r)
		return r;
	r = sink->ops->write_many ? write_many(sink, err) : write_lines(sink, err);
	if (sink->ops->end)
		sink->ops->end(sink);
	return r;
}

static int open_sink(struct sink *sink, struct error *err)
{
	int r = sink->ops->open(sink, err);

	if (r && r != -EINPROGRESS)
		return r;
	sink->state = r ? SINK_CONNECTING : SINK_OPEN;
	sink->counts.opened++;
	return 0;
}

int sink_try_open(struct sink *sink, struct error *err)
{
	int r = sink->state == SINK_CLOSED ? open_sink(sink, err) : 0;

	if (!r && sink->ops->begin) {
		r = sink->ops->begin(sink, err);
		if (!r)
			sink->ops->end(sink);
	}
	if (!r || r == -EAGAIN)
		return 0;
	close_sink(sink);
	return r;
}

void sink_expect(struct sink *sink)
{
	struct error err = { 0 };

	if (sink_try_open(sink, &err))
		fail(sink, &err);
}

/* That a datagram or a pipe could be opened says nothing of who reads it. */
static bool is_proved_by_opening(const struct sink *sink)
{
	return sink->ops != &sink_pipe_ops && sink->config.transport != TRANSPORT_UDP;
}

static void pump(struct sink *sink)
{
	struct error err = { 0 };
	int r = 0;

	sink->retry_ms = 0;
	if (sink->state == SINK_CLOSED)
		r = open_sink(sink, &err);
	if (!r && sink->state == SINK_OPEN)
		r = write_turn(sink, &err);
	if (!r && sink->state == SINK_OPEN && is_proved_by_opening(sink))
		recovered(sink);
	sink->wants_out = sink->state == SINK_CONNECTING || sink->queue.cnt;
	if (r == -EAGAIN || (!r && sink->queue.cnt && sink->state == SINK_OPEN))
		sink->retry_ms = clock_ms(CLOCK_MONOTONIC) + (r ? BUSY_MS : 0);
	else if (r)
		fail(sink, &err);
}

/* Lines, or a connection that has to be made again. */
static bool has_work(const struct sink *sink)
{
	return sink->queue.cnt || (sink->state != SINK_OPEN && sink->trouble.code);
}

/*
 * A write beyond a limit or to a closed pipe is to be an error here and no signal for the process;
 * a handler of the whole process would be inherited by what it starts.
 */
void sink_pump(struct sink *sink)
{
	const struct timespec no_wait = { 0 };
	sigset_t quiet, before;

	if (sink->sent.cnt)
		forget_sent(sink);
	if (!has_work(sink) || sink->retry_ms > clock_ms(CLOCK_MONOTONIC))
		return;
	sigemptyset(&quiet);
	sigaddset(&quiet, SIGPIPE);
	sigaddset(&quiet, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &quiet, &before);
	pump(sink);
	while (sigtimedwait(&quiet, NULL, &no_wait) > 0)
		;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A peer has nothing to say; what it has said all the same is thrown away when it hangs up. */
static int drain_peer(struct sink *sink, struct error *err)
{
	char room[4096];
	ssize_t n = recv(sink->fd, room, sizeof(room), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	return error_errno(err, n ? -errno : -ECONNRESET, "%s hung up", sink->config.name);
}

static int check_socket(struct sink *sink, uint32_t events, struct error *err)
{
	socklen_t len = sizeof(int);
	int code = 0;

	if (getsockopt(sink->fd, SOL_SOCKET, SO_ERROR, &code, &len) || code)
		return error_errno(err, code ? -code : -errno, "cannot reach %s",
				   sink->config.name);
	if (sink->state == SINK_CONNECTING && events & EPOLLOUT)
		sink->state = SINK_OPEN;
	return events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP) ? drain_peer(sink, err) : 0;
}

static int check_pipe(const struct sink *sink, uint32_t events, struct error *err)
{
	if (!(events & (EPOLLERR | EPOLLHUP)))
		return 0;
	return error_errno(err, -EPIPE, "cannot write to %s", sink->config.name);
}

/*
 * A regular file and /dev/null cannot be polled: they never keep anybody waiting. That a peer says
 * something is no reason to wake up, or it could keep us from ever sleeping: its own kernel holds it
 * back when nobody reads.
 */
void sink_poll(struct sink *sink)
{
	struct epoll_event event = { .data.ptr = sink };

	if (sink->fd < 0 || sink->state == SINK_CLOSED || sink->ops == &sink_file_ops)
		return;
	if (sink->ops == &sink_socket_ops && sink->config.transport != TRANSPORT_UDP)
		event.events |= EPOLLRDHUP;
	if (sink->wants_out)
		event.events |= EPOLLOUT;
	if (!epoll_ctl(sink->epoll_fd, sink->is_polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, sink->fd,
		       &event))
		sink->is_polled = true;
}

void sink_ready(struct sink *sink, uint32_t events)
{
	struct error err = { 0 };
	int r = sink->ops == &sink_socket_ops ? check_socket(sink, events, &err) :
						check_pipe(sink, events, &err);

	if (r) {
		fail(sink, &err);
		return;
	}
	sink->retry_ms = 0;
	sink_pump(sink);
}

int64_t sink_timeout(const struct sink *sink, int64_t now_ms)
{
	bool is_waiting = sink->is_polled && sink->wants_out && sink->ops != &sink_file_ops;

	if (has_work(sink) && (!is_waiting || sink->state == SINK_CLOSED))
		return sink->retry_ms > now_ms ? sink->retry_ms - now_ms : 0;
	return sink->sent.cnt ? SENT_AGE_MS : -1;
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	if (sink->fd >= 0)
		forget_sent(sink);
	while (sink->sent.cnt)
		settle(sink, queue_pop(&sink->sent), true);
	while (sink->queue.cnt)
		settle(sink, queue_pop(&sink->queue), false);
	close_sink(sink);
	queue_free(&sink->queue);
	queue_free(&sink->sent);
	cleanup_fd(&sink->std_fd);
	free(sink->frame);
	sink_config_clear(&sink->config);
	free(sink);
}
