/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Egress by address: is this destination, protocol and port open?
 *
 * Every address is 128 bits, IPv4 in its mapped form, so that one trie serves both families and a
 * mapped address cannot get round a rule. The longest prefix holds the union of what the shorter
 * ones around it allow.
 */
#ifndef JOBCAGE_NET_BPF_H
#define JOBCAGE_NET_BPF_H

#include <bpf/bpf_endian.h>

#include "abi/socket.h"
#include "lib/budget.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/job.bpf.h"

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16

/* A span of port ranges is searched by halving: enough steps for 65,536 of them. */
#define PORT_STEPS 17

#define NET_ADDR_BITS 128

/* Whether anything that is sent or comes is. */
static __always_inline bool is_traffic_judged(const struct job *job)
{
	return job->policy->egress_default != EGRESS_ALLOW ||
	       job->policy->ingress_default != INGRESS_ALLOW;
}

/* In the mapped form, into 16 bytes. */
static __always_inline void net_set_v4(__u8 *ret_addr, __be32 addr)
{
	__builtin_memset(ret_addr, 0, 10);
	ret_addr[10] = 0xff;
	ret_addr[11] = 0xff;
	__builtin_memcpy(&ret_addr[12], &addr, sizeof(addr));
}

/* 127.0.0.0/8 and ::1. */
static __always_inline bool is_loopback(const __u8 *addr)
{
	__u32 word[4];

	__builtin_memcpy(word, addr, sizeof(word));
	if (word[0] || word[1])
		return false;
	return word[2] ? word[2] == bpf_htonl(0xffff) && addr[12] == 127 :
			 word[3] == bpf_htonl(1);
}

static __always_inline bool is_unspecified(const __u8 *addr)
{
	__u32 word[4];

	__builtin_memcpy(word, addr, sizeof(word));
	return !word[0] && !word[1] && (!word[2] || word[2] == bpf_htonl(0xffff)) && !word[3];
}

/*
 * The unspecified address means this host: the address that the socket is bound to, or else ::1, or
 * 127.0.0.1 in either notation.
 */
static __always_inline void net_normalise(struct event_net *net, const __u8 *source)
{
	if (!is_unspecified(source))
		__builtin_memcpy(net->addr, source, sizeof(net->addr));
	else if (net->addr[10])
		net_set_v4(net->addr, bpf_htonl(0x7f000001));
	else
		net->addr[15] = 1;
}

/*
 * What is looked for at a prefix. Inbound: the address is the peer's, the port is the job's own.
 */
struct port_question {
	__u32 protocol; /* as in port_range.protocol */
	__u16 port;
	__u16 needs_private; /* 1: a range that says so */
};

static __always_inline struct port_question question_of(const struct event_net *net, bool is_inbound)
{
	return (struct port_question){
		.protocol = socket_rule_protocol(net->protocol) | (is_inbound ? PORT_INBOUND : 0),
		.port = net->port,
	};
}

/* Negative: the range lies before (protocol, port); positive: behind it. */
static __always_inline int port_compare(const struct port_range *range,
					const struct port_question *wanted)
{
	if (range->protocol != wanted->protocol)
		return range->protocol < wanted->protocol ? -1 : 1;
	if (range->hi < wanted->port)
		return -1;
	return range->lo > wanted->port;
}

/*
 * The rule number that opens (protocol, port) in the span, or RULE_NONE. ports is the policy's
 * inner map.
 */
static __noinline __u32 port_rule(void *ports, const struct net_value *span,
				  const struct port_question *wanted)
{
	__u32 lo = span->first, hi = span->first + span->cnt;

	for (int i = 0; i < PORT_STEPS && lo < hi; i++) {
		__u32 middle = lo + (hi - lo) / 2;
		struct port_range *range = bpf_map_lookup_elem(ports, &middle);
		int order;

		if (!range)
			return RULE_NONE;
		order = port_compare(range, wanted);
		if (!order)
			return wanted->needs_private && !range->is_private ? RULE_NONE : range->rule;
		if (order < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return RULE_NONE;
}

static __always_inline bool has_rules_of_ports(const struct port_question *wanted)
{
	__u32 protocol = wanted->protocol & ~PORT_INBOUND;

	return protocol == PROTOCOL_IS_TCP || protocol == PROTOCOL_IS_UDP;
}

/*
 * What has no ports that rules could name (a ping, SCTP), of a class that the policy names, goes
 * where any egress rule leads. Their ranges come first.
 */
static __always_inline __u32 any_rule(void *ports, const struct net_value *span)
{
	__u32 first = span->first;
	struct port_range *range = span->cnt ? bpf_map_lookup_elem(ports, &first) : NULL;

	return range && !(range->protocol & PORT_INBOUND) ? range->rule : RULE_NONE;
}

/* The rule number that opens the destination, or RULE_NONE and the reason why not. */
static __noinline __u32 net_search(const struct job *job, const struct event_net *net,
				   bool is_inbound, __u8 *ret_reason)
{
	struct port_question wanted = question_of(net, is_inbound);
	struct net_key key = { .prefixlen = NET_ADDR_BITS };
	__u32 slot = job->policy_slot;
	struct net_value *span;
	void *inner;

	*ret_reason = REASON_NOT_IN_FORCE;
	inner = bpf_map_lookup_elem(&nets_by_policy, &slot);
	if (!inner)
		return RULE_NONE;
	__builtin_memcpy(key.addr, net->addr, sizeof(key.addr));
	span = bpf_map_lookup_elem(inner, &key);
	inner = bpf_map_lookup_elem(&ports_by_policy, &slot);
	if (!inner)
		return RULE_NONE;
	*ret_reason = REASON_DEFAULT;
	if (!span)
		return RULE_NONE;
	if (!has_rules_of_ports(&wanted))
		return any_rule(inner, span);
	return port_rule(inner, span, &wanted);
}

/* --- what is remembered ----------------------------------------------------------------------- */

/*
 * The answer depends on nothing but the published rules, which never change under their id, and on
 * address, port and protocol. So it may be remembered for as long as it likes, and whoever asks the
 * same again, in whatever hook, needs no search. What a job does to the table costs others a search.
 */
static __always_inline void memo_ask(const struct job *job, const struct event_net *net,
				     bool is_inbound, __u64 *ret_question)
{
	__builtin_memcpy(&ret_question[0], net->addr, sizeof(net->addr));
	ret_question[2] = job->policy->rules_id;
	ret_question[3] = (__u64)is_inbound << 32 | (__u64)net->protocol << 16 | net->port;
}

static __always_inline struct memo *memo_at(const __u64 *question)
{
	__u64 mix = question[0] ^ question[1] ^ question[2] ^ (question[3] << 40);
	__u32 index;

	mix *= 0x9e3779b97f4a7c15ULL; /* Fibonacci hashing: 2^64 by the golden ratio */
	index = (mix >> 48) % MEMO_SIZE;
	return bpf_map_lookup_elem(&memo_by_cpu, &index);
}

/* Whoever is interrupted by a writer sees another sequence and searches. */
static __always_inline bool memo_find(const struct memo *memo, const __u64 *question,
				      __u32 *ret_rule)
{
	const volatile struct memo *at = memo;
	__u32 sequence = at->sequence;

	if (at->question[0] != question[0] || at->question[1] != question[1] ||
	    at->question[2] != question[2] || at->question[3] != question[3])
		return false;
	*ret_rule = at->rule;
	return !(sequence & 1) && at->sequence == sequence;
}

static __always_inline void memo_store(struct memo *memo, const __u64 *question, __u32 rule)
{
	volatile struct memo *at = memo;
	__u32 sequence = at->sequence;

	if (sequence & 1 ||
	    __sync_val_compare_and_swap(&memo->sequence, sequence, sequence + 1) != sequence)
		return; /* interrupted a writer */
	at->question[0] = question[0];
	at->question[1] = question[1];
	at->question[2] = question[2];
	at->question[3] = question[3];
	at->rule = rule;
	at->sequence = sequence + 2;
}

/* --- what names open --------------------------------------------------------------------------- */

/* What the domain opens under the rules in force. */
static __noinline __u32 domain_rule(const struct job *job, const struct event_net *net, __u64 domain)
{
	struct port_question wanted = question_of(net, false);
	enum address_class class = address_class(net->addr);
	__u32 slot = job->policy_slot;
	struct domain_value *value;
	void *inner;

	if (class == ADDRESS_CLOSED || !has_rules_of_ports(&wanted))
		return RULE_NONE;
	wanted.needs_private = class == ADDRESS_PRIVATE;
	inner = bpf_map_lookup_elem(&domains_by_policy, &slot);
	value = inner ? bpf_map_lookup_elem(inner, &domain) : NULL;
	inner = bpf_map_lookup_elem(&ports_by_policy, &slot);
	return value && inner ? port_rule(inner, &value->span, &wanted) : RULE_NONE;
}

struct name_finding {
	__u64 domain; /* by which it is open; 0: by none */
	__u32 rule;
	__u32 is_closed; /* 1: a name that is open leads there, but does not open it */
};

static __always_inline struct learned *learned_at(const struct job *job, const struct event_net *net)
{
	__u32 slot = job->label.slot;
	void *inner = bpf_map_lookup_elem(&learned_by_job, &slot);

	return inner ? bpf_map_lookup_elem(inner, net->addr) : NULL;
}

/* Was the address an answer, and is it open by that? */
static __noinline void name_find(const struct job *job, const struct event_net *net,
				 struct name_finding *ret_finding)
{
	struct learned *learned = learned_at(job, net);
	__u64 now_ns = bpf_ktime_get_boot_ns();

	ret_finding->domain = 0;
	ret_finding->rule = RULE_NONE;
	ret_finding->is_closed = 0;
	if (!learned)
		return;
	for (int i = 0; i < LEARNED_DOMAINS; i++) {
		__u64 domain = learned->domain[i];

		if (!domain || learned->until_ns[i] <= now_ns)
			continue;
		ret_finding->rule = domain_rule(job, net, domain);
		ret_finding->domain = domain;
		if (ret_finding->rule)
			return;
	}
	ret_finding->is_closed = ret_finding->domain && address_class(net->addr);
	ret_finding->domain = 0;
}

static __always_inline __u32 name_rule(const struct job *job, const struct event_net *net, __u8 *ret_reason)
{
	struct name_finding finding;

	name_find(job, net, &finding);
	if (finding.is_closed)
		*ret_reason = REASON_PRIVATE;
	return finding.rule;
}

/* net_search(), or what it answered before. */
static __always_inline __u32 address_rule(const struct job *job, const struct event_net *net,
				      bool is_inbound, __u8 *ret_reason)
{
	__u64 question[4];
	struct memo *memo;
	__u32 rule;

	memo_ask(job, net, is_inbound, question);
	memo = memo_at(question);
	*ret_reason = REASON_DEFAULT;
	if (memo && memo_find(memo, question, &rule))
		return rule;
	rule = net_search(job, net, is_inbound, ret_reason);
	if (memo && *ret_reason == REASON_DEFAULT)
		memo_store(memo, question, rule);
	return rule;
}

/* The rule that opens the destination, or lets the peer in. */
static __always_inline __u32 net_rule(const struct job *job, const struct event_net *net,
				      bool is_inbound, __u8 *ret_reason)
{
	__u32 rule = address_rule(job, net, is_inbound, ret_reason);

	if (!rule && !is_inbound && job->policy->has_names)
		rule = name_rule(job, net, ret_reason);
	return rule;
}

/* A counted rule, or a default that counts, grants as long as something is left to be sent. */
static __always_inline bool is_within_budget(const struct job *job, struct decision *d, __u32 rule)
{
	__u32 len = d->net.protocol == PROTOCOL_IS_UDP ? 1 : SYN_BYTES, spent = RULE_NONE;

	if (!budget_is_spent(job, rule, len, &spent))
		return true;
	d->reason = REASON_BUDGET;
	d->rule = spent;
	return false;
}

/* May the job send to d->net, which is no unspecified address? If not, the decision says why. */
static __always_inline bool net_is_granted(const struct job *job, struct decision *d)
{
	__u32 rule;

	if (job->policy->egress_default == EGRESS_ALLOW)
		return true;
	rule = net_rule(job, &d->net, false, &d->reason);
	if (is_open(rule))
		return true;
	d->kind = EVENT_NET;
	d->rule = RULE_NONE;
	if (rule || job->policy->egress_default == EGRESS_COUNTED)
		return is_within_budget(job, d, rule);
	return false;
}

#endif
