// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which sockets a job may make, and where any of them connects, wherever the job's task has gone:
 * these hooks go by the task's label, so they also hold for a task that left the job's cgroup and for
 * families that the cgroup programs of egress.bpf.c do not know.
 *
 * A socket whose traffic the rules of addresses and ports do not govern in full is not made unless the
 * policy names its class. When it connects, IPv4 and IPv6 are judged by the egress rules; Unix and
 * netlink sockets do not leave the machine and are let through here; a family whose class is named is
 * open as a whole; all others are denied. EACCES at once.
 */
#include "lib/jobcage.bpf.h"
#include "lib/net.bpf.h"
#include "lib/socket.bpf.h"

#define SIN_LEN 8       /* of struct sockaddr_in: family, port, address */
#define SIN6_LEN 24     /* SIN6_LEN_RFC2133, the shortest that the kernel accepts */
#define SOCKADDR_LEN 16 /* sizeof(struct sockaddr_in) */

struct ip_address {
	__u16 family;
	__be16 port;
	union {
		__be32 v4;
		struct {
			__be32 flowinfo;
			__u8 v6[16];
		};
	};
};

/* An address that is too short is refused as the kernel itself would: nothing is decided, or told.
 */
static __always_inline int read_v4(struct event_net *net, struct sockaddr *address, int len)
{
	struct ip_address a = {};

	if (len < SOCKADDR_LEN || bpf_probe_read_kernel(&a, SIN_LEN, address))
		return -EINVAL;
	net->port = bpf_ntohs(a.port);
	net_set_v4(net->addr, a.v4);
	return 0;
}

static __always_inline int read_v6(struct event_net *net, struct sockaddr *address, int len)
{
	struct ip_address a = {};

	if (len < SIN6_LEN || bpf_probe_read_kernel(&a, SIN6_LEN, address))
		return -EINVAL;
	net->port = bpf_ntohs(a.port);
	__builtin_memcpy(net->addr, a.v6, sizeof(net->addr));
	return 0;
}

/* Classes that a policy can name, and of which it names this one. */
static __always_inline bool is_class_open(const struct job *job, enum socket_class class)
{
	return class == SOCKET_PLAIN ||
	       (class < SOCKET_CLASSES && job->policy->sockets >> class & 1);
}

static __always_inline int judge_family(const struct job *job, struct decision *d)
{
	enum socket_class class = socket_class(d->net.family, d->net.type, d->net.protocol);

	if (class != SOCKET_PLAIN && is_class_open(job, class))
		return LSM_ALLOW;
	if (job->policy->egress_default == EGRESS_ALLOW)
		return LSM_ALLOW;
	d->kind = EVENT_NET;
	d->reason = class != SOCKET_PLAIN && class < SOCKET_CLASSES ? REASON_SOCKET : REASON_FAMILY;
	return lsm_refuse(job, d);
}

/* Apart, because few do that. */
static __noinline int connect_to_this_host(struct sock *sk, struct event_net *net)
{
	__u8 source[NET_ADDR_BITS / 8] = {};

	if (net->family == AF_INET)
		net_set_v4(source, sk->__sk_common.skc_rcv_saddr);
	else
		bpf_probe_read_kernel(source, sizeof(source), &sk->__sk_common.skc_v6_rcv_saddr);
	net_normalise(net, source);
	return 0;
}

/*
 * connect4 or connect6 come next, and decide: on the loopback, where they know whose socket is at the
 * other end; and in audit mode, where nothing stops here and they would say the same once more.
 */
static __always_inline bool is_judged_later(const struct job *job, const struct event_net *net,
					    struct sock *sk)
{
	if (job->policy->mode != MODE_AUDIT && !is_loopback(net->addr))
		return false;
	return (net->protocol == IPPROTO_TCP || net->protocol == IPPROTO_UDP ||
		net->protocol == IPPROTO_MPTCP) &&
	       is_of_job(job, sk);
}

static __always_inline int judge_ip(const struct job *job, struct decision *d, struct sock *sk,
				    struct sockaddr *address, int len)
{
	__u32 family = address->sa_family;
	int err;

	barrier_var(family); /* or it is read again for each comparison */
	if (family == AF_UNSPEC) /* dissolves the association: goes nowhere */
		return LSM_ALLOW;
	if (family != AF_INET && family != AF_INET6)
		return judge_family(job, d);
	err = family == AF_INET ? read_v4(&d->net, address, len) : read_v6(&d->net, address, len);
	if (err)
		return err;
	if (is_unspecified(d->net.addr))
		connect_to_this_host(sk, &d->net);
	if (net_is_granted(job, d) || is_judged_later(job, &d->net, sk))
		return LSM_ALLOW;
	return lsm_refuse(job, d);
}

SEC("lsm/socket_connect")
int BPF_PROG(sock_socket_connect, struct socket *sock, struct sockaddr *address, int addrlen,
	     int ret)
{
	struct decision d = { .op = OP_CONNECT };
	struct sock *sk = sock->sk;
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	if (!sk)
		return -EINVAL;
	d.net.family = sk->__sk_common.skc_family;
	d.net.type = sock->type;
	d.net.protocol = d.net.family == FAMILY_SMC ? PROTOCOL_SMC : sk->sk_protocol;
	switch (d.net.family) {
	case AF_UNIX: /* see unix.bpf.c */
	case AF_NETLINK: return LSM_ALLOW;
	case AF_INET:
	case AF_INET6: return judge_ip(&job, &d, sk, address, addrlen);
	case FAMILY_SMC: /* TCP_ULP makes one of a TCP socket, past socket_create */
		if (is_class_open(&job, SOCKET_SMC))
			return judge_ip(&job, &d, sk, address, addrlen);
		return judge_family(&job, &d);
	default: return judge_family(&job, &d);
	}
}

/* kern: the kernel makes it for a purpose of its own, under a socket that was judged. */
SEC("lsm/socket_create")
int BPF_PROG(sock_socket_create, int family, int type, int protocol, int kern, int ret)
{
	struct decision d = { .kind = EVENT_NET, .op = OP_SOCKET };
	enum socket_class class;
	struct job job;

	if (ret || kern || !lsm_enter(&job, &ret))
		return ret;
	class = socket_class(family, type, protocol);
	if (is_class_open(&job, class))
		return LSM_ALLOW;
	if (class == SOCKET_NONE) /* refused as the kernel itself would: nothing is decided, or told */
		return -EPROTONOSUPPORT;
	d.reason = class < SOCKET_CLASSES ? REASON_SOCKET : REASON_FAMILY;
	d.net.family = family;
	d.net.type = type;
	d.net.protocol = protocol;
	return lsm_refuse(&job, &d);
}

static __always_inline bool has_cgroup_programs(int family)
{
	return family == FAMILY_INET || family == FAMILY_INET6 || family == FAMILY_SMC;
}

/*
 * A task that was moved to another cgroup, be it in this very call: the programs of the job's would not see the
 * socket. It is asked of the socket, which is made by now, and of those of the kernel's own under it (SMC) as well.
 */
SEC("lsm/socket_post_create")
int BPF_PROG(sock_socket_post_create, struct socket *sock, int family, int type, int protocol,
	     int kern, int ret)
{
	struct decision d = { .kind = EVENT_NET, .op = OP_SOCKET, .reason = REASON_LEFT_CGROUP };
	struct sock *sk;
	struct job job;

	if (ret || !has_cgroup_programs(family) || !lsm_enter(&job, &ret))
		return ret;
	sk = sock->sk;
	if (!is_traffic_judged(&job) || (sk && is_of_job(&job, sk)))
		return LSM_ALLOW;
	d.net.family = family;
	d.net.type = type;
	d.net.protocol = protocol;
	return lsm_refuse(&job, &d);
}
