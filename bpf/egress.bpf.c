// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Egress by the job's cgroup: where TCP connects and where datagrams are sent.
 *
 * These programs are attached to the cgroup of each job and vanish with it. They see what
 * socket_connect does not: TCP fast open, which connects from within sendto(), and the address that
 * a datagram carries itself. Which job it is stands in the storage of the cgroup they are attached
 * to, so nested cgroups need no walk. Denied with EPERM.
 */
#include "lib/jobcage.bpf.h"
#include "lib/net.bpf.h"

/* The label of the cgroup that this program is attached to. */
static __always_inline enum entry enter_attached(struct job *job)
{
	struct job_label *label = bpf_get_local_storage(&job_by_attach, 0);

	job->label = *label;
	return job_enter_label(job);
}

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

static __always_inline int judge(struct bpf_sock_addr *ctx, struct decision *d)
{
	__u8 source[NET_ADDR_BITS / 8] = {};
	struct job job;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	d->net.port = bpf_ntohs(ctx->user_port);
	d->net.family = ctx->family;
	d->net.type = ctx->type;
	d->net.protocol = ctx->protocol;
	read_source(ctx, source);
	if (net_is_granted(&job, d, source))
		return CGROUP_ALLOW;
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
