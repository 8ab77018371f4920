/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP connections that cannot go on; for the programs that look at packets.
 */
#ifndef JOBCAGE_CUT_BPF_H
#define JOBCAGE_CUT_BPF_H

#include "lib/decision.bpf.h"

#define TCP_STATE_LISTEN 10

/*
 * TCP would send what was refused again and again, and whoever uses the socket would wait for it: the
 * controller resets the connection. A listener, whose answer to a SYN was refused, stays.
 */
static __noinline int cut(struct __sk_buff *skb, const struct job *job)
{
	struct bpf_sock *sk = skb->sk;
	struct kernel_stats *sum;
	struct job_stats *stats;
	struct sock_mark *mark;

	if (!sk || sk->state == TCP_STATE_LISTEN)
		return 0;
	mark = bpf_sk_storage_get(&mark_by_sock, sk, 0, 0);
	if (!mark || __sync_fetch_and_or(&mark->flags, SOCK_IS_CUT) & SOCK_IS_CUT)
		return 0;
	stats = stats_of(job);
	if (stats)
		count(&stats->cut);
	sum = kernel_stats_get();
	if (sum)
		count(&sum->cut);
	return 0;
}

#endif
