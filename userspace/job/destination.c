// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A destination that a policy denies; see destination.h. */
#include "job/destination.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/rule.h"

/* "discard": if a hole lets something through after all, it asks nobody for anything. */
#define FIRST_PORT 9
#define PORT_MAX 65535

/*
 * Most likely denied first: RFC 5737, RFC 2544, RFC 1112, and then the ends of private networks, for
 * a policy that opens half of the Internet.
 */
static const char *const candidates_v4[] = {
	"192.0.2.1", "198.51.100.1",    "203.0.113.1",    "198.18.0.1",
	"240.0.0.1", "100.127.255.254", "10.255.255.254", "172.31.255.254",
};

/* RFC 3849, RFC 9637, RFC 6666, and a unique local address that nobody has assigned. */
static const char *const candidates_v6[] = {
	"2001:db8::1",
	"3fff::1",
	"100::1",
	"fdff:ffff:ffff::1",
};

static void parse(sa_family_t family, const char *text, uint8_t ret_addr[16])
{
	memset(ret_addr, 0, 16);
	if (family == AF_INET) {
		memcpy(ret_addr, mapped_prefix, sizeof(mapped_prefix));
		inet_pton(AF_INET, text, &ret_addr[12]);
	} else {
		inet_pton(AF_INET6, text, ret_addr);
	}
}

static bool is_prefix(const struct rule *rule, const uint8_t addr[16])
{
	uint32_t whole = rule->prefixlen / 8, left = rule->prefixlen % 8;

	if (memcmp(rule->addr, addr, whole))
		return false;
	return !left || (rule->addr[whole] ^ addr[whole]) >> (8 - left) == 0;
}

/* The families are apart: ::/0 does not open IPv4. */
static bool speaks_of(const struct rule *rule, enum rule_class class, struct destination_kind kind,
		      const uint8_t addr[16])
{
	bool has_protocol = false;

	if (rule->class != class || rule_is_ipv4(rule) != (kind.family == AF_INET))
		return false;
	for (size_t i = 0; i < rule->protocol_cnt; i++)
		has_protocol |= rule->protocol[i] == kind.protocol;
	return has_protocol && is_prefix(rule, addr);
}

/* The first port from port on that the rule does not open. Its ranges are sorted. */
static uint32_t skip_open(const struct rule *rule, uint32_t port)
{
	for (size_t i = 0; i < rule->port_cnt; i++)
		if (rule->ports[i].lo <= port && port <= rule->ports[i].hi)
			port = rule->ports[i].hi + 1;
	return port;
}

/* The first port from port on that no rule opens; above PORT_MAX if there is none. */
static uint32_t first_denied(const struct policy *policy, enum rule_class class,
			     struct destination_kind kind, const uint8_t addr[16], uint32_t port)
{
	uint32_t before;

	do {
		before = port;
		for (size_t i = 0; i < policy->rule_cnt; i++)
			if (speaks_of(&policy->rules[i], class, kind, addr))
				port = skip_open(&policy->rules[i], port);
	} while (port != before && port <= PORT_MAX);
	return port;
}

static bool find_port(const struct policy *policy, struct destination_kind kind,
		      struct destination *destination)
{
	uint32_t port = first_denied(policy, RULE_EGRESS, kind, destination->addr, FIRST_PORT);

	if (port > PORT_MAX)
		port = first_denied(policy, RULE_EGRESS, kind, destination->addr, 1);
	destination->port = port;
	return port <= PORT_MAX;
}

int destination_find_denied(const struct policy *policy, struct destination_kind kind,
			    struct destination *ret_destination)
{
	bool is_v4 = kind.family == AF_INET;
	const char *const *candidates = is_v4 ? candidates_v4 : candidates_v6;
	size_t cnt = is_v4 ? ARRAY_SIZE(candidates_v4) : ARRAY_SIZE(candidates_v6);

	if (policy->egress_default == EGRESS_ALLOW)
		return -ENOENT;
	for (size_t i = 0; i < cnt; i++) {
		struct destination destination;

		parse(kind.family, candidates[i], destination.addr);
		if (!find_port(policy, kind, &destination))
			continue;
		*ret_destination = destination;
		return 0;
	}
	return -ENOENT;
}

/* Above the ports that need a capability, below those that the kernel gives out. */
#define OWN_PORT 20009

struct destination destination_loopback(void)
{
	struct destination destination = { .port = 0 };

	parse(AF_INET, "127.86.75.30", destination.addr);
	return destination;
}

int destination_find_stranger(const struct policy *policy, struct destination *ret_to,
			      struct destination *ret_from)
{
	static const struct destination_kind kind = { AF_INET, IPPROTO_UDP };
	struct destination to = destination_loopback(), from;
	uint32_t to_port, from_port;

	if (policy->egress_default == EGRESS_ALLOW || policy->ingress_default == INGRESS_ALLOW)
		return -ENOENT;
	parse(AF_INET, "127.86.75.31", from.addr);
	to_port = first_denied(policy, RULE_INGRESS, kind, from.addr, OWN_PORT);
	from_port = first_denied(policy, RULE_EGRESS, kind, from.addr, OWN_PORT);
	if (to_port > PORT_MAX || from_port > PORT_MAX)
		return -ENOENT;
	to.port = (uint16_t)to_port;
	from.port = (uint16_t)from_port;
	*ret_to = to;
	*ret_from = from;
	return 0;
}
