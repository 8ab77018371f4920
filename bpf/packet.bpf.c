// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets of the job's sockets, judged by what stands in the packet itself: behind all other hooks on
 * the way out, and the only one on the way in. What leaves under a budget is counted here.
 *
 * Out: whatever way a packet came about, its destination must be one that a rule opens. Answers to peers
 * that an ingress rule lets in pass, and so does the loopback to the job's own sockets. What would lead
 * a packet elsewhere than its destination says (IP options, IPv6 extension headers), or hides its ports
 * (fragments), is refused; the kernel takes its own packets apart only after this.
 *
 * In: a connection needs an ingress rule; its further packets do not. A datagram needs one too, unless
 * it comes from where the job may send. The job's own sockets reach each other.
 *
 * These programs run for the socket, in whatever task the processor happens to be: a record names no
 * process. A datagram that is refused on its way out fails with EPERM. TCP would send anew in vain:
 * connect() has refused before, and a connection that was open is cut. Who knocks from outside in vain
 * hears nothing.
 */
#include "lib/jobcage.bpf.h"
#include "lib/cut.bpf.h"
#include "lib/headers.bpf.h"
#include "lib/own.bpf.h"
#include "lib/spend.bpf.h"

/* Of a raw socket, which has its protocol for a local port: below IPPROTO_MAX (263), which may grow. */
#define RAW_PORTS 1024

struct packet {
	struct event_net net; /* the other end, and its port */
	__be16 local_port, remote_port;
	__u8 local[NET_ADDR_BITS / 8];
	__u8 tcp_flags;
};

static __always_inline void *data_of(struct __sk_buff *skb)
{
	return (void *)(long)skb->data;
}

static __always_inline bool is_inside(struct __sk_buff *skb, void *end)
{
	return end <= (void *)(long)skb->data_end;
}

static __always_inline bool read_ports(struct __sk_buff *skb, struct packet *p, void *at, bool is_out)
{
	struct tcp_start *tcp = at;
	struct ports *ports = at;

	if (p->net.protocol == IPPROTO_TCP) {
		if (!is_inside(skb, tcp + 1))
			return false;
		p->tcp_flags = tcp->flags;
	} else if (p->net.protocol != IPPROTO_UDP && p->net.protocol != PROTOCOL_UDPLITE) {
		return true;
	} else if (!is_inside(skb, ports + 1)) {
		return false;
	}
	p->local_port = is_out ? ports->source : ports->destination;
	p->remote_port = is_out ? ports->destination : ports->source;
	p->net.port = bpf_ntohs(p->remote_port);
	return true;
}

static __always_inline bool read_v4(struct __sk_buff *skb, struct packet *p, bool is_out)
{
	struct ipv4_start *ip = data_of(skb);

	if (!is_inside(skb, ip + 1))
		return false;
	p->net.family = AF_INET;
	p->net.protocol = ip->protocol;
	net_set_v4(p->net.addr, is_out ? ip->destination : ip->source);
	net_set_v4(p->local, is_out ? ip->source : ip->destination);
	if (ip->version_length != IPV4_WITHOUT_OPTIONS || ip->fragment & bpf_htons(IPV4_FRAGMENT))
		return false;
	return read_ports(skb, p, ip + 1, is_out);
}

/* Of the protocols above IPv6 only these have no further header between. */
static __always_inline bool is_transport(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == PROTOCOL_ICMPV6 ||
	       protocol == PROTOCOL_SCTP || protocol == PROTOCOL_DCCP ||
	       protocol == PROTOCOL_UDPLITE;
}

static __always_inline bool read_v6(struct __sk_buff *skb, struct packet *p, bool is_out)
{
	struct ipv6_start *ip = data_of(skb);

	if (!is_inside(skb, ip + 1))
		return false;
	p->net.family = AF_INET6;
	p->net.protocol = ip->protocol;
	__builtin_memcpy(p->net.addr, is_out ? ip->destination : ip->source, sizeof(p->net.addr));
	__builtin_memcpy(p->local, is_out ? ip->source : ip->destination, sizeof(p->local));
	if (!is_transport(ip->protocol))
		return false;
	return read_ports(skb, p, ip + 1, is_out);
}

static __always_inline bool is_v4(struct __sk_buff *skb)
{
	__u8 *first = data_of(skb);

	return is_inside(skb, first + 1) && *first >> 4 == 4;
}

static __always_inline bool read_packet(struct __sk_buff *skb, struct packet *p, bool is_out)
{
	__builtin_memset(p, 0, sizeof(*p));
	return is_v4(skb) ? read_v4(skb, p, is_out) : read_v6(skb, p, is_out);
}

static __always_inline bool is_opening(const struct packet *p)
{
	return (p->tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;
}

/* --- what both ways share --------------------------------------------------------------------- */

/* The ingress rule that lets the other end come to this port. */
static __always_inline __u32 inbound_rule(const struct job *job, const struct packet *p)
{
	struct event_net net = p->net;
	__u8 reason;

	net.port = bpf_ntohs(p->local_port);
	return net_rule(job, &net, true, &reason);
}

/* Is the socket, of a packet of TCP, a connection's or a listener's, and no raw one? Most ports tell without a call. */
static __always_inline bool is_stream(struct bpf_sock *sk)
{
	if (sk->src_port >= RAW_PORTS)
		return true;
	sk = bpf_sk_fullsock(sk);
	return sk && sk->type == TYPE_STREAM;
}

static __always_inline struct sock_mark *mark_of(struct bpf_sock *sk)
{
	return bpf_sk_storage_get(&mark_by_sock, sk, 0, 0);
}

/* Of a connection; what a raw socket sends is none. */
static __always_inline struct sock_mark *mark_of_stream(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk && is_stream(sk) ? mark_of(sk) : NULL;
}

/* The other end as it sees itself. */
static __always_inline struct ends far_end(const struct packet *p)
{
	struct ends ends = {
		.local_port = p->remote_port,
		.remote_port = p->local_port,
		.is_udp = p->net.protocol == IPPROTO_UDP,
	};

	__builtin_memcpy(ends.local, p->net.addr, sizeof(ends.local));
	__builtin_memcpy(ends.remote, p->local, sizeof(ends.remote));
	return ends;
}

static __always_inline long send_packet(const struct job *job, const struct decision *d, bool is_first)
{
	struct outlet outlet = {
		.ring = ring_of(job), .evidence = evidence_of(job),
		.keep = is_first ? 0 : RING_FOR_FIRSTS,
	};

	return outlet.ring ? send_bare(&outlet, job, d, false) : -ENOSPC;
}

static __noinline bool settle_packet(const struct job *job, struct decision *d)
{
	return settle_bare(job, d, send_packet);
}

struct refusal {
	__u8 op;     /* enum event_op */
	__u8 reason; /* enum event_reason */
	__u32 rule;
};

static __noinline int refuse(const struct job *job, const struct packet *p,
			     const struct refusal *refusal)
{
	struct decision d = {
		.kind = EVENT_NET, .op = refusal->op, .reason = refusal->reason,
		.flags = EVENT_BY_CGROUP, .rule = refusal->rule,
	};

	d.net = p->net;
	if (refusal->op == OP_PACKET_IN)
		d.net.port = bpf_ntohs(p->local_port);
	return settle_packet(job, &d) ? CGROUP_DENY : CGROUP_ALLOW;
}

/* --- out: to whom ------------------------------------------------------------------------------ */

/* A connection's other end stays who it is, so it is looked for once. */
static __always_inline bool is_to_own_tcp(struct __sk_buff *skb, const struct job *job,
					  const struct packet *p)
{
	struct sock_mark *mark = mark_of_stream(skb);
	struct ends ends = far_end(p);
	enum owner owner;

	if (mark && p->tcp_flags & TCP_FLAG_SYN && !is_opening(p))
		return true; /* the answer to a SYN that was let in */
	if (mark && mark->flags & SOCK_PEER_IS_OWN)
		return true;
	owner = find_owner(skb, &job->label, &ends);
	if (owner == OWNER_JOB && mark && !is_opening(p))
		__sync_fetch_and_or(&mark->flags, SOCK_PEER_IS_OWN);
	return owner != OWNER_OTHER;
}

/* The loopback's, in both notations that kernels know: whoever listens there hears it. */
static __always_inline bool is_broadcast(const __u8 *addr)
{
	__be32 v4;

	__builtin_memcpy(&v4, &addr[12], sizeof(v4));
	return v4 == bpf_htonl(0x7fffffff) || v4 == bpf_htonl(0x7f000000);
}

/* Apart, because the stack is short. */
static __noinline bool is_to_own_at_loopback(struct __sk_buff *skb, const struct job *job,
					     const struct packet *p)
{
	struct ends ends;

	if (p->net.protocol == IPPROTO_TCP)
		return is_to_own_tcp(skb, job, p);
	if (p->net.protocol != IPPROTO_UDP || is_broadcast(p->net.addr))
		return false;
	ends = far_end(p);
	return find_owner(skb, &job->label, &ends) != OWNER_OTHER;
}

static __always_inline bool is_to_own(struct __sk_buff *skb, const struct job *job,
				      const struct packet *p)
{
	return is_loopback(p->net.addr) && is_to_own_at_loopback(skb, job, p);
}

/*
 * In audit mode a socket's destinations are told of once, here or where it connects and sends. One
 * without a mark is the kernel's own, under one that was told of (MPTCP).
 */
static __always_inline bool is_told(struct __sk_buff *skb, const struct job *job)
{
	struct sock_mark *mark;
	struct bpf_sock *sk;

	if (job->policy->mode != MODE_AUDIT)
		return false;
	sk = skb->sk;
	mark = sk ? mark_of(sk) : NULL;
	return !mark || __sync_fetch_and_or(&mark->flags, SOCK_IS_TOLD) & SOCK_IS_TOLD;
}

/* By which rule a packet goes that no egress rule lets go: the ingress rule of what it answers. */
static __always_inline __u32 answered_rule(const struct job *job, const struct packet *p)
{
	if (p->net.protocol != IPPROTO_TCP && p->net.protocol != IPPROTO_UDP)
		return RULE_NONE;
	return is_opening(p) ? RULE_NONE : inbound_rule(job, p);
}

/* A raw socket may begin connections to many. */
static __always_inline bool is_kept_for(const struct sock_mark *mark, const struct packet *p)
{
	__u64 marked[2], wanted[2];

	__builtin_memcpy(marked, mark->domain_addr, sizeof(marked));
	__builtin_memcpy(wanted, p->net.addr, sizeof(wanted));
	return mark->domain && marked[0] == wanted[0] && marked[1] == wanted[1];
}

/*
 * A connection goes on when its address is not an answer any more, as long as the domain by which it was
 * opened is open.
 */
static __noinline __u32 kept_rule(struct __sk_buff *skb, const struct job *job, const struct packet *p)
{
	struct sock_mark *mark = p->net.protocol == IPPROTO_TCP ? mark_of_stream(skb) : NULL;
	struct name_finding finding;

	if (!mark)
		return RULE_NONE;
	if (!is_opening(p))
		return is_kept_for(mark, p) ? domain_rule(job, &p->net, mark->domain) : RULE_NONE;
	name_find(job, &p->net, &finding);
	mark->domain = 0;
	__builtin_memcpy(mark->domain_addr, p->net.addr, sizeof(mark->domain_addr));
	mark->domain = finding.domain;
	return RULE_NONE;
}

/* --- what is counted -------------------------------------------------------------------------- */

/* Of the IP header and the one after it. */
static __always_inline __u32 headers_len(struct __sk_buff *skb, const struct packet *p)
{
	__u32 ip_len = p->net.family == AF_INET ? sizeof(struct ipv4_start) :
						  sizeof(struct ipv6_start);
	struct tcp_start *tcp = data_of(skb) + ip_len;

	if (p->net.protocol != IPPROTO_TCP)
		return ip_len + UDP_HEADER;
	return is_inside(skb, tcp + 1) ? ip_len + (tcp->offset >> 4) * 4 : ip_len;
}

/* What arrives of it: each of the packets that it is cut into has its own headers. */
static __always_inline __u32 bytes_of(struct __sk_buff *skb, const struct packet *p)
{
	__u32 segments = skb->gso_segs;

	return segments > 1 ? skb->len + (segments - 1) * headers_len(skb, p) : skb->len;
}

/* A SYN, or the answer to one; not if it is sent again. */
static __always_inline bool is_connection(struct __sk_buff *skb, const struct packet *p)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;

	if (!sk || !(p->tcp_flags & TCP_FLAG_SYN))
		return false;
	tcp = bpf_tcp_sock(sk);
	return !is_opening(p) || !tcp || !tcp->total_retrans;
}

static __always_inline void note_destination(struct __sk_buff *skb, const struct job *job,
					     const struct packet *p, __u32 rule, __u32 len)
{
	struct destination_key key = {
		.label = job->label, .port = p->net.port, .protocol = p->net.protocol
	};

	__builtin_memcpy(key.addr, p->net.addr, sizeof(key.addr));
	if (RULE_BUDGET(rule) == BUDGET_INBOUND) {
		key.port = bpf_ntohs(p->local_port);
		key.is_inbound = 1;
	}
	destination_count(&key, len, is_connection(skb, p));
}

/*
 * Takes what a packet by a counted rule needs, and notes where it goes; or says why it must not go. In
 * audit mode it may be both.
 */
static __noinline bool spend(struct __sk_buff *skb, const struct job *job, const struct packet *p,
			     __u32 rule, struct refusal *refusal)
{
	__u32 len = bytes_of(skb, p);
	int verdict = budget_take(job, rule, len);

	if (verdict == BUDGET_HAS_ROOM || job->policy->mode == MODE_AUDIT)
		note_destination(skb, job, p, rule, len);
	if (verdict == BUDGET_HAS_ROOM)
		return true;
	refusal->reason = REASON_BUDGET;
	if (verdict == BUDGET_OF_RULE_IS_SPENT)
		refusal->rule = rule & RULE_NUMBER_MASK;
	return false;
}

/*
 * A socket that begins anew, or that others knock at, is not what was cut, and its peer is not who it was, by
 * whatever rule the SYN goes.
 */
static __noinline int begin_anew(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct sock_mark *mark = sk ? mark_of(sk) : NULL;

	if (mark && mark->flags & (SOCK_IS_CUT | SOCK_PEER_IS_OWN))
		__sync_fetch_and_and(&mark->flags, ~(SOCK_IS_CUT | SOCK_PEER_IS_OWN));
	return 0;
}

/*
 * To the loopback's addresses, by another device: a socket may be bound to one (SO_BINDTODEVICE), and each datagram
 * (IP_PKTINFO). Then it is a stranger's address, which no rule means.
 */
static __always_inline bool is_astray(struct __sk_buff *skb, const struct packet *p)
{
	return skb->ifindex != LOOPBACK_IFINDEX && is_loopback(p->net.addr);
}

/*
 * What is not open without being counted. What leads to the job's own sockets does not leave: it is
 * counted if a rule names it, and never too much.
 */
SEC("cgroup_skb/egress")
int packet_egress(struct __sk_buff *skb)
{
	struct refusal refusal = { .op = OP_PACKET_OUT, .reason = REASON_DEFAULT };
	struct packet p;
	struct job job;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	if (job.policy->egress_default == EGRESS_ALLOW)
		return CGROUP_ALLOW;
	if (!read_packet(skb, &p, true)) {
		refusal.reason = REASON_HEADER;
	} else if (!is_astray(skb, &p)) {
		__u32 rule = job.policy->has_names ? kept_rule(skb, &job, &p) : RULE_NONE;

		if (p.tcp_flags & TCP_FLAG_SYN)
			begin_anew(skb);
		if (!rule)
			rule = net_rule(&job, &p.net, false, &refusal.reason) ?:
			       answered_rule(&job, &p);
		if (is_open(rule) || (rule && spend(skb, &job, &p, rule, &refusal)) ||
		    is_to_own(skb, &job, &p))
			return CGROUP_ALLOW;
	}
	if (job.policy->egress_default == EGRESS_COUNTED && refusal.reason != REASON_BUDGET &&
	    spend(skb, &job, &p, RULE_NONE, &refusal))
		return CGROUP_ALLOW;
	if (is_told(skb, &job) || refuse(&job, &p, &refusal) == CGROUP_ALLOW)
		return CGROUP_ALLOW;
	if (p.net.protocol == IPPROTO_TCP)
		cut(skb, &job);
	return CGROUP_DENY;
}

/* --- in --------------------------------------------------------------------------------------- */

/* TCP of a connection that was let in, or that the job made. Raw sockets get a copy of everybody's. */
static __always_inline bool is_of_connection(struct __sk_buff *skb)
{
	struct ipv4_start *ip = data_of(skb);
	struct ipv6_start *ip6 = data_of(skb);
	struct tcp_start *tcp = (void *)(ip + 1);
	struct bpf_sock *sk = skb->sk;

	if (!sk || !is_stream(sk) || !is_inside(skb, ip + 1))
		return false;
	if (ip->version_length != IPV4_WITHOUT_OPTIONS) {
		if (!is_inside(skb, ip6 + 1) || is_v4(skb) || ip6->protocol != IPPROTO_TCP)
			return false;
		tcp = (void *)(ip6 + 1);
	} else if (ip->protocol != IPPROTO_TCP) {
		return false;
	}
	return is_inside(skb, tcp + 1) &&
	       (tcp->flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) != TCP_FLAG_SYN;
}

/*
 * A connection is the job's own if one of its sockets is just connecting with these very addresses and
 * ports. A datagram from an address of the loopback, if the port there is the job's. Apart, because the stack is
 * short.
 */
static __noinline bool is_from_own(struct __sk_buff *skb, const struct job *job,
					const struct packet *p)
{
	struct ends ends = far_end(p);

	if (p->net.protocol == IPPROTO_TCP)
		return find_connecting(skb, &job->label, &ends) == OWNER_JOB;
	return p->net.protocol == IPPROTO_UDP && is_loopback(p->net.addr) &&
	       find_owner(skb, &job->label, &ends) == OWNER_JOB;
}

static __always_inline bool is_asked_for(const struct job *job, const struct packet *p,
					 __u8 *ret_reason)
{
	if (p->net.protocol == IPPROTO_TCP)
		return false;
	return job->policy->egress_default >= EGRESS_ALLOW ||
	       net_rule(job, &p->net, false, ret_reason);
}

static __always_inline int judge_incoming(struct __sk_buff *skb)
{
	struct refusal refusal = { .op = OP_PACKET_IN, .reason = REASON_DEFAULT };
	struct packet p;
	struct job job;

	if (enter_attached(&job) != ENTRY_JOB)
		return CGROUP_DENY;
	if (job.policy->ingress_default == INGRESS_ALLOW)
		return CGROUP_ALLOW;
	if (!read_packet(skb, &p, false))
		refusal.reason = REASON_HEADER;
	else if (inbound_rule(&job, &p) || is_asked_for(&job, &p, &refusal.reason) ||
		 is_from_own(skb, &job, &p))
		return CGROUP_ALLOW;
	return refuse(&job, &p, &refusal);
}

/* What is of a connection comes whatever the rules say: most packets. */
SEC("cgroup_skb/ingress")
int packet_ingress(struct __sk_buff *skb)
{
	return is_of_connection(skb) ? CGROUP_ALLOW : judge_incoming(skb);
}
