// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Syslog and plain sockets.
 *
 * How a message ends: a datagram or packet is one message; over TCP its length goes in front (octet
 * counting, RFC 6587); over a unix stream it ends with a newline. A connection that breaks is made
 * anew, and what its other end may not have read is sent again.
 */
#include "alert/sink.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alert/syslog.h"
#include "base/cleanup.h"

/* Room for the longest line in one datagram; the kernel bounds it. */
#define SEND_BUFFER (1 << 20)

/* A peer that acknowledges nothing for so long is dead. */
#define TCP_DEAD_MS 30000

static int kind_of(const struct sink *sink)
{
	switch (sink->config.transport) {
	case TRANSPORT_UNIX:
	case TRANSPORT_UDP: return SOCK_DGRAM;
	case TRANSPORT_SEQPACKET: return SOCK_SEQPACKET;
	default: return SOCK_STREAM;
	}
}

static void set_options(int fd, int family)
{
	const int size = SEND_BUFFER, on = 1, dead_ms = TCP_DEAD_MS;

	if (family == AF_UNIX || setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms,
					    sizeof(dead_ms)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	else
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* Returns 0, -EINPROGRESS or -errno. */
static int connect_as(struct sink *sink, int kind)
{
	const struct sockaddr *addr = (const struct sockaddr *)&sink->config.addr;
	_cleanup_fd_ int fd =
		socket(addr->sa_family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r = 0;

	if (fd < 0)
		return -errno;
	set_options(fd, addr->sa_family);
	if (connect(fd, addr, sink->config.addr_len))
		r = -errno;
	if (r && r != -EINPROGRESS)
		return r;
	sink->fd = TAKE_FD(fd);
	sink->is_dgram = kind != SOCK_STREAM;
	return r;
}

static int open_socket(struct sink *sink, struct error *err)
{
	int r = connect_as(sink, kind_of(sink));

	if (r == -EPROTOTYPE && sink->config.transport == TRANSPORT_UNIX)
		r = connect_as(sink, SOCK_STREAM);
	if (r && r != -EINPROGRESS)
		return error_errno(err, r, "cannot connect to %s", sink->config.name);
	return r;
}

static int make_frame(struct sink *sink, const struct line *line)
{
	char header[SYSLOG_HEADER_MAX] = "", count[32] = "";
	size_t header_len = 0, count_len = 0;
	char *frame;

	if (sink->config.type == SINK_SYSLOG)
		header_len = syslog_header(line, header);
	if (sink->config.transport == TRANSPORT_TCP)
		count_len = sprintf(count, "%zu ", header_len + line->len);
	frame = realloc(sink->frame, count_len + header_len + line->len + 1);
	if (!frame)
		return -ENOMEM;
	memcpy(frame, count, count_len);
	memcpy(frame + count_len, header, header_len);
	memcpy(frame + count_len + header_len, line->text, line->len);
	sink->frame = frame;
	sink->frame_len = count_len + header_len + line->len;
	sink->frame_done = 0;
	if (!sink->is_dgram && !count_len)
		frame[sink->frame_len++] = '\n';
	return 0;
}

static int write_socket(struct sink *sink, const struct line *line, struct error *err)
{
	int r = sink->frame_len ? 0 : make_frame(sink, line);

	if (r)
		return error_errno(err, r, "cannot write to %s", sink->config.name);
	return sink_write_frame(sink, err);
}

static void close_socket(struct sink *sink)
{
	(void)sink;
}

const struct sink_ops sink_socket_ops = {
	.open = open_socket,
	.write = write_socket,
	.close = close_socket,
};
