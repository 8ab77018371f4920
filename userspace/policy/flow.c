// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What may go out of a job and come in to it: the sections 'egress' and 'ingress', and their rules. */
#include "policy/draft.h"
#include "policy/read.h"
#include "policy/rule.h"
#include "policy/value.h"

enum {
	NET_ID,
	NET_CIDR,
	NET_PROTOCOL,
	NET_PORTS,
	NET_DOMAIN,
	NET_PRIVATE,
	NET_MAX_BYTES,
	NET_FIELD_CNT,
};

static const struct field net_fields[] = {
	[NET_ID] = { "id", KIND_STRING },
	[NET_CIDR] = { "cidr", KIND_STRING },
	[NET_PROTOCOL] = { "protocol", KIND_STRING },
	[NET_PORTS] = { "ports", KIND_LIST, .is_required = true,
			.entry_kinds = KIND_INTEGER | KIND_STRING },
	[NET_DOMAIN] = { "domain", KIND_STRING },
	[NET_PRIVATE] = { "private", KIND_BOOLEAN },
	[NET_MAX_BYTES] = { "max_bytes", KIND_STRING },
};

static const struct refused_key net_refused[] = {
	{ "domains", "is one 'domain' a rule" },
	{ "tls", NOT_ENFORCED },
};

const struct shape net_shape = { "an egress rule", FIELDS(net_fields), FIELDS(net_refused) };

enum { EGRESS_DEFAULT, EGRESS_INCLUDE, EGRESS_ALLOW_LIST, EGRESS_DNS, EGRESS_FIELD_CNT };

static const struct field egress_fields[] = {
	[EGRESS_DEFAULT] = { "default", KIND_STRING },
	[EGRESS_INCLUDE] = { "include", KIND_LIST, .entry_kinds = KIND_STRING },
	[EGRESS_ALLOW_LIST] = { "allow", KIND_LIST, .entry_kinds = KIND_OBJECT,
				.shape = &net_shape },
	[EGRESS_DNS] = { "dns", KIND_OBJECT, .shape = &dns_shape },
};

static const struct refused_key egress_refused[] = {
	{ "max_bytes", "is a key of a rule; for all that leaves the job use 'limits.egress_bytes'" },
};

const struct shape egress_shape = { "'egress'", FIELDS(egress_fields),
					   FIELDS(egress_refused) };

static const struct field peer_fields[] = {
	[NET_ID] = { "id", KIND_STRING },
	[NET_CIDR] = { "cidr", KIND_STRING, .is_required = true },
	[NET_PROTOCOL] = { "protocol", KIND_STRING },
	[NET_PORTS] = { "ports", KIND_LIST, .is_required = true,
			.entry_kinds = KIND_INTEGER | KIND_STRING },
};

static const struct refused_key peer_refused[] = {
	{ "domain", "is a key of egress rules: a peer is known by its address" },
	{ "private", "is a key of egress rules with a 'domain'" },
	{ "tls", NOT_ENFORCED },
	{ "max_bytes", "is a key of egress rules: what comes in is not counted" },
};

static const struct shape peer_shape = { "an ingress rule", FIELDS(peer_fields),
					 FIELDS(peer_refused) };

enum { INGRESS_DEFAULT_WORD, INGRESS_ALLOW_LIST, INGRESS_FIELD_CNT };

static const struct field ingress_fields[] = {
	[INGRESS_DEFAULT_WORD] = { "default", KIND_STRING },
	[INGRESS_ALLOW_LIST] = { "allow", KIND_LIST, .entry_kinds = KIND_OBJECT,
				 .shape = &peer_shape },
};

const struct shape ingress_shape = { "'ingress'", FIELDS(ingress_fields), NULL, 0 };

static void read_flow_rule(struct draft *draft, const struct cursor *at, enum rule_class class,
			   const struct shape *shape)
{
	_cleanup_(rule_clear) struct rule rule = { .class = class, .origin = cursor_origin(at) };
	const struct node *members[NET_FIELD_CNT] = { NULL };
	bool is_good = shape_members(shape, at, members);
	struct cursor ports = cursor_at(at, members[NET_PORTS]);
	struct cursor max_bytes = cursor_at(at, members[NET_MAX_BYTES]);
	uint8_t protocol = PROTOCOL_TCP;

	is_good &= read_id(at, members[NET_ID], &rule);
	rule.is_private = read_flag(members[NET_PRIVATE]);
	is_good &= read_destination(at, members[NET_CIDR], members[NET_DOMAIN], members[NET_PRIVATE],
				    &rule);
	is_good &= read_word(at, members[NET_PROTOCOL], &protocol_words, &protocol);
	is_good &= members[NET_PORTS] && value_ports(&ports, &rule);
	if (max_bytes.node)
		is_good &= value_size(&max_bytes, &rule.max_bytes);
	rule_set_protocol(&rule, protocol);
	if (is_good)
		draft_add(draft, &rule);
}

void read_net_rule(struct draft *draft, const struct cursor *at, uint8_t access)
{
	(void)access;
	read_flow_rule(draft, at, RULE_EGRESS, &net_shape);
}

static void read_peer_rule(struct draft *draft, const struct cursor *at, uint8_t access)
{
	(void)access;
	read_flow_rule(draft, at, RULE_INGRESS, &peer_shape);
}

static void read_include(struct draft *draft, const struct cursor *at, uint8_t access)
{
	(void)access;
	load_include(draft, at);
}

void read_egress(struct draft *draft, const struct cursor *at)
{
	const struct node *members[EGRESS_FIELD_CNT];
	uint8_t access = draft->policy->egress_default;

	shape_members(&egress_shape, at, members);
	read_word(at, members[EGRESS_DEFAULT], &egress_words, &access);
	draft->policy->egress_default = access;
	read_list(draft, at, members[EGRESS_INCLUDE], &egress_fields[EGRESS_INCLUDE], read_include,
		  ACCESS_UNSET);
	read_list(draft, at, members[EGRESS_ALLOW_LIST], &egress_fields[EGRESS_ALLOW_LIST],
		  read_net_rule, ACCESS_UNSET);
	if (members[EGRESS_DNS]) {
		struct cursor dns = cursor_at(at, members[EGRESS_DNS]);

		read_dns(draft, &dns);
	}
}

void read_ingress(struct draft *draft, const struct cursor *at)
{
	const struct node *members[INGRESS_FIELD_CNT];
	uint8_t word = (uint8_t)draft->policy->ingress_default;

	shape_members(&ingress_shape, at, members);
	read_word(at, members[INGRESS_DEFAULT_WORD], &ingress_words, &word);
	draft->policy->ingress_default = word;
	read_list(draft, at, members[INGRESS_ALLOW_LIST], &ingress_fields[INGRESS_ALLOW_LIST],
		  read_peer_rule, ACCESS_UNSET);
}
