// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * DNS of a job whose policy has resolvers: behind packet.bpf.c, attached to the cgroups of such jobs.
 *
 * Out: to port 53 of a resolver goes nothing but plain questions for addresses of names that rules name: one a
 * datagram, or whole ones in a segment of TCP. They are noted with their socket. In: what answers such a
 * question is learned from before the job reads it; no other datagram comes. docs/names.md says what, and why.
 *
 * What cannot be looked at (no room, a second message on the same processor) does not pass: the client asks
 * anew. Packets that packet.bpf.c refuses for their headers are left to it.
 */
#include "lib/jobcage.bpf.h"
#include "lib/cut.bpf.h"
#include "lib/dns.bpf.h"
#include "lib/learn.bpf.h"

#define ANSWER_SECONDS 10
#define STREAM_QUESTIONS 4 /* of a segment; the libraries send two at once at most */
#define STREAM_STEPS 16    /* of a segment that comes in: a message takes two to five */

/* --- out -------------------------------------------------------------------------------------- */

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
	return settle_bare(job, d, send_question) ? CGROUP_DENY : CGROUP_ALLOW;
}

/* Repeats of one name are of one kind: its hash stands where a file's number does. */
static __noinline int refuse_question(const struct job *job, const struct datagram *g, __u32 reason)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_OUT);
	struct decision d = {
		.kind = EVENT_NET, .op = OP_RESOLVE, .reason = reason,
		.flags = EVENT_BY_CGROUP,
	};

	d.net = g->net;
	if (s && s->name_cnt)
		d.file.ino = hash_question(DIRECTION_OUT, &g->net, 0);
	return settle_question(job, &d);
}

static __always_inline bool note_question(struct __sk_buff *skb, const struct dns_scratch *s,
					  const struct datagram *g, __u32 type)
{
	struct bpf_sock *sk = skb->sk;
	struct asked *asked = NULL;
	struct asked_one *one;

	if (sk)
		asked = bpf_sk_storage_get(&asked_by_sock, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!asked)
		return false;
	one = &asked->at[__sync_fetch_and_add(&asked->cnt, 1) % ASKED_CNT];
	*(volatile __u64 *)&one->head = 0;
	*(volatile __u64 *)&one->hash = hash_question(DIRECTION_OUT, &g->net, type);
	*(volatile __u64 *)&one->head = head_of_question(s, type) | (seconds() + ANSWER_SECONDS);
	return true;
}

/*
 * In one piece, of bytes that stay as they are. A function that is no static one: the verifier looks at it once,
 * not at each call, and believes nothing of its arguments.
 */
__noinline int dns_judge_question(struct __sk_buff *skb, const struct datagram *g)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_OUT);
	struct job job;

	if (!s || !g || enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	s->name_cnt = 0;
	if (!load_message(skb, s, g, DNS_QUESTION_MAX))
		return refuse_question(&job, g, REASON_QUESTION);
	if (!read_name(s, DIRECTION_OUT, g->len))
		return refuse_question(&job, g, REASON_QUESTION);
	if (!find_domain(&job, DIRECTION_OUT))
		return refuse_question(&job, g, REASON_DEFAULT);
	if (!dns_is_question(s->message, g->len) || !dns_question_end(&s->reader, s->message))
		return refuse_question(&job, g, REASON_QUESTION);
	if (note_question(skb, s, g, dns_question_type(&s->reader, s->message)))
		return CGROUP_ALLOW;
	count_lost(&job);
	return CGROUP_DENY;
}

/* The verifier must see that it is one of the two. */
static __always_inline int judge_question(struct __sk_buff *skb, const struct datagram *g)
{
	return dns_judge_question(skb, g) == CGROUP_ALLOW ? CGROUP_ALLOW : CGROUP_DENY;
}

static __always_inline int judge_datagram(struct __sk_buff *skb, const struct job *job,
					  const struct datagram *g)
{
	if (skb->gso_segs > 1 || !is_copied(skb, g))
		return refuse_question(job, g, REASON_QUESTION);
	return judge_question(skb, g);
}

/* --- out, by TCP ------------------------------------------------------------------------------ */

/* A connection that the job makes; not one that it accepts, nor what a raw socket makes up. */
static __always_inline struct stream *stream_of(struct __sk_buff *skb, __u64 flags)
{
	struct bpf_sock *sk = skb->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	if (!sk || sk->type != TYPE_STREAM)
		return NULL;
	return bpf_sk_storage_get(&stream_by_sock, sk, 0, flags);
}

static __always_inline int open_stream(struct __sk_buff *skb, const struct job *job,
				       const struct datagram *g)
{
	struct stream *stream;

	if (g->tcp_flags & TCP_FLAG_ACK) /* somebody has knocked from there */
		return refuse_question(job, g, REASON_QUESTION);
	if (g->len) /* the kernel tries without at once */
		return CGROUP_DENY;
	stream = stream_of(skb, BPF_SK_STORAGE_GET_F_CREATE);
	if (!stream)
		return CGROUP_DENY;
	stream->out_next = g->sequence + 1;
	stream->in_cnt = 0;
	stream->in_skip = 0;
	stream->is_open = 0;
	stream->is_cut = 0;
	stream->is_blind = 0;
	return CGROUP_ALLOW;
}

/* The next message; false: it is not whole. */
static __always_inline bool next_message(struct __sk_buff *skb, struct datagram *g, __u32 end)
{
	__be16 len;

	if (end - g->at < sizeof(len) || bpf_skb_load_bytes(skb, g->at, &len, sizeof(len)))
		return false;
	g->at += sizeof(len);
	g->len = bpf_ntohs(len);
	return g->len <= end - g->at;
}

/* Whole questions, each with its length before it, and nothing else. */
static __always_inline int judge_messages(struct __sk_buff *skb, const struct job *job,
					  struct datagram *g)
{
	__u32 end = g->at + g->len;

	for (int i = 0; i < STREAM_QUESTIONS; i++) {
		int verdict;

		if (!next_message(skb, g, end))
			break;
		verdict = judge_question(skb, g);
		g->at += g->len;
		if (verdict != CGROUP_ALLOW || g->at == end)
			return verdict;
	}
	return refuse_question(job, g, REASON_QUESTION);
}

/*
 * What has passed already is only sent again, however it is cut now. Urgent data would be taken out of the
 * stream at the other end, and move all that follows it. After a refusal nothing more goes out, and of that
 * nothing more is told: it is the same sent again.
 */
static __always_inline int judge_new(struct __sk_buff *skb, const struct job *job, struct stream *stream,
				     struct datagram *g)
{
	__u32 end = g->sequence + g->len, passed = stream->out_next - g->sequence;
	int verdict;

	if ((__s32)passed >= (__s32)g->len)
		return CGROUP_ALLOW;
	if (passed >= g->len || !is_copied(skb, g)) {
		verdict = refuse_question(job, g, REASON_QUESTION);
	} else {
		g->at += passed;
		g->len -= passed;
		verdict = judge_messages(skb, job, g);
	}
	if (verdict == CGROUP_ALLOW) {
		stream->out_next = end;
	} else {
		stream->is_cut = 1;
		cut(skb, job);
	}
	return verdict;
}

static __always_inline int refuse_segment(struct __sk_buff *skb, const struct job *job,
					  const struct datagram *g)
{
	int verdict = refuse_question(job, g, REASON_QUESTION);

	if (verdict != CGROUP_ALLOW)
		cut(skb, job);
	return verdict;
}

static __always_inline int judge_segment(struct __sk_buff *skb, const struct job *job,
					 struct datagram *g)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_OUT);
	struct stream *stream;

	if (!s)
		return CGROUP_DENY;
	s->name_cnt = 0;
	if (g->tcp_flags & TCP_FLAG_SYN)
		return open_stream(skb, job, g);
	stream = stream_of(skb, 0);
	if (!stream || g->tcp_flags & TCP_FLAG_URG)
		return refuse_segment(skb, job, g);
	if (!g->len)
		return CGROUP_ALLOW;
	return stream->is_cut ? CGROUP_DENY : judge_new(skb, job, stream, g);
}

/* --- out, by either --------------------------------------------------------------------------- */

/* Nothing that the job sends may look like an answer; by UDP-Lite nobody asks. */
static __always_inline bool is_misplaced(const struct datagram *g)
{
	return g->net.protocol == PROTOCOL_UDPLITE || g->local_port == DNS_PORT;
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
	if (is_misplaced(&g))
		verdict = refuse_question(&job, &g, REASON_QUESTION);
	else if (g.net.protocol == IPPROTO_TCP)
		verdict = judge_segment(skb, &job, &g);
	else
		verdict = judge_datagram(skb, &job, &g);
	dns_scratch_give(s);
	return verdict;
}

/* --- in --------------------------------------------------------------------------------------- */

/* From the message that is loaded; 1: it is an answer. As dns_judge_question(), looked at once. */
__noinline int dns_learn_message(struct __sk_buff *skb, const struct event_net *net, __u32 len)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_IN);
	struct bpf_sock *sk = skb->sk;
	struct asked *asked;
	struct job job;
	__u32 type;
	__u64 domain;

	if (!s || !sk || !net || enter_attached(&job) != ENTRY_JOB)
		return false;
	if (!dns_is_response(s->message, len) || !read_name(s, DIRECTION_IN, len))
		return false;
	type = dns_question_type(&s->reader, s->message);
	domain = type ? find_domain(&job, DIRECTION_IN) : 0;
	asked = bpf_sk_storage_get(&asked_by_sock, sk, 0, 0);
	if (!domain || !take_question(asked, head_of_question(s, type),
				      hash_question(DIRECTION_IN, net, type)))
		return false;
	return learn_all(s, &job, domain);
}

/*
 * Over the loopback comes only what was sent on this machine: it is an answer if the resolver is one of this
 * machine's, and no job.
 */
static __noinline bool is_forged(struct __sk_buff *skb, const struct event_net *net)
{
	struct ends ends = { .local_port = bpf_htons(DNS_PORT), .is_udp = net->protocol == IPPROTO_UDP };

	if (skb->ifindex != LOOPBACK_IFINDEX)
		return false;
	__builtin_memcpy(ends.local, net->addr, sizeof(ends.local));
	return !is_of_no_job(skb, &ends);
}

static __always_inline bool learn_answer(struct __sk_buff *skb, const struct datagram *g)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_IN);

	return s && load_message(skb, s, g, DNS_MESSAGE_MAX) && !is_forged(skb, &g->net) &&
	       dns_learn_message(skb, &g->net, g->len);
}

/* --- in, by TCP ------------------------------------------------------------------------------- */

/* A whole one. What it is no answer for arrives all the same: the stream could not go on without it. */
static __always_inline void read_message(struct __sk_buff *skb, const struct job *job, struct stream *stream,
					 const struct event_net *net)
{
	struct dns_scratch *s = dns_scratch_get(DIRECTION_IN);
	__u32 len = stream->in_cnt - STREAM_LENGTH;

	stream->in_cnt = 0;
	if (!s || bpf_probe_read_kernel(s->message, sizeof(s->message), stream->in + STREAM_LENGTH) ||
	    !dns_learn_message(skb, net, len))
		count_lost(job);
}

/* How many bytes complete what is begun: the length, or the message. */
static __always_inline __u32 bytes_wanted(const struct stream *stream)
{
	if (stream->in_skip)
		return stream->in_skip;
	if (stream->in_cnt < STREAM_LENGTH)
		return STREAM_LENGTH - stream->in_cnt;
	return STREAM_LENGTH + (stream->in[0] << 8 | stream->in[1]) - stream->in_cnt;
}

/* Older verifiers learn nothing from a comparison with zero. */
static __always_inline bool load_part(struct __sk_buff *skb, struct stream *stream, __u32 at, __u64 len)
{
	__u32 to = dns_mask(stream->in_cnt, DNS_MESSAGE_MAX);

	len--;
	barrier_var(len);
	if (len >= STREAM_PART)
		return false;
	return !bpf_skb_load_bytes(skb, at, stream->in + to, len + 1);
}

/* The length is there: what has no room passes unread. */
static __always_inline void begin_message(const struct job *job, struct stream *stream)
{
	__u32 len = stream->in[0] << 8 | stream->in[1];

	if (len <= DNS_MESSAGE_MAX - STREAM_LENGTH)
		return;
	stream->in_skip = len;
	stream->in_cnt = 0;
	count_lost(job);
}

/* Takes a part of the segment; how many bytes, or 0: the stream cannot be followed. */
__noinline int dns_take_part(struct __sk_buff *skb, const struct datagram *g)
{
	struct stream *stream = stream_of(skb, 0);
	struct job job;
	__u32 wanted, len;

	if (!g || !stream || enter_attached(&job) != ENTRY_JOB)
		return 0;
	wanted = bytes_wanted(stream);
	len = wanted < g->len ? wanted : g->len;
	if (stream->in_skip) {
		stream->in_skip -= len;
		return len;
	}
	if (len > STREAM_PART)
		len = STREAM_PART;
	if (!load_part(skb, stream, g->at, len))
		return 0;
	stream->in_cnt += len;
	if (stream->in_cnt == STREAM_LENGTH)
		begin_message(&job, stream);
	else if (len == wanted && stream->in_cnt > STREAM_LENGTH)
		read_message(skb, &job, stream, &g->net);
	return len;
}

static __always_inline void read_stream(struct __sk_buff *skb, const struct job *job, struct stream *stream,
					struct datagram *g)
{
	for (int i = 0; i < STREAM_STEPS && g->len; i++) {
		__u32 len = dns_take_part(skb, g);

		if (!len || len > g->len)
			break;
		g->at += len;
		g->len -= len;
	}
	if (!g->len)
		return;
	stream->is_blind = 1;
	count_lost(job);
}

/* In the order of the stream: what comes too early is sent anew. What came before is not read again. */
static __noinline int follow_stream(struct __sk_buff *skb, const struct job *job, struct datagram *g)
{
	struct stream *stream = stream_of(skb, 0);
	__u32 end = g->sequence + g->len, passed;

	if (!stream || stream->is_blind)
		return CGROUP_ALLOW;
	if (g->tcp_flags & TCP_FLAG_SYN) {
		stream->in_next = stream->is_open ? stream->in_next : end + 1;
		stream->is_open = 1;
		stream->is_blind = is_forged(skb, &g->net);
		return CGROUP_ALLOW;
	}
	passed = stream->in_next - g->sequence;
	if (!stream->is_open || !g->len || (__s32)passed >= (__s32)g->len)
		return CGROUP_ALLOW;
	if (passed >= g->len)
		return CGROUP_DENY;
	g->at += passed;
	g->len -= passed;
	stream->in_next = end;
	read_stream(skb, job, stream, g);
	return CGROUP_ALLOW;
}

/* --- in, by either ---------------------------------------------------------------------------- */

static __always_inline int settle_answer(const struct job *job, bool is_read)
{
	if (is_read)
		return CGROUP_ALLOW;
	count_lost(job);
	return job->policy->mode == MODE_AUDIT ? CGROUP_ALLOW : CGROUP_DENY;
}

SEC("cgroup_skb/ingress")
int dns_ingress(struct __sk_buff *skb)
{
	struct dns_scratch *s;
	struct datagram g;
	struct job job;
	int verdict;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	if (!job.policy->has_names || !read_datagram(skb, &g, false))
		return CGROUP_ALLOW;
	if (g.net.protocol == PROTOCOL_UDPLITE || !is_resolver(&job, &g))
		return CGROUP_ALLOW;
	s = dns_scratch_take(DIRECTION_IN);
	if (!s)
		return settle_answer(&job, false);
	if (g.net.protocol == IPPROTO_TCP)
		verdict = follow_stream(skb, &job, &g);
	else
		verdict = settle_answer(&job, learn_answer(skb, &g));
	dns_scratch_give(s);
	return verdict;
}
