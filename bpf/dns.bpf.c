// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * DNS of a job whose policy has resolvers: behind packet.bpf.c, attached to the cgroups of such jobs.
 *
 * Out: to port 53 of a resolver goes nothing but one plain question for an address of a name that a rule names.
 * It is noted with its socket. In: nothing comes from there but the answer to such a question, and its
 * addresses are learned before the job reads it. docs/names.md says what, and why.
 *
 * What cannot be looked at (no room, a second message on the same processor) does not pass: the client asks
 * anew. Packets that packet.bpf.c refuses for their headers are left to it.
 */
#include "lib/jobcage.bpf.h"
#include "lib/dns.bpf.h"

#define ANSWER_SECONDS 10
#define BPF_NOEXIST 1 /* include/uapi/linux/bpf.h */

/* --- out -------------------------------------------------------------------------------------- */

static __noinline int sort_question(const struct job *job, const struct decision *d)
{
	return sort_act(job, d, false);
}

/* The labels stand behind the record. */
static __noinline long send_question(const struct job *job, const struct decision *d, bool is_first)
{
	struct outlet outlet = { .ring = ring_of(job), .evidence = evidence_of(job) };
	struct dns_scratch *s = dns_scratch_get(DIRECTION_OUT);
	__u64 len;

	if (!s || !outlet.ring)
		return -ENOSPC;
	outlet.keep = is_first ? 0 : RING_FOR_FIRSTS;
	fill_decision(&s->event, job, d);
	len = s->name_cnt ? s->name_cnt - 1 : 0;
	barrier_var(len);
	if (len > DNS_NAME_SIZE)
		return -E2BIG;
	s->event.path_len = len;
	s->event.strings_len = len;
	return ring_put(&outlet, &s->event, sizeof(s->event) + len);
}

static __noinline int settle_question(const struct job *job, struct decision *d)
{
	struct job_stats *stats = count_refusal(job, d);
	int sorted;

	if (!stats)
		return d->verdict == VERDICT_DENY ? CGROUP_DENY : CGROUP_ALLOW;
	d->sequence = __sync_fetch_and_add(&stats->sequence, 1) + 1;
	sorted = sort_question(job, d);
	if (sorted == ACT_FOLDED)
		count(&stats->folded);
	else if (!send_question(job, d, first_of(sorted)))
		count(&stats->emitted);
	else
		count_unsent(sorted, job, d, stats);
	return d->verdict == VERDICT_DENY ? CGROUP_DENY : CGROUP_ALLOW;
}

/* Repeats of one name are of one kind: its hash stands where a file's number does. */
static __noinline int refuse_question(const struct job *job, const struct datagram *g, __u32 reason)
{
	struct decision d = {
		.kind = EVENT_NET, .op = OP_RESOLVE, .reason = reason,
		.flags = EVENT_BY_CGROUP | EVENT_WITHOUT_TASK,
	};

	d.net = g->net;
	d.file.ino = hash_question(DIRECTION_OUT, &g->net, 0);
	return settle_question(job, &d);
}

static __always_inline bool note_question(struct __sk_buff *skb, const struct dns_scratch *s,
					  const struct datagram *g, __u32 type)
{
	struct bpf_sock *sk = skb->sk;
	struct asked *asked;
	struct asked_one *one;

	asked = sk ? bpf_sk_storage_get(&asked_by_sock, sk, 0, BPF_SK_STORAGE_GET_F_CREATE) : NULL;
	if (!asked)
		return false;
	one = &asked->at[__sync_fetch_and_add(&asked->cnt, 1) % ASKED_CNT];
	*(volatile __u64 *)&one->head = 0;
	*(volatile __u64 *)&one->hash = hash_question(DIRECTION_OUT, &g->net, type);
	*(volatile __u64 *)&one->head = head_of_question(s, type) | (seconds() + ANSWER_SECONDS);
	return true;
}

static __always_inline int judge_question(struct __sk_buff *skb, const struct job *job,
					  struct dns_scratch *s, const struct datagram *g)
{
	s->name_cnt = 0;
	if (skb->gso_segs > 1 || !load_message(skb, s, g, DNS_QUESTION_MAX))
		return refuse_question(job, g, REASON_QUESTION);
	if (!read_name(s, DIRECTION_OUT, g->len))
		return refuse_question(job, g, REASON_QUESTION);
	if (!find_domain(job, DIRECTION_OUT))
		return refuse_question(job, g, REASON_DEFAULT);
	if (!dns_is_question(s->message, g->len) || !dns_question_end(&s->reader, s->message))
		return refuse_question(job, g, REASON_QUESTION);
	return note_question(skb, s, g, dns_question_type(&s->reader, s->message)) ? CGROUP_ALLOW :
										  CGROUP_DENY;
}

/* Nothing but a datagram asks, and nothing that the job sends may look like an answer. */
static __always_inline bool is_misplaced(const struct datagram *g, bool is_to_resolver)
{
	return g->net.protocol == IPPROTO_TCP ? is_to_resolver :
	       g->net.protocol == PROTOCOL_UDPLITE ? is_to_resolver || g->local_port == DNS_PORT :
						     g->local_port == DNS_PORT;
}

SEC("cgroup_skb/egress")
int dns_egress(struct __sk_buff *skb)
{
	struct dns_scratch *s;
	bool is_to_resolver;
	struct datagram g;
	struct job job;
	int verdict;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	if (!job.policy->has_names || !read_datagram(skb, &g, true))
		return CGROUP_ALLOW;
	is_to_resolver = is_resolver(&job, &g);
	if (!is_to_resolver && g.local_port != DNS_PORT)
		return CGROUP_ALLOW;
	s = dns_scratch_take(DIRECTION_OUT);
	if (!s) {
		count_lost(&job);
		return CGROUP_DENY;
	}
	s->name_cnt = 0;
	if (is_misplaced(&g, is_to_resolver))
		verdict = refuse_question(&job, &g, REASON_QUESTION);
	else
		verdict = judge_question(skb, &job, s, &g);
	dns_scratch_give(s);
	return verdict;
}

/* --- in --------------------------------------------------------------------------------------- */

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

static __noinline bool learn_answer(struct __sk_buff *skb, const struct job *job, const struct datagram *g)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_IN);
	struct bpf_sock *sk = skb->sk;
	struct asked *asked;
	__u32 type;
	__u64 domain;

	if (!s || !sk || !load_message(skb, s, g, DNS_MESSAGE_MAX))
		return false;
	if (!dns_is_response(s->message, g->len) || !read_name(s, DIRECTION_IN, g->len))
		return false;
	type = dns_question_type(&s->reader, s->message);
	domain = type ? find_domain(job, DIRECTION_IN) : 0;
	asked = bpf_sk_storage_get(&asked_by_sock, sk, 0, 0);
	if (!domain || !take_question(asked, head_of_question(s, type),
				      hash_question(DIRECTION_IN, &g->net, type)))
		return false;
	return learn_all(s, job, domain);
}

SEC("cgroup_skb/ingress")
int dns_ingress(struct __sk_buff *skb)
{
	struct dns_scratch *s;
	struct datagram g;
	struct job job;
	bool is_read;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	if (!job.policy->has_names || !read_datagram(skb, &g, false))
		return CGROUP_ALLOW;
	if (g.net.protocol != IPPROTO_UDP || !is_resolver(&job, &g))
		return CGROUP_ALLOW;
	s = dns_scratch_take(DIRECTION_IN);
	is_read = s && learn_answer(skb, &job, &g);
	if (s)
		dns_scratch_give(s);
	if (is_read)
		return CGROUP_ALLOW;
	count_lost(&job);
	return job.policy->mode == MODE_AUDIT ? CGROUP_ALLOW : CGROUP_DENY;
}
