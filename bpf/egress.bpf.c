// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Egress by the job's cgroup: where TCP connects and where datagrams are sent.
 *
 * These programs are attached to the cgroup of each job and vanish with it. They see what
 * socket_connect does not: TCP fast open, which connects from within sendto(), the address that
 * a datagram carries itself, and whose socket is at a port of the loopback. Which job it is stands in
 * the storage of the cgroup they are attached to, so nested cgroups need no walk. Denied with EPERM.
 */
#include "lib/jobcage.bpf.h"
#include "lib/own.bpf.h"

static __always_inline void read_source(struct bpf_sock_addr *ctx, __u8 *ret_addr)
{
	struct bpf_sock *sk = ctx->sk;
	__u32 word[4] = {};

	if (!sk)
		return;
	if (ctx->family == AF_INET) {
		net_set_v4(ret_addr, sk->src_ip4);
		return;
	}
	word[0] = sk->src_ip6[0];
	word[1] = sk->src_ip6[1];
	word[2] = sk->src_ip6[2];
	word[3] = sk->src_ip6[3];
	__builtin_memcpy(ret_addr, word, sizeof(word));
}

static __always_inline void send_to_this_host(struct bpf_sock_addr *ctx, struct event_net *net)
{
	__u8 source[NET_ADDR_BITS / 8] = {};

	read_source(ctx, source);
	net_normalise(net, source);
}

/*
 * On the loopback: the job's own socket, or nobody's, where the kernel answers for itself. Which it is
 * when the packet is on its way is looked at once more, see packet.bpf.c.
 */
static __always_inline bool is_to_own(struct bpf_sock_addr *ctx, const struct job *job,
				      const struct event_net *net)
{
	struct ends ends = {
		.local_port = bpf_htons(net->port),
		.is_udp = net->protocol == IPPROTO_UDP,
	};

	if (!is_loopback(net->addr) ||
	    (net->protocol != IPPROTO_TCP && net->protocol != IPPROTO_UDP))
		return false;
	if (ctx->sk)
		ends.remote_port = bpf_htons(ctx->sk->src_port);
	__builtin_memcpy(ends.local, net->addr, sizeof(ends.local));
	read_source(ctx, ends.remote);
	return find_owner(ctx, &job->label, &ends) != OWNER_OTHER;
}

/* A datagram to a peer that an ingress rule lets come to the port it is sent from. */
static __always_inline bool is_answer(struct bpf_sock_addr *ctx, const struct job *job,
				      const struct decision *d)
{
	struct event_net net = d->net;
	__u8 reason;

	if (d->op != OP_SENDMSG || !ctx->sk)
		return false;
	net.port = ctx->sk->src_port;
	return net.port && net_rule(job, &net, true, &reason);
}

/* In audit mode the packets that follow are not told of once more. */
static __always_inline void tell(struct bpf_sock_addr *ctx)
{
	struct sock_mark *mark = NULL;

	if (ctx->sk)
		mark = bpf_sk_storage_get(&mark_by_sock, ctx->sk, 0, 0);
	if (mark)
		__sync_fetch_and_or(&mark->flags, SOCK_IS_TOLD);
}

static __always_inline int judge(struct bpf_sock_addr *ctx, struct decision *d)
{
	struct job job;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	d->net.port = bpf_ntohs(ctx->user_port);
	d->net.family = ctx->family;
	d->net.type = ctx->type;
	d->net.protocol = ctx->protocol;
	if (is_unspecified(d->net.addr))
		send_to_this_host(ctx, &d->net);
	if (net_is_granted(&job, d) || is_to_own(ctx, &job, &d->net) ||
	    is_answer(ctx, &job, d))
		return CGROUP_ALLOW;
	tell(ctx);
	return settle(&job, d) ? CGROUP_DENY : CGROUP_ALLOW;
}

static __always_inline int judge_v4(struct bpf_sock_addr *ctx, enum event_op op)
{
	struct decision d = { .op = op, .flags = EVENT_BY_CGROUP };

	net_set_v4(d.net.addr, ctx->user_ip4);
	return judge(ctx, &d);
}

static __always_inline int judge_v6(struct bpf_sock_addr *ctx, enum event_op op)
{
	struct decision d = { .op = op, .flags = EVENT_BY_CGROUP };
	__u32 word[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

	__builtin_memcpy(d.net.addr, word, sizeof(d.net.addr));
	return judge(ctx, &d);
}

SEC("cgroup/connect4")
int egress_connect4(struct bpf_sock_addr *ctx)
{
	return judge_v4(ctx, OP_CONNECT);
}

SEC("cgroup/connect6")
int egress_connect6(struct bpf_sock_addr *ctx)
{
	return judge_v6(ctx, OP_CONNECT);
}

SEC("cgroup/sendmsg4")
int egress_sendmsg4(struct bpf_sock_addr *ctx)
{
	return judge_v4(ctx, OP_SENDMSG);
}

SEC("cgroup/sendmsg6")
int egress_sendmsg6(struct bpf_sock_addr *ctx)
{
	return judge_v6(ctx, OP_SENDMSG);
}

/* The mark by which the job's sockets know each other. Without one there is no socket. */
SEC("cgroup/sock_create")
int egress_sock_create(struct bpf_sock *ctx)
{
	struct sock_mark mark = {};
	struct job job;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	mark.label = job.label;
	return bpf_sk_storage_get(&mark_by_sock, ctx, &mark, BPF_SK_STORAGE_GET_F_CREATE) ?
		       CGROUP_ALLOW :
		       CGROUP_DENY;
}
