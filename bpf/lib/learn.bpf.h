/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an answer teaches: the question that it is for, its addresses, and where they are kept. The message, and
 * how far it was read, is in the processor's buffer, see dns.bpf.h.
 */
#ifndef JOBCAGE_LEARN_BPF_H
#define JOBCAGE_LEARN_BPF_H

#include "lib/dns.bpf.h"

/* Takes the question that this answers; false: there is none. */
static __noinline bool take_question(struct asked *asked, __u64 head, __u64 hash)
{
	__u32 now = seconds();

	for (int i = 0; asked && i < ASKED_CNT; i++) {
		struct asked_one *one = &asked->at[i];
		__u64 found = *(volatile __u64 *)&one->head;

		if (found >> 32 == head >> 32 && (__u32)found >= now && one->hash == hash)
			return __sync_val_compare_and_swap(&one->head, found, 0) == found;
	}
	return false;
}

static __always_inline __u64 until_of(const struct dns_scratch *s)
{
	__u64 ttl = s->walk.ttl;

	if (ttl < NAME_TTL_MIN)
		ttl = NAME_TTL_MIN;
	if (ttl > NAME_TTL_MAX)
		ttl = NAME_TTL_MAX;
	return s->lesson.now_ns + ttl * NS_PER_SECOND;
}

static __always_inline void set_until(struct learned *learned, int i, __u64 until_ns)
{
	volatile __u64 *at = &learned->until_ns[i];

	if (*at < until_ns)
		*at = until_ns;
}

/* Beside others that the address is an answer for; in the place of one that is out of date. */
static __always_inline bool learn_more(struct learned *learned, const struct dns_scratch *s)
{
	for (int i = 0; i < LEARNED_DOMAINS; i++)
		if (learned->domain[i] == s->lesson.domain) {
			set_until(learned, i, until_of(s));
			return true;
		}
	for (int i = 0; i < LEARNED_DOMAINS; i++) {
		__u64 old = learned->domain[i];

		if (old && learned->until_ns[i] > s->lesson.now_ns)
			continue;
		if (__sync_val_compare_and_swap(&learned->domain[i], old, s->lesson.domain) == old) {
			*(volatile __u64 *)&learned->until_ns[i] = until_of(s);
			return true;
		}
	}
	return false;
}

static __always_inline void read_address(const struct dns_scratch *s, __u8 *addr)
{
	const struct dns_walk *walk = &s->walk;

	__builtin_memset(addr, 0, NET_ADDR_BITS / 8);
	if (walk->address_len == 4) {
		addr[10] = 0xff;
		addr[11] = 0xff;
		for (int i = 0; i < 4; i++)
			addr[12 + i] = dns_u8(s->message, walk->address_at + i);
		return;
	}
	for (int i = 0; i < 16; i++)
		addr[i] = dns_u8(s->message, walk->address_at + i);
}

static __always_inline bool learn(struct dns_scratch *s)
{
	void *inner = bpf_map_lookup_elem(&learned_by_job, &s->lesson.slot);
	__u8 addr[NET_ADDR_BITS / 8];
	struct learned *learned;

	if (!inner)
		return false;
	read_address(s, addr);
	learned = bpf_map_lookup_elem(inner, addr);
	if (learned)
		return learn_more(learned, s);
	s->learned.domain[0] = s->lesson.domain;
	s->learned.until_ns[0] = until_of(s);
	if (!bpf_map_update_elem(inner, addr, &s->learned, BPF_NOEXIST))
		return true;
	learned = bpf_map_lookup_elem(inner, addr); /* another processor was first */
	return learned && learn_more(learned, s);
}

static long walk_step(__u32 i, void *data)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_IN);
	__u32 progress;

	if (!s)
		return 1;
	progress = dns_walk_step(&s->walk, s->message);
	s->progress = progress;
	if (progress == DNS_ADDRESS && !s->lesson.is_dry && !learn(s))
		s->lesson.lost_cnt++;
	return progress == DNS_DONE || progress == DNS_BAD;
}

/* Removes an address if all that it was an answer for is out of date. */
static long forget_old(void *map, const void *key, void *value, void *data)
{
	const __u64 *now_ns = data;
	struct learned *learned = value;

	for (int i = 0; i < LEARNED_DOMAINS; i++)
		if (learned->domain[i] && learned->until_ns[i] > *now_ns)
			return 0;
	bpf_map_delete_elem(map, key);
	return 0;
}

static __always_inline void make_room(struct dns_scratch *s)
{
	void *inner = bpf_map_lookup_elem(&learned_by_job, &s->lesson.slot);
	__u64 now_ns = s->lesson.now_ns;

	if (inner)
		bpf_for_each_map_elem(inner, forget_old, &now_ns, 0);
}

static __always_inline void walk_all(struct dns_scratch *s)
{
	s->walk = dns_walk_of(&s->reader, s->message);
	s->progress = DNS_GO_ON;
	s->lesson.lost_cnt = 0;
	bpf_loop(DNS_STEPS, walk_step, NULL, 0);
}

/* All of its addresses, or none: it does not read well. What did not fit is tried once more. */
static __always_inline bool learn_all(struct dns_scratch *s, const struct job *job, __u64 domain)
{
	s->lesson.domain = domain;
	s->lesson.now_ns = bpf_ktime_get_boot_ns();
	s->lesson.slot = job->label.slot;
	s->lesson.is_dry = 1;
	walk_all(s);
	if (s->progress != DNS_DONE)
		return false;
	s->lesson.is_dry = 0;
	walk_all(s);
	if (!s->lesson.lost_cnt)
		return true;
	make_room(s);
	walk_all(s);
	if (s->lesson.lost_cnt)
		count_lost(job);
	return true;
}

#endif
