// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Unix sockets: whoever listens outside may do the job's bidding, or pass on what it is told.
 *
 * The job's own sockets reach each other, whatever they are called. All others only by a rule for the
 * path that they are bound to, or for a directory above it: the nearest rule wins, as for files. A
 * name without a path (abstract, or none) outside the job is closed. EACCES at once.
 */
#include "lib/jobcage.bpf.h"
#include "abi/socket.h"
#include "lib/emit.bpf.h"
#include "lib/socket.bpf.h"
#include "lib/unix.bpf.h"

static __always_inline int judge(const struct job *job, struct sock *peer, __u32 type)
{
	struct decision d = { .kind = EVENT_NET, .op = OP_UNIX };
	struct unix_sock *unix_peer = bpf_skc_to_unix_sock(peer);

	if (!unix_peer)
		return LSM_DENY; /* no such socket: the kernel asks for none */
	if (is_of_job(job, peer))
		return LSM_ALLOW;
	d.net.family = FAMILY_UNIX;
	d.net.type = type;
	return is_unix_open(job, &d, unix_peer) ? LSM_ALLOW : lsm_refuse(job, &d);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(unix_unix_stream_connect, struct sock *sock, struct sock *other, struct sock *newsk,
	     int ret)
{
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	return judge(&job, other, TYPE_STREAM);
}

SEC("lsm/unix_may_send")
int BPF_PROG(unix_unix_may_send, struct socket *sock, struct socket *other, int ret)
{
	struct sock *peer;
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	peer = other->sk;
	return peer ? judge(&job, peer, TYPE_DGRAM) : LSM_DENY;
}
