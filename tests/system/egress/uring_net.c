// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * N7: sockets by io_uring, where no system call names the address.
 *
 * uring_net plain|worker|polled WHAT ADDRESS PORT TOKEN prints OK, or the errno's name: the request done in place, by a
 * worker thread, or taken up by a thread of the kernel's that polls for it. WHAT is one of the table at the end.
 */
#include "../../escapes/uring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct target {
	struct sockaddr_storage address;
	socklen_t len;
	const char *token;
};

static struct ring ring;
static unsigned int request_flags;

static uint64_t word(const void *pointer) { return (uintptr_t)pointer; }

static int request(struct io_uring_sqe sqe)
{
	sqe.flags |= request_flags;
	return ring_do(&ring, sqe);
}

static int parse(const char *ip, const char *port, struct target *ret_target)
{
	struct sockaddr_in *v4 = (void *)&ret_target->address;
	struct sockaddr_in6 *v6 = (void *)&ret_target->address;

	memset(&ret_target->address, 0, sizeof(ret_target->address));
	if (strchr(ip, ':')) {
		*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
		ret_target->len = sizeof(*v6);
		return inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	ret_target->len = sizeof(*v4);
	return inet_pton(AF_INET, ip, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

static int new_socket(const struct target *to, int type, int protocol)
{
	return request((struct io_uring_sqe){ .opcode = IORING_OP_SOCKET, .fd = to->address.ss_family, .off = type,
					      .len = protocol });
}

static int send_plain(int fd, const struct target *to)
{
	return request((struct io_uring_sqe){ .opcode = IORING_OP_SEND, .fd = fd, .addr = word(to->token),
					      .len = strlen(to->token) });
}

static int message(int fd, const struct target *to, int flags)
{
	struct iovec data = { (void *)to->token, strlen(to->token) };
	struct msghdr m = { .msg_name = (void *)&to->address, .msg_namelen = to->len, .msg_iov = &data, .msg_iovlen = 1 };

	return request((struct io_uring_sqe){ .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = word(&m), .len = 1,
					      .msg_flags = flags });
}

/* --- what is tried ---------------------------------------------------------------------------------- */

static int make_mptcp(const struct target *to)
{
	return new_socket(to, SOCK_STREAM, IPPROTO_MPTCP);
}

static int connect_tcp(const struct target *to)
{
	int fd = new_socket(to, SOCK_STREAM, 0), r;

	if (fd < 0)
		return fd;
	r = request((struct io_uring_sqe){ .opcode = IORING_OP_CONNECT, .fd = fd, .addr = word(&to->address),
					   .off = to->len });
	return r < 0 ? r : send_plain(fd, to);
}

static int fast_open(const struct target *to)
{
	int fd = new_socket(to, SOCK_STREAM, 0);

	return fd < 0 ? fd : message(fd, to, MSG_FASTOPEN);
}

static int sendmsg_udp(const struct target *to)
{
	int fd = new_socket(to, SOCK_DGRAM, 0);

	return fd < 0 ? fd : message(fd, to, 0);
}

/* A datagram whose data is not copied. */
static int send_zc_udp(const struct target *to)
{
	int fd = new_socket(to, SOCK_DGRAM, 0);

	if (fd < 0)
		return fd;
	return request((struct io_uring_sqe){ .opcode = IORING_OP_SEND_ZC, .fd = fd, .addr = word(to->token),
					      .len = strlen(to->token), .addr2 = word(&to->address), .addr_len = to->len });
}

/* Waits for somebody at the port, whatever the address; prints what he says. */
static int accept_tcp(const struct target *to)
{
	int listener = new_socket(to, SOCK_STREAM, 0), one = 1, fd;
	char heard[64] = "";

	if (listener < 0)
		return listener;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)&to->address, to->len) || listen(listener, 8))
		return -errno;
	fprintf(stderr, "ready\n");
	fd = request((struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = listener });
	if (fd < 0)
		return fd;
	if (read(fd, heard, sizeof(heard) - 1) < 0)
		return -errno;
	printf("%s ", heard);
	return 0;
}

/* clang-format off */
static const struct {
	const char *name;
	int (*run)(const struct target *to);
} acts[] = {
	{ "socket", make_mptcp },
	{ "connect", connect_tcp },
	{ "fast-open", fast_open },
	{ "sendmsg", sendmsg_udp },
	{ "send-zc", send_zc_udp },
	{ "accept", accept_tcp },
};
/* clang-format on */

static int run(const char *what, const struct target *to)
{
	for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
		if (!strcmp(acts[i].name, what))
			return acts[i].run(to);
	}
	return -EINVAL;
}

int main(int argc, char **argv)
{
	struct target to;
	int r;

	if (argc != 6 || parse(argv[3], argv[4], &to)) {
		fprintf(stderr, "usage: uring_net plain|worker|polled WHAT ADDRESS PORT TOKEN\n");
		return 2;
	}
	to.token = argv[5];
	request_flags = strcmp(argv[1], "worker") ? 0 : IOSQE_ASYNC;
	r = ring_open(&ring, strcmp(argv[1], "polled") ? RING_PLAIN : RING_POLLED);
	r = r ?: run(argv[2], &to);
	printf("%s\n", r < 0 ? strerrorname_np(-r) : "OK");
	return 0;
}
