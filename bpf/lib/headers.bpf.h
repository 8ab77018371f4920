/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs that look at packets have in common: headers as they stand in a packet, and whether a
 * record of one is a repeat.
 */
#ifndef JOBCAGE_HEADERS_BPF_H
#define JOBCAGE_HEADERS_BPF_H

#include "lib/emit.bpf.h"

#define LOOPBACK_IFINDEX 1 /* include/net/flow.h: in every network namespace */
#define IPV4_WITHOUT_OPTIONS 0x45 /* version 4, five words */
#define IPV4_FRAGMENT 0x3fff      /* more fragments, or an offset */
#define UDP_HEADER 8
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_URG 0x20

struct ports {
	__be16 source, destination;
};

struct tcp_start {
	struct ports ports;
	__be32 sequence, acknowledged;
	__u8 offset, flags;
};

struct ipv4_start {
	__u8 version_length, service;
	__be16 length, id, fragment;
	__u8 lifetime, protocol;
	__be16 sum;
	__be32 source, destination;
};

struct ipv6_start {
	__be32 version_class;
	__be16 length;
	__u8 protocol, lifetime;
	__u8 source[16], destination[16];
};

static __noinline int sort_packet(const struct job *job, const struct decision *d)
{
	return sort_act(job, d, false);
}

/* Puts a record into the job's ring. Returns 0 or an error. */
typedef long (*send_fn)(const struct job *job, const struct decision *d, bool is_first);

/* settle() where the current task has nothing to do with it. Returns whether it is denied. */
static __always_inline bool settle_bare(const struct job *job, struct decision *d, send_fn send)
{
	struct job_stats *stats = count_refusal(job, d);
	int sorted;

	d->flags |= EVENT_WITHOUT_TASK;
	if (!stats)
		return d->verdict == VERDICT_DENY;
	d->sequence = __sync_fetch_and_add(&stats->sequence, 1) + 1;
	sorted = sort_packet(job, d);
	if (sorted == ACT_FOLDED)
		count(&stats->folded);
	else if (!send(job, d, first_of(sorted)))
		count(&stats->emitted);
	else
		count_unsent(sorted, job, d, stats);
	return d->verdict == VERDICT_DENY;
}

#endif
