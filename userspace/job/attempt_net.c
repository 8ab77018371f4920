// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on the network; see attempt.h.
 *
 * Every socket is tied to the loopback device, so that whatever is not refused ends there: the
 * kernel routes nothing from there to an address that is not the machine's own.
 */
#include "job/attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>

#include "base/cleanup.h"

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

/* Nothing waits for a connection: one that is under way was not refused. */
static int outcome_of_send(long r)
{
	return r < 0 && errno == EINPROGRESS ? 0 : act_outcome(r);
}

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static struct address address_v4(const struct destination *to)
{
	struct address a = { .v4 = { .sin_family = AF_INET, .sin_port = htons(to->port) },
			     .len = sizeof(a.v4) };

	memcpy(&a.v4.sin_addr, &to->addr[12], sizeof(a.v4.sin_addr));
	return a;
}

/* Of IPv4 destinations the mapped form. */
static struct address address_v6(const struct destination *to)
{
	struct address a = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) },
			     .len = sizeof(a.v6) };

	memcpy(&a.v6.sin6_addr, to->addr, sizeof(a.v6.sin6_addr));
	return a;
}

/* Returns a socket, or -errno with the result set: a kernel without IPv6 has no such socket. */
static int new_socket(sa_family_t family, int type, struct attempt_result *result)
{
	static const char loopback[] = "lo";
	_cleanup_fd_ int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, loopback, sizeof(loopback)))
		return TAKE_FD(fd);
	return fd < 0 && errno == EAFNOSUPPORT ? act_impossible(result, -errno) : -errno;
}

static int connect_to(struct address a, struct attempt_result *result)
{
	_cleanup_fd_ int fd = new_socket(a.any.sa_family, SOCK_STREAM, result);

	return fd < 0 ? fd : outcome_of_send(connect(fd, &a.any, a.len));
}

static int send_to(struct address a, int type, int flags, struct attempt_result *result)
{
	_cleanup_fd_ int fd = new_socket(a.any.sa_family, type, result);

	return fd < 0 ? fd : outcome_of_send(sendto(fd, "", 1, flags | MSG_NOSIGNAL, &a.any, a.len));
}

/*
 * Where the machine has switched fast open off, a network of the canary's own has it on: so could a
 * job's.
 */
static int fast_open(struct address a, struct attempt_result *result)
{
	int r = send_to(a, SOCK_STREAM, MSG_FASTOPEN, result);

	if (r != -EOPNOTSUPP)
		return r;
	if (!unshare(CLONE_NEWNET))
		return send_to(a, SOCK_STREAM, MSG_FASTOPEN, result);
	return act_impossible(result, r);
}

static int tcp_v4(const struct attempt *attempt, struct attempt_result *result)
{
	return connect_to(address_v4(&attempt->to), result);
}

static int tcp_v6(const struct attempt *attempt, struct attempt_result *result)
{
	return connect_to(address_v6(&attempt->to), result);
}

static int fast_open_v4(const struct attempt *attempt, struct attempt_result *result)
{
	return fast_open(address_v4(&attempt->to), result);
}

static int fast_open_v6(const struct attempt *attempt, struct attempt_result *result)
{
	return fast_open(address_v6(&attempt->to), result);
}

static int udp_v4(const struct attempt *attempt, struct attempt_result *result)
{
	return send_to(address_v4(&attempt->to), SOCK_DGRAM, 0, result);
}

static int udp_v6(const struct attempt *attempt, struct attempt_result *result)
{
	return send_to(address_v6(&attempt->to), SOCK_DGRAM, 0, result);
}

/*
 * An address of a family that no rule can name, and too short for the cgroup's programs to be asked
 * about it: only socket_connect refuses this, in audit mode too only it tells of it.
 */
static int other_family(const struct attempt *attempt, struct attempt_result *result)
{
	struct address a = { .any.sa_family = AF_UNIX, .len = sizeof(a.any.sa_family) };
	_cleanup_fd_ int fd = new_socket(AF_INET, SOCK_DGRAM, result);

	(void)attempt;
	return fd < 0 ? fd : act_outcome(connect(fd, &a.any, a.len));
}

/*
 * The hook is asked before the kernel looks at capabilities. Only of a family that the daemon's own
 * service may use.
 */
static int make_raw(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	(void)attempt, (void)result;
	return act_outcome(fd);
}

static int make_ping(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);

	(void)attempt, (void)result;
	return act_outcome(fd);
}

static int make_mptcp(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, PROTOCOL_MPTCP);

	(void)attempt, (void)result;
	return act_outcome(fd);
}

/* Of a process that was moved out of the cgroup; closed, it has gone nowhere. */
static int make_plain(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)attempt, (void)result;
	return act_outcome(fd);
}

/* --- the table -------------------------------------------------------------------------------- */

#define CONNECT_ACT(act_name, act_audit_hook, act_what, act_fn, act_family)                  \
	{                                                                                    \
		.name = act_name, .hook = "socket_connect", .what = act_what, .run = act_fn, \
		.refusal = EACCES, .op = OP_CONNECT, .audit_hook = act_audit_hook, .kind = { \
			act_family,                                                          \
			IPPROTO_TCP                                                          \
		}                                                                            \
	}

#define CGROUP_ACT(act_name, act_hook, act_what, act_fn, act_op, act_family, act_protocol) \
	{                                                                                  \
		.name = act_name, .hook = act_hook, .what = act_what, .run = act_fn,       \
		.refusal = EPERM, .op = act_op, .is_by_cgroup = true,                      \
		.capabilities = 1ULL << CAP_SYS_ADMIN, .kind = {                           \
			act_family,                                                        \
			act_protocol                                                       \
		}                                                                          \
	}

const struct act net_acts[] = {
	CONNECT_ACT("tcp v4", "cgroup/connect4", "connect() by TCP over IPv4", tcp_v4, AF_INET),
	CONNECT_ACT("tcp mapped", "cgroup/connect6", "connect() by TCP to a mapped address", tcp_v6,
		    AF_INET),
	CONNECT_ACT("tcp v6", "cgroup/connect6", "connect() by TCP over IPv6", tcp_v6, AF_INET6),
	CGROUP_ACT("fast open v4", "cgroup/connect4", "TCP fast open over IPv4", fast_open_v4,
		   OP_CONNECT, AF_INET, IPPROTO_TCP),
	CGROUP_ACT("fast open v6", "cgroup/connect6", "TCP fast open over IPv6", fast_open_v6,
		   OP_CONNECT, AF_INET6, IPPROTO_TCP),
	CGROUP_ACT("udp v4", "cgroup/sendmsg4", "a datagram over IPv4", udp_v4, OP_SENDMSG, AF_INET,
		   IPPROTO_UDP),
	CGROUP_ACT("udp mapped", "cgroup/sendmsg4", "a datagram to a mapped address", udp_v6,
		   OP_SENDMSG, AF_INET, IPPROTO_UDP),
	CGROUP_ACT("udp v6", "cgroup/sendmsg6", "a datagram over IPv6", udp_v6, OP_SENDMSG,
		   AF_INET6, IPPROTO_UDP),
};
const size_t net_act_cnt = ARRAY_SIZE(net_acts);

#define SOCKET_ACT(act_name, act_what, act_fn, act_class)                                     \
	{                                                                                     \
		.name = act_name, .hook = "socket_create", .what = act_what, .run = act_fn,   \
		.refusal = EACCES, .op = OP_SOCKET, .reason = REASON_SOCKET,                  \
		.socket_class = act_class                                                     \
	}

const struct act socket_acts[] = {
	SOCKET_ACT("socket raw", "socket() of raw ICMP", make_raw, SOCKET_RAW),
	SOCKET_ACT("socket ping", "socket() of ICMP", make_ping, SOCKET_PING),
	SOCKET_ACT("socket mptcp", "socket() of MPTCP", make_mptcp, SOCKET_MPTCP),
};
const size_t socket_act_cnt = ARRAY_SIZE(socket_acts);

const struct act moved_socket_act = {
	.name = "moved socket",
	.hook = "socket_post_create",
	.what = "socket() of UDP outside the job's cgroup",
	.run = make_plain,
	.refusal = EACCES,
	.op = OP_SOCKET,
	.reason = REASON_LEFT_CGROUP,
	.place = ACT_OUTSIDE,
};

const struct act family_act = {
	.name = "other family",
	.hook = "socket_connect",
	.what = "connect() to an address that is neither IPv4 nor IPv6",
	.run = other_family,
	.refusal = EACCES,
	.op = OP_CONNECT,
	.reason = REASON_FAMILY,
};
