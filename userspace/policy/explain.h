/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel would say of a destination or a peer, without a kernel: asked of the very tables that
 * it gets, in the same way.
 */
#ifndef JOBCAGE_POLICY_EXPLAIN_H
#define JOBCAGE_POLICY_EXPLAIN_H

#include "policy/policy.h"

struct flow {
	uint8_t addr[16];  /* of the other end; network order, IPv4 mapped */
	uint8_t protocol;  /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;     /* where the connection or datagram goes to */
	bool is_inbound;   /* it comes from the other end, to the job's port */
	char name[DNS_NAME_MAX + 1]; /* by which the other end was found, lower case; else empty */
};

struct explanation {
	bool is_allowed;
	bool is_public_only;     /* allowed by name, as long as the address is no private one */
	bool is_loopback;        /* out: the job's own sockets are open there, whatever the rules say */
	const struct rule *rule; /* NULL: none, the default decides */
};

/*
 * "192.0.2.1:443", "[2001:db8::1]:443". Sets addr and port; false, and nothing set, if it is neither. Out, the
 * unspecified address becomes the loopback's.
 */
bool flow_parse(const char *text, struct flow *flow);

/*
 * "a.example:443": sets name and port; an answer to it that is private needs a rule that says so. False, and
 * nothing set, if no domain of a policy could be called so.
 */
bool flow_parse_name(const char *text, struct flow *flow);

struct explanation explain_flow(const struct policy *policy, const struct egress_tables *tables,
				const struct flow *flow);

#endif
