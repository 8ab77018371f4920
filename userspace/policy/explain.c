// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Verdicts from compiled tables; see explain.h. */
#include "policy/explain.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rule.h"

#define PORT_MAX 65535

/* Up to the last colon; brackets only around IPv6. */
static bool parse_host(const char *text, size_t len, uint8_t ret_addr[16])
{
	char host[INET6_ADDRSTRLEN];

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		if (len - 2 >= sizeof(host))
			return false;
		memcpy(host, text + 1, len - 2);
		host[len - 2] = '\0';
		return inet_pton(AF_INET6, host, ret_addr) == 1;
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	memcpy(ret_addr, mapped_prefix, sizeof(mapped_prefix));
	return inet_pton(AF_INET, host, ret_addr + sizeof(mapped_prefix)) == 1;
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port < 1 || port > PORT_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* The unspecified address means this host, as the kernel takes it for a socket that is bound to none. */
static void normalise(uint8_t addr[16])
{
	static const uint8_t unspecified[16];

	if (!memcmp(addr, unspecified, sizeof(unspecified)))
		addr[15] = 1;
	else if (!memcmp(addr, mapped_prefix, sizeof(mapped_prefix)) && !memcmp(addr + 12, unspecified, 4))
		memcpy(addr + 12, (const uint8_t[]){ 127, 0, 0, 1 }, 4);
}

bool flow_parse(const char *text, struct flow *flow)
{
	const char *colon = strrchr(text, ':');
	struct flow parsed = *flow;

	if (!colon || !parse_port(colon + 1, &parsed.port) ||
	    !parse_host(text, (size_t)(colon - text), parsed.addr))
		return false;
	if (!parsed.is_inbound)
		normalise(parsed.addr);
	*flow = parsed;
	return true;
}

bool flow_parse_name(const char *text, struct flow *flow)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	struct flow parsed = *flow;

	if (len > 1 && text[len - 1] == '.')
		len--;
	if (!len || len > DNS_NAME_MAX - 2 || !parse_port(colon + 1, &parsed.port))
		return false;
	for (size_t i = 0; i < len; i++)
		parsed.name[i] = (char)tolower((unsigned char)text[i]);
	parsed.name[len] = '\0';
	if (domain_fault(parsed.name))
		return false;
	*flow = parsed;
	return true;
}

static bool is_prefix(const struct net_key *net, const uint8_t addr[16])
{
	uint32_t whole = net->prefixlen / 8, left = net->prefixlen % 8;

	if (memcmp(net->addr, addr, whole))
		return false;
	return !left || (net->addr[whole] ^ addr[whole]) >> (8 - left) == 0;
}

static const struct net_value *longest_match(const struct egress_tables *tables, const uint8_t addr[16])
{
	const struct net_key *best = NULL;

	for (size_t i = 0; i < tables->net_cnt; i++) {
		const struct net_key *net = &tables->net_keys[i];

		if (is_prefix(net, addr) && (!best || net->prefixlen > best->prefixlen))
			best = net;
	}
	return best ? &tables->net_values[best - tables->net_keys] : NULL;
}

/* Negative: the range lies before (protocol, port); positive: behind it. */
static int compare(const struct port_range *range, uint8_t protocol, uint16_t port)
{
	if (range->protocol != protocol)
		return range->protocol < protocol ? -1 : 1;
	if (range->hi < port)
		return -1;
	return range->lo > port;
}

static const struct port_range *find_range(const struct egress_tables *tables, const struct flow *flow)
{
	uint8_t protocol = flow->protocol | (flow->is_inbound ? PORT_INBOUND : 0);
	const struct domain_value *domain = *flow->name ? names_find(tables, flow->name) : NULL;
	const struct net_value *span = *flow->name ? domain ? &domain->span : NULL :
						     longest_match(tables, flow->addr);
	size_t lo = span ? span->first : 0, hi = span ? lo + span->cnt : 0;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;
		int order = compare(&tables->ports[middle], protocol, flow->port);

		if (!order)
			return &tables->ports[middle];
		if (order < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return NULL;
}

static bool is_loopback(const uint8_t addr[16])
{
	if (!memcmp(addr, mapped_prefix, sizeof(mapped_prefix)))
		return addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)(const void *)addr);
}

struct explanation explain_flow(const struct policy *policy, const struct egress_tables *tables,
				const struct flow *flow)
{
	bool is_open = flow->is_inbound ? policy->ingress_default == INGRESS_ALLOW :
					  policy->egress_default == EGRESS_ALLOW;
	const struct port_range *range = find_range(tables, flow);

	return (struct explanation){
		.is_allowed = is_open || range,
		.is_public_only = !is_open && range && *flow->name && !range->is_private,
		.is_loopback = !*flow->name && is_loopback(flow->addr),
		.rule = range ? policy_rule(policy, range->rule & RULE_NUMBER_MASK) : NULL,
	};
}
