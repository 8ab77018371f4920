// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Descriptors from other processes: over a Unix socket, by pidfd_getfd().
 *
 * A file is judged like an open of what it is. A socket must be the job's own: those of IPv4 and IPv6
 * belong to the cgroup that they were made in, so that nothing would judge what the job sends through
 * one from outside. A Unix socket is judged by its other end, like a connection to it. EACCES; over a
 * socket the descriptor is left out (MSG_CTRUNC).
 */
#include "lib/jobcage.bpf.h"
#include "lib/device.bpf.h"
#include "lib/file.bpf.h"
#include "lib/net.bpf.h"
#include "lib/socket.bpf.h"
#include "lib/unix.bpf.h"

#define FMODE_PATH 0x4000 /* include/linux/fs.h; O_PATH: names a file, opens nothing */
#define SOCKFS_MAGIC 0x534f434b /* include/uapi/linux/magic.h */

/* --- files ------------------------------------------------------------------------------------ */

/* A ring made outside holds files and credentials of its maker, whose thread may do the work, so no
 * rule could hold it. */
static __noinline bool may_have_file(const struct job *job, struct decision *d, struct file *file)
{
	bool is_write = file->f_mode & FMODE_WRITE;
	struct finding ring = { .reason = REASON_RING };

	d->op = is_write ? OP_RECEIVE_WRITE : OP_RECEIVE_READ;
	d->dentry = file->f_path.dentry;
	d->mnt = file->f_path.mnt;
	if (is_ring(d->dentry)) {
		describe(d, d->dentry, &ring);
		return false;
	}
	if (!is_granted(job, d, d->dentry, is_write ? ACCESS_WRITE : ACCESS_READ,
			job->policy->file_default))
		return may_use_device(job, d->dentry);
	return !is_write || may_alter(job, d, d->dentry);
}

/* --- sockets ---------------------------------------------------------------------------------- */

static __always_inline bool is_socket(struct file *file)
{
	return file->f_path.dentry->d_sb->s_magic == SOCKFS_MAGIC;
}

/* Where it is connected to; nowhere: zeros. */
static __always_inline void read_peer(struct sock *sk, struct event_net *ret_net)
{
	if (ret_net->family == AF_INET) {
		net_set_v4(ret_net->addr, sk->__sk_common.skc_daddr);
	} else if (ret_net->family == AF_INET6) {
		bpf_probe_read_kernel(ret_net->addr, sizeof(ret_net->addr),
				      &sk->__sk_common.skc_v6_daddr);
	} else {
		return;
	}
	ret_net->port = bpf_ntohs(sk->__sk_common.skc_dport);
}

/* Where nothing that is sent or comes is judged, what matters is the class alone. */
static __always_inline bool is_unjudged(const struct job *job, const struct event_net *net)
{
	enum socket_class class = socket_class(net->family, net->type, net->protocol);

	if (is_traffic_judged(job))
		return false;
	return class == SOCKET_PLAIN ||
	       (class < SOCKET_CLASSES && job->policy->sockets >> class & 1);
}

/* A connection is its other end; what has none is itself. */
static __always_inline struct sock *end_of(struct sock *sk)
{
	struct unix_sock *local = bpf_skc_to_unix_sock(sk);
	struct sock *peer = local ? local->peer : NULL;

	return peer ? peer : sk;
}

static __always_inline bool is_end_open(const struct job *job, struct decision *d, struct sock *sk)
{
	struct unix_sock *end = bpf_skc_to_unix_sock(sk);

	return end && is_unix_open(job, d, end);
}

/* May the job have the socket? If not, the decision says why. */
static __noinline bool may_have_socket(const struct job *job, struct decision *d,
				       struct file *file)
{
	struct socket *sock = bpf_sock_from_file(file);
	struct sock *sk = sock ? sock->sk : NULL;

	d->kind = EVENT_NET;
	d->op = OP_RECEIVE_SOCKET;
	d->reason = REASON_FOREIGN_SOCKET;
	if (!sk)
		return false; /* it is being closed */
	d->net.family = sk->__sk_common.skc_family;
	d->net.type = sock->type;
	d->net.protocol = sk->sk_protocol;
	if (d->net.family == FAMILY_UNIX)
		sk = end_of(sk);
	if (is_of_job(job, sk))
		return true;
	if (d->net.family == FAMILY_UNIX)
		return is_end_open(job, d, sk);
	read_peer(sk, &d->net);
	return is_unjudged(job, &d->net);
}

/* --- the hook --------------------------------------------------------------------------------- */

static __noinline int judge_receive(struct file *file)
{
	struct decision d = {};
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	if (is_socket(file) ? may_have_socket(&job, &d, file) : may_have_file(&job, &d, file))
		return LSM_ALLOW;
	return lsm_refuse(&job, &d);
}

SEC("lsm/file_receive")
int BPF_PROG(receive_file_receive, struct file *file, int ret)
{
	if (ret || is_outsider())
		return ret;
	if (file->f_mode & FMODE_PATH)
		return LSM_ALLOW; /* gives nothing that its path would not */
	return judge_receive(file);
}
