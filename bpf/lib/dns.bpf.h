/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What both directions of dns.bpf.c share: a datagram's headers, a message in a buffer of the processor's, the
 * name that it asks for and the domain that names it.
 */
#ifndef JOBCAGE_DNS_BPF_H
#define JOBCAGE_DNS_BPF_H

#include "lib/headers.bpf.h"
#include "lib/own.bpf.h"

#define NS_PER_SECOND 1000000000ULL
#define STREAM_LENGTH 2 /* bytes before each message, which say how many it has */

enum direction { DIRECTION_OUT = 0, DIRECTION_IN = 1 };

/* What an answer is read for. */
struct lesson {
	__u64 domain;
	__u64 now_ns;
	__u32 slot;   /* of the job */
	__u16 is_dry; /* 1: it is only read */
	__u16 lost_cnt;
};

/*
 * A message, and how far it was read; the record that may be made of it. What a loop counts stands here and
 * not on the stack, where the newer verifiers would follow it from step to step.
 */
struct dns_scratch {
	__u32 is_busy;
	__u32 name_cnt; /* bytes of the name, the root included */
	struct dns_reader reader;
	struct dns_walk walk;
	__u32 progress;
	struct lesson lesson;
	__u8 message[DNS_MESSAGE_MAX];
	__u8 name[2 * DNS_NAME_SIZE]; /* zeros behind it, so that each label begins a name */
	struct learned learned;
	struct event event;
	char text[DNS_NAME_SIZE]; /* follows event without a gap: the labels, as the record has them */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct dns_scratch);
} dns_by_cpu SEC(".maps");

/* The transport and the other end. Of TCP it is a segment. */
struct datagram {
	struct event_net net;
	__u32 at;  /* of the message in the packet */
	__u32 len; /* of the message */
	__u32 sequence;
	__u16 local_port;
	__u8 tcp_flags;
	__u8 reserved;
};

static __always_inline struct dns_scratch *dns_scratch_get(__u32 direction)
{
	return bpf_map_lookup_elem(&dns_by_cpu, &direction);
}

static __always_inline struct dns_scratch *dns_scratch_take(__u32 direction)
{
	struct dns_scratch *s = dns_scratch_get(direction);

	if (!s || __sync_lock_test_and_set(&s->is_busy, 1))
		return NULL;
	return s;
}

static __always_inline void dns_scratch_give(struct dns_scratch *s)
{
	*(volatile __u32 *)&s->is_busy = 0;
}

static __always_inline void count_lost(const struct job *job)
{
	struct kernel_stats *of_all = kernel_stats_get();
	struct job_stats *stats = stats_of(job);

	if (of_all)
		count(&of_all->names_lost);
	if (stats)
		count(&stats->names_lost);
}

/* --- headers ---------------------------------------------------------------------------------- */

static __always_inline __u32 read_v4(struct __sk_buff *skb, struct datagram *g, bool is_out)
{
	struct ipv4_start ip;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.version_length != IPV4_WITHOUT_OPTIONS ||
	    ip.fragment & bpf_htons(IPV4_FRAGMENT))
		return 0;
	g->net.family = AF_INET;
	g->net.protocol = ip.protocol;
	net_set_v4(g->net.addr, is_out ? ip.destination : ip.source);
	return sizeof(ip);
}

static __always_inline __u32 read_v6(struct __sk_buff *skb, struct datagram *g, bool is_out)
{
	struct ipv6_start ip;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return 0;
	g->net.family = AF_INET6;
	g->net.protocol = ip.protocol;
	__builtin_memcpy(g->net.addr, is_out ? ip.destination : ip.source, sizeof(g->net.addr));
	return sizeof(ip);
}

static __always_inline bool read_tcp(struct __sk_buff *skb, struct datagram *g, __u32 at)
{
	struct tcp_start tcp;

	if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)))
		return false;
	g->sequence = bpf_ntohl(tcp.sequence);
	g->tcp_flags = tcp.flags;
	g->at = at + (tcp.offset >> 4) * 4;
	return true;
}

/* False: it has no ports, or headers that packet.bpf.c refuses. */
static __noinline bool read_datagram(struct __sk_buff *skb, struct datagram *g, bool is_out)
{
	struct ports ports;
	__u8 version = 0;
	__u32 at;

	__builtin_memset(g, 0, sizeof(*g));
	if (bpf_skb_load_bytes(skb, 0, &version, sizeof(version)))
		return false;
	at = version >> 4 == 4 ? read_v4(skb, g, is_out) : read_v6(skb, g, is_out);
	if (!at || (g->net.protocol != IPPROTO_UDP && g->net.protocol != IPPROTO_TCP &&
		    g->net.protocol != PROTOCOL_UDPLITE))
		return false;
	if (bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)))
		return false;
	g->net.port = bpf_ntohs(is_out ? ports.destination : ports.source);
	g->local_port = bpf_ntohs(is_out ? ports.source : ports.destination);
	g->at = at + UDP_HEADER;
	if (g->net.protocol == IPPROTO_TCP && !read_tcp(skb, g, at))
		return false;
	g->len = skb->len > g->at ? skb->len - g->at : 0;
	return true;
}

static __always_inline bool is_resolver(const struct job *job, const struct datagram *g)
{
	__u32 slot = job->policy_slot;
	void *inner = bpf_map_lookup_elem(&resolvers_by_policy, &slot);

	return g->net.port == DNS_PORT && inner && bpf_map_lookup_elem(inner, g->net.addr);
}

/* Is there a socket at ends->local, and is it no job's? */
static __always_inline bool is_of_no_job(void *ctx, const struct ends *ends)
{
	struct tuple_v4 v4 = { .local_port = ends->local_port };
	struct tuple_v6 v6 = { .local_port = ends->local_port };
	struct bpf_sock *sk;
	bool has_mark;

	if (is_mapped(ends->local)) {
		__builtin_memcpy(&v4.local, &ends->local[12], sizeof(v4.local));
		sk = look_up(ctx, &v4, sizeof(v4), ends->is_udp);
	} else {
		__builtin_memcpy(v6.local, ends->local, sizeof(v6.local));
		sk = look_up(ctx, &v6, sizeof(v6), ends->is_udp);
	}
	if (!sk)
		return false;
	has_mark = bpf_sk_storage_get(&mark_by_sock, sk, 0, 0);
	bpf_sk_release(sk);
	return !has_mark;
}

/* --- messages --------------------------------------------------------------------------------- */

/* As a part of a path: what could mislead is a '?'. */
static __always_inline char plain(__u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ? c : '?';
}

static long name_step(__u32 i, void *data)
{
	const __u32 *direction = data;
	struct dns_scratch *s = dns_scratch_get(*direction);
	__u32 cnt, is_length, progress;

	if (!s)
		return 1;
	cnt = s->reader.cnt;
	is_length = !s->reader.left;
	progress = dns_name_step(&s->reader, s->message, s->name);
	s->progress = progress;
	if (progress != DNS_BAD && cnt)
		s->text[dns_mask(cnt - 1, DNS_NAME_SIZE)] =
			is_length ? '\0' : plain(s->name[dns_mask(cnt, DNS_NAME_SIZE)]);
	return progress != DNS_GO_ON;
}

static __always_inline bool read_name(struct dns_scratch *s, __u32 direction, __u32 len)
{
	__builtin_memset(s->name, 0, sizeof(s->name));
	s->reader = dns_reader_of(len);
	s->progress = DNS_GO_ON;
	bpf_loop(DNS_NAME_SIZE, name_step, &direction, 0);
	s->name_cnt = s->progress == DNS_DONE ? s->reader.cnt : 0;
	return s->progress == DNS_DONE;
}

/*
 * Does the job have no hold on the bytes any more? Those that it lends (MSG_ZEROCOPY, splice()) it could
 * change behind this program's back. What was copied is of one piece in a datagram; in a segment it is not, but
 * one that has pages of others' says so.
 */
static __always_inline bool is_copied(struct __sk_buff *skb, const struct datagram *g)
{
	struct sk_buff *kern = (void *)skb;
	struct skb_shared_info *shared;
	__u64 linear = (void *)(long)skb->data_end - (void *)(long)skb->data;

	if (g->net.protocol != IPPROTO_TCP)
		return linear >= skb->len;
	shared = (void *)BPF_CORE_READ(kern, head) + BPF_CORE_READ(kern, end);
	return !BPF_CORE_READ(shared, flags);
}

/* One comparison at a time, or the compiler makes one of both, of which the verifier learns nothing. */
static __always_inline bool load_message(struct __sk_buff *skb, struct dns_scratch *s,
					 const struct datagram *g, __u32 max)
{
	__u64 len = g->len;

	if (len <= DNS_HEADER_LEN)
		return false;
	barrier_var(len);
	if (len > max)
		return false;
	barrier_var(len);
	if (!len)
		return false;
	return !bpf_skb_load_bytes(skb, g->at, s->message, len);
}

/* The domain that names the name: itself, else the nearest wildcard. 0: none. */
static __noinline __u64 find_domain(const struct job *job, __u32 direction)
{
	struct dns_scratch *s = dns_scratch_get(direction);
	__u32 slot = job->policy_slot, at = 0;
	void *inner = bpf_map_lookup_elem(&names_by_policy, &slot);

	if (!s || !inner)
		return 0;
	for (int i = 0; i < DNS_NAME_SIZE / 2; i++) {
		__u8 *label = &s->name[dns_mask(at, DNS_NAME_SIZE)];
		struct name_value *value = bpf_map_lookup_elem(inner, label);
		__u64 domain = value ? (i ? value->below : value->exact) : 0;

		if (domain || !*label)
			return domain;
		at += *label + 1;
	}
	return 0;
}

/* Of a question, whoever answers it. */
static __noinline __u64 hash_question(__u32 direction, const struct event_net *net, __u32 type)
{
	struct dns_scratch *s = dns_scratch_get(direction);
	__u64 hash = mix(mix(type, word_of(net, 0)), word_of(net, 1));

	if (!s)
		return 0;
	for (int i = 0; i < DNS_NAME_SIZE / 8; i++)
		hash = mix(hash, ((const u64_alias *)s->name)[i]);
	return hash;
}

static __always_inline __u32 seconds(void)
{
	return bpf_ktime_get_boot_ns() / NS_PER_SECOND;
}

static __always_inline __u64 head_of_question(const struct dns_scratch *s, __u32 type)
{
	return (__u64)dns_u16(s->message, 0) << 48 | (__u64)type << 32;
}

#endif
