/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Single rules: their order in the table, the ids made for those that were given none, and their
 * parts as text.
 */
#ifndef JOBCAGE_POLICY_RULE_H
#define JOBCAGE_POLICY_RULE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "policy/policy.h"

/* The longest CIDR and its terminating NUL. */
#define RULE_CIDR_LEN (INET6_ADDRSTRLEN + 4)

/*
 * The mapped form of IPv4 begins with these bytes; an IPv4 prefix of n bits is one of MAPPED_BITS
 * + n.
 */
#define MAPPED_BITS 96

/* What a domain that stands for all names below another begins with. */
#define WILDCARD "*."

static inline bool domain_is_wildcard(const char *domain)
{
	return !strncmp(domain, WILDCARD, strlen(WILDCARD));
}

/* Why a name in lower case, without a wildcard, is none, as a sentence; NULL: it is one. */
const char *domain_fault(const char *name);

extern const uint8_t mapped_prefix[MAPPED_BITS / 8];

void rule_clear(struct rule *rule);

/*
 * The order of the rule table. Equal: the same dataset, the same path of the same class, or the
 * same destination under the same id, so that the later file's rule takes the place of the
 * earlier one's.
 */
int rule_compare(const struct rule *a, const struct rule *b);

/* Whether the rule is one of ports, and of a prefix or a domain: egress, ingress or resolver. */
bool rule_is_flow(const struct rule *rule);

/* Whether such a rule's prefix is one of IPv4. */
bool rule_is_ipv4(const struct rule *rule);

/* The resolver's address, without a length. */
void rule_address(const struct rule *rule, char ret_text[RULE_CIDR_LEN]);

void rule_cidr(const struct rule *rule, char ret_text[RULE_CIDR_LEN]);

/* "443,29500-29600"; NULL: out of memory. */
char *rule_ports_text(const struct rule *rule);

/* "tcp", "udp" or "any". */
const char *rule_protocol(const struct rule *rule);

/* The id that a rule without one gets; NULL: out of memory. */
char *rule_made_id(const struct rule *rule);

#endif
