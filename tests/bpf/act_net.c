// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on the network: every way to name a destination. Where data can be sent its content is the act's token, so that the
 * listener can tell which acts got through. See act.h.
 */
#include "act.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static struct address parse(const char *ip, const char *port)
{
	struct address a = { 0 };

	if (strchr(ip, ':')) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons(atoi(port));
		inet_pton(AF_INET6, ip, &a.v6.sin6_addr);
		a.len = sizeof(a.v6);
	} else {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(atoi(port));
		inet_pton(AF_INET, ip, &a.v4.sin_addr);
		a.len = sizeof(a.v4);
	}
	return a;
}

static int new_socket(int family, int type, int protocol)
{
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	step("socket");
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* Closes fd and returns r. */
static int done(int fd, int r)
{
	close(fd);
	return r;
}

static int try_connect(int fd, const struct address *a)
{
	step("connect");
	return outcome(connect(fd, &a->any, a->len));
}

static int try_send(int fd, const char *token)
{
	step("send");
	return outcome(send(fd, token, strlen(token), MSG_NOSIGNAL));
}

static int try_sendto(int fd, const struct address *a, const char *token, int flags)
{
	step("sendto");
	return outcome(sendto(fd, token, strlen(token), flags | MSG_NOSIGNAL, &a->any, a->len));
}

/* --- connections ----------------------------------------------------------------------------------- */

static int connect_and_send(char **argv, int type, int protocol)
{
	struct address a = parse(argv[0], argv[1]);
	int fd = new_socket(a.any.sa_family, type, protocol), r;

	if (fd < 0)
		return -errno;
	r = try_connect(fd, &a);
	return done(fd, r ? r : try_send(fd, argv[2]));
}

static int tcp(char **argv) { return connect_and_send(argv, SOCK_STREAM, 0); }
static int mptcp(char **argv) { return connect_and_send(argv, SOCK_STREAM, IPPROTO_MPTCP); }
static int udp_connect(char **argv) { return connect_and_send(argv, SOCK_DGRAM, 0); }

/* No data: no listener is needed for the connection to be made. */
static int udplite(char **argv)
{
	struct address a = parse(argv[0], argv[1]);
	int fd = new_socket(a.any.sa_family, SOCK_DGRAM, IPPROTO_UDPLITE);

	return fd < 0 ? -errno : done(fd, try_connect(fd, &a));
}

static int fast_open(char **argv, int protocol)
{
	struct address a = parse(argv[0], argv[1]);
	int fd = new_socket(a.any.sa_family, SOCK_STREAM, protocol);

	return fd < 0 ? -errno : done(fd, try_sendto(fd, &a, argv[2], MSG_FASTOPEN));
}

static int tcp_fast_open(char **argv) { return fast_open(argv, 0); }
static int mptcp_fast_open(char **argv) { return fast_open(argv, IPPROTO_MPTCP); }

/* argv: own address, then the destination. */
static int tcp_from(char **argv)
{
	struct address own = parse(argv[0], "0"), a = parse(argv[1], argv[2]);
	int fd = new_socket(own.any.sa_family, SOCK_STREAM, 0), r;

	if (fd < 0)
		return -errno;
	step("bind");
	if (bind(fd, &own.any, own.len))
		return done(fd, -errno);
	r = try_connect(fd, &a);
	return done(fd, r ? r : try_send(fd, argv[3]));
}

/* Connects, and dissolves the association by AF_UNSPEC. */
static int disconnect(char **argv)
{
	struct address a = parse(argv[0], argv[1]), none = { .any.sa_family = AF_UNSPEC, .len = sizeof(none.v4) };
	int fd = new_socket(a.any.sa_family, SOCK_DGRAM, 0), r;

	if (fd < 0)
		return -errno;
	r = try_connect(fd, &a);
	return done(fd, r ? r : try_connect(fd, &none));
}

static int vsock(char **argv)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_cid = atoi(argv[0]), .svm_port = atoi(argv[1]) };
	int fd = new_socket(AF_VSOCK, SOCK_STREAM, 0), r;

	if (fd < 0)
		return -errno;
	step("connect");
	r = outcome(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	return done(fd, r ? r : try_send(fd, argv[2]));
}

/* argv: family, type, protocol. */
static int make_socket(char **argv)
{
	int fd = new_socket(atoi(argv[0]), atoi(argv[1]), atoi(argv[2]));

	return fd < 0 ? -errno : done(fd, 0);
}

/* To a socket of this process: local families are let through. */
static int connect_unix(char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = new_socket(AF_UNIX, SOCK_STREAM, 0), fd = new_socket(AF_UNIX, SOCK_STREAM, 0), r;
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argv[0]);

	if (listener < 0 || fd < 0)
		return -errno;
	memcpy(a.sun_path + 1, argv[0], strlen(argv[0]));
	step("bind");
	if (bind(listener, (struct sockaddr *)&a, len) || listen(listener, 1))
		return -errno;
	step("connect");
	r = outcome(connect(fd, (struct sockaddr *)&a, len));
	close(listener);
	return done(fd, r);
}

/* argv: a path, or '@' and an abstract name; what is sent. */
static int send_unix(char **argv, int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = new_socket(AF_UNIX, type, 0), r;
	size_t len = strlen(argv[0]);

	if (fd < 0)
		return -errno;
	memcpy(a.sun_path, argv[0], len);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = '\0';
	step("connect");
	r = outcome(connect(fd, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + len));
	return done(fd, r ? r : try_send(fd, argv[1]));
}

static int unix_stream(char **argv) { return send_unix(argv, SOCK_STREAM); }
static int unix_datagram(char **argv) { return send_unix(argv, SOCK_DGRAM); }

/* --- sockets of others ------------------------------------------------------------------------------- */

static int receive_socket(int from)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	step("recvmsg");
	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
		return errno ? -errno : -EPROTO;
	if (message.msg_flags & MSG_CTRUNC)
		return -EACCES; /* the kernel leaves out what it refuses */
	return CMSG_FIRSTHDR(&message) ? *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)) : -EPROTO;
}

/* Sends on it, if it is one to send on. */
static int use_socket(int fd, const char *token)
{
	int is_listening = 0, r;
	socklen_t len = sizeof(is_listening);

	if (fd < 0)
		return fd;
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len);
	if (is_listening)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	r = is_listening ? outcome(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) : try_send(fd, token);
	return done(fd, is_listening && r == -EAGAIN ? 0 : r);
}

/* argv: the path of who sends sockets, which one is asked for, the token. */
static int take_socket(char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = new_socket(AF_UNIX, SOCK_STREAM, 0), r;

	if (fd < 0)
		return -errno;
	strncpy(a.sun_path, argv[0], sizeof(a.sun_path) - 1);
	step("connect");
	r = outcome(connect(fd, (struct sockaddr *)&a, sizeof(a)));
	if (!r)
		r = try_send(fd, argv[1]);
	return done(fd, r ? r : use_socket(receive_socket(fd), argv[2]));
}

/* A socket of one's own, by pidfd_getfd() of this process: the kernel asks as of another's. */
static int take_own(char **argv)
{
	struct address a = parse(argv[0], argv[1]);
	int fd = new_socket(a.any.sa_family, SOCK_STREAM, 0), self = syscall(SYS_pidfd_open, getpid(), 0), r;

	if (fd < 0 || self < 0)
		return -errno;
	r = try_connect(fd, &a);
	step("pidfd_getfd");
	if (!r) {
		r = syscall(SYS_pidfd_getfd, self, fd, 0);
		r = use_socket(r < 0 ? -errno : r, argv[2]);
	}
	close(self);
	return done(fd, r);
}

/* One end of a pair, through the other end. */
static int take_own_pair(char **argv)
{
	int ends[2], self = syscall(SYS_pidfd_open, getpid(), 0), r;

	if (self < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	step("pidfd_getfd");
	r = syscall(SYS_pidfd_getfd, self, ends[0], 0);
	r = use_socket(r < 0 ? -errno : r, argv[0]);
	close(self);
	close(ends[1]);
	return done(ends[0], r);
}

static int connect_netlink(char **argv)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	int fd = new_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	(void)argv;
	if (fd < 0)
		return -errno;
	step("connect");
	return done(fd, outcome(connect(fd, (struct sockaddr *)&a, sizeof(a))));
}

/* --- datagrams ------------------------------------------------------------------------------------- */

static int send_datagram(char **argv, int family)
{
	struct address a = parse(argv[0], argv[1]);
	int fd = new_socket(family ? family : a.any.sa_family, SOCK_DGRAM, 0);

	return fd < 0 ? -errno : done(fd, try_sendto(fd, &a, argv[2], 0));
}

static int udp(char **argv) { return send_datagram(argv, 0); }
/* An IPv6 socket takes an IPv4 address for what it is. */
static int udp_v4_on_v6(char **argv) { return send_datagram(argv, AF_INET6); }

/* The kernel reads an address without a family as one of IPv4. */
static int udp_unspec(char **argv)
{
	struct address a = parse(argv[0], argv[1]);
	int fd = new_socket(AF_INET, SOCK_DGRAM, 0);

	a.any.sa_family = AF_UNSPEC;
	return fd < 0 ? -errno : done(fd, try_sendto(fd, &a, argv[2], 0));
}

static struct msghdr message(struct address *a, struct iovec *content)
{
	return (struct msghdr){ .msg_name = &a->any, .msg_namelen = a->len, .msg_iov = content, .msg_iovlen = 1 };
}

static int udp_sendmsg(char **argv)
{
	struct address a = parse(argv[0], argv[1]);
	struct iovec content = { argv[2], strlen(argv[2]) };
	struct msghdr msg = message(&a, &content);
	int fd = new_socket(a.any.sa_family, SOCK_DGRAM, 0);

	step("sendmsg");
	return fd < 0 ? -errno : done(fd, outcome(sendmsg(fd, &msg, 0)));
}

/* argv: two destinations, the first to be allowed, and the token. The answer is that of the second. */
static int udp_sendmmsg(char **argv)
{
	struct address first = parse(argv[0], argv[1]), second = parse(argv[2], argv[3]);
	struct iovec content[2] = { { "-", 1 }, { argv[4], strlen(argv[4]) } };
	struct mmsghdr msgs[2] = { { .msg_hdr = message(&first, &content[0]) }, { .msg_hdr = message(&second, &content[1]) } };
	int fd = new_socket(first.any.sa_family, SOCK_DGRAM, 0), n;

	if (fd < 0)
		return -errno;
	step("sendmmsg");
	n = sendmmsg(fd, msgs, 2, 0);
	if (n == 1) /* the error of the second is told by a call of its own */
		n = sendmmsg(fd, msgs + 1, 1, 0);
	return done(fd, outcome(n));
}

/* argv: as above; the socket is connected to the first. */
static int udp_elsewhere(char **argv)
{
	struct address first = parse(argv[0], argv[1]), second = parse(argv[2], argv[3]);
	int fd = new_socket(first.any.sa_family, SOCK_DGRAM, 0), r;

	if (fd < 0)
		return -errno;
	r = try_connect(fd, &first);
	return done(fd, r ? r : try_sendto(fd, &second, argv[4], 0));
}

/* argv: own address, then the destination. */
static int udp_from(char **argv)
{
	struct address own = parse(argv[0], "0"), a = parse(argv[1], argv[2]);
	int fd = new_socket(own.any.sa_family, SOCK_DGRAM, 0);

	if (fd < 0)
		return -errno;
	step("bind");
	if (bind(fd, &own.any, own.len))
		return done(fd, -errno);
	return done(fd, try_sendto(fd, &a, argv[3], 0));
}

const struct act net_acts[] = {
	{ "tcp", 3, tcp },
	{ "tcp_fast_open", 3, tcp_fast_open },
	{ "tcp_from", 4, tcp_from },
	{ "mptcp", 3, mptcp },
	{ "mptcp_fast_open", 3, mptcp_fast_open },
	{ "udp_connect", 3, udp_connect },
	{ "udplite", 3, udplite },
	{ "disconnect", 3, disconnect },
	{ "vsock", 3, vsock },
	{ "socket", 3, make_socket },
	{ "unix", 1, connect_unix },
	{ "unix_stream", 2, unix_stream },
	{ "unix_datagram", 2, unix_datagram },
	{ "take_socket", 3, take_socket },
	{ "take_own", 3, take_own },
	{ "take_own_pair", 1, take_own_pair },
	{ "netlink", 1, connect_netlink },
	{ "udp", 3, udp },
	{ "udp_v4_on_v6", 3, udp_v4_on_v6 },
	{ "udp_unspec", 3, udp_unspec },
	{ "udp_sendmsg", 3, udp_sendmsg },
	{ "udp_sendmmsg", 5, udp_sendmmsg },
	{ "udp_elsewhere", 5, udp_elsewhere },
	{ "udp_from", 4, udp_from },
	{ NULL, 0, NULL },
};
