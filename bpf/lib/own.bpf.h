/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which sockets are the job's own? The loopback is no exit: without a rule it leads to these only.
 *
 * Every IPv4 and IPv6 socket made in the job's cgroup carries a mark, and so does what it accepts. Whom
 * an address and port of the loopback belong to is asked of the kernel's own tables, with the very
 * addresses and ports that the packet will have.
 */
#ifndef JOBCAGE_OWN_BPF_H
#define JOBCAGE_OWN_BPF_H

#include "lib/net.bpf.h"

#define BPF_F_CURRENT_NETNS (-1LL) /* include/uapi/linux/bpf.h */
#define TCP_STATE_SYN_SENT 2
#define BPF_SK_STORAGE_GET_F_CREATE 1

/* struct bpf_sock_tuple of the UAPI: one of these, by its size. Network order. */
struct tuple_v4 {
	__be32 remote, local;
	__be16 remote_port, local_port;
};

struct tuple_v6 {
	__be32 remote[4], local[4];
	__be16 remote_port, local_port;
};

/* The two ends as the socket that is looked for sees them. Addresses may be mapped. */
struct ends {
	__u8 local[NET_ADDR_BITS / 8];
	__u8 remote[NET_ADDR_BITS / 8];
	__be16 local_port;
	__be16 remote_port;
	bool is_udp;
};

enum owner {
	OWNER_NOBODY, /* no such socket: whatever is sent there reaches none */
	OWNER_JOB,
	OWNER_OTHER,
};

/* The label of the cgroup that this program is attached to. */
static __always_inline enum entry enter_attached(struct job *job)
{
	struct job_label *label = bpf_get_local_storage(&job_by_attach, 0);

	job->label = *label;
	return job_enter_label(job);
}

/* What of a socket that is found counts as the job's own. */
enum sought {
	SOUGHT_ANY,
	SOUGHT_CONNECTING, /* only in state SYN_SENT */
	SOUGHT_ALONE,	   /* only if it shares its port with nobody */
};

/*
 * The verifier gives no access to sk_reuseport_cb through a bpf_sock. A pointer that has been in a map's value is a number
 * to it, which probe reads take; so it goes through the socket's own mark, where all write the same.
 */
static __always_inline struct sock_reuseport *group_of(struct bpf_sock *sk, struct sock_mark *mark)
{
	struct sock *kernel_sk;

	*(volatile __u64 *)&mark->address = (__u64)sk;
	kernel_sk = (void *)*(volatile __u64 *)&mark->address;
	return BPF_CORE_READ(kernel_sk, sk_reuseport_cb);
}

/*
 * Whether it may be another who gets what is sent there, of those who share the port (SO_REUSEPORT): if a program chooses
 * (SO_ATTACH_REUSEPORT_CBPF), which is not asked here, or where not all that the kernel chooses by is known.
 */
static __always_inline bool is_shared(struct bpf_sock *sk, struct sock_mark *mark, enum sought sought)
{
	struct sock_reuseport *group = group_of(sk, mark);

	return group && (sought == SOUGHT_ALONE || BPF_CORE_READ(group, prog));
}

static __always_inline bool is_sought(struct bpf_sock *sk, struct sock_mark *mark, enum sought sought)
{
	return sought == SOUGHT_CONNECTING ? sk->state == TCP_STATE_SYN_SENT : !is_shared(sk, mark, sought);
}

static __always_inline enum owner owner_of(struct bpf_sock *sk, const struct job_label *label,
					   enum sought sought)
{
	struct sock_mark *mark;
	enum owner owner = OWNER_OTHER;

	if (!sk)
		return OWNER_NOBODY;
	mark = bpf_sk_storage_get(&mark_by_sock, sk, 0, 0);
	if (mark && job_label_equal(&mark->label, label) && is_sought(sk, mark, sought))
		owner = OWNER_JOB;
	bpf_sk_release(sk);
	return owner;
}

static __always_inline bool is_mapped(const __u8 *addr)
{
	__u32 word[4];

	__builtin_memcpy(word, addr, sizeof(word));
	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

static __always_inline struct bpf_sock *look_up(void *ctx, void *tuple, __u32 len, bool is_udp)
{
	if (is_udp)
		return bpf_sk_lookup_udp(ctx, tuple, len, BPF_F_CURRENT_NETNS, 0);
	return bpf_sk_lookup_tcp(ctx, tuple, len, BPF_F_CURRENT_NETNS, 0);
}

static __always_inline enum owner find_owner_v4(void *ctx, const struct job_label *label,
						const struct ends *ends, enum sought sought)
{
	struct tuple_v4 tuple = {
		.remote_port = ends->remote_port,
		.local_port = ends->local_port,
	};

	__builtin_memcpy(&tuple.remote, &ends->remote[12], sizeof(tuple.remote));
	__builtin_memcpy(&tuple.local, &ends->local[12], sizeof(tuple.local));
	return owner_of(look_up(ctx, &tuple, sizeof(tuple), ends->is_udp), label, sought);
}

static __always_inline enum owner find_owner_v6(void *ctx, const struct job_label *label,
						const struct ends *ends, enum sought sought)
{
	struct tuple_v6 tuple = {
		.remote_port = ends->remote_port,
		.local_port = ends->local_port,
	};

	__builtin_memcpy(tuple.remote, ends->remote, sizeof(tuple.remote));
	__builtin_memcpy(tuple.local, ends->local, sizeof(tuple.local));
	return owner_of(look_up(ctx, &tuple, sizeof(tuple), ends->is_udp), label, sought);
}

static __always_inline enum owner find_sought(void *ctx, const struct job_label *label,
					      const struct ends *ends, enum sought sought)
{
	return is_mapped(ends->local) ? find_owner_v4(ctx, label, ends, sought) :
					find_owner_v6(ctx, label, ends, sought);
}

/*
 * Whose socket is at ends->local? What is left of a connection that was closed (TIME_WAIT) is no socket, and gives
 * way to a new one: then it is the listener's, who is found for a port that nobody connects from. ends->remote_port
 * is not kept.
 */
static __always_inline enum owner find_owner(void *ctx, const struct job_label *label,
					     struct ends *ends)
{
	enum owner owner = find_sought(ctx, label, ends, SOUGHT_ANY);

	if (owner != OWNER_NOBODY || ends->is_udp)
		return owner;
	ends->remote_port = 0;
	return find_sought(ctx, label, ends, SOUGHT_ALONE);
}

/* The same for a socket that is connecting from ends->local to ends->remote. */
static __always_inline enum owner find_connecting(void *ctx, const struct job_label *label,
						  const struct ends *ends)
{
	return find_sought(ctx, label, ends, SOUGHT_CONNECTING);
}

#endif
