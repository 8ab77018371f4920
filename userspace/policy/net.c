// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Networks and ports of egress rules; see value.h.
 *
 * Addresses are held as 128 bits, IPv4 in its mapped form. Written policies keep the families
 * apart: an IPv4 network is written as such, and an IPv6 one never means IPv4.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/rule.h"
#include "policy/shape.h"
#include "policy/value.h"

#define PORT_MAX 65535
#define CIDR_LEN_MAX 64

struct address {
	uint8_t bytes[16];
	unsigned int first_bit; /* where the written prefix starts: MAPPED_BITS for IPv4 */
};

static bool parse_address(const char *text, struct address *ret_address)
{
	struct address address = { .first_bit = 0 };

	if (inet_pton(AF_INET6, text, address.bytes) == 1) {
		*ret_address = address;
		return true;
	}
	memcpy(address.bytes, mapped_prefix, sizeof(mapped_prefix));
	address.first_bit = MAPPED_BITS;
	if (inet_pton(AF_INET, text, address.bytes + sizeof(mapped_prefix)) != 1)
		return false;
	*ret_address = address;
	return true;
}

/* Up to five digits without leading zeros; moves *text behind them. */
static bool parse_digits(const char **text, unsigned int *ret_number)
{
	size_t len = strspn(*text, "0123456789");
	unsigned int number = 0;

	if (!len || len > 5 || (len > 1 && **text == '0'))
		return false;
	for (; len; len--)
		number = number * 10 + (unsigned int)(*(*text)++ - '0');
	*ret_number = number;
	return true;
}

/* Whether the host bits were all zero. */
static bool clear_host_bits(struct address *address, unsigned int prefixlen)
{
	unsigned int left;
	uint8_t kept, dropped = 0;

	for (unsigned int i = 0; i < sizeof(address->bytes); i++) {
		left = prefixlen > i * 8 ? prefixlen - i * 8 : 0;
		kept = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
		dropped |= address->bytes[i] & (uint8_t)~kept;
		address->bytes[i] &= kept;
	}
	return !dropped;
}

/* Splits "ADDRESS/LENGTH" and checks what can be checked without knowing the other half. */
static bool split_cidr(const struct cursor *at, struct address *ret_address, unsigned int *ret_bits)
{
	const char *text = cursor_string(at), *slash = strchr(text, '/');
	const char *digits = slash ? slash + 1 : NULL;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[CIDR_LEN_MAX] = "";
	struct address address;
	unsigned int bits_max;

	if (len < sizeof(host))
		memcpy(host, text, len);
	if (!parse_address(host, &address)) {
		cursor_error(at, "'%s' is not a network; write it like 192.0.2.0/24 or "
				 "2001:db8::/32", text);
		return false;
	}
	bits_max = 128 - address.first_bit;
	if (!slash) {
		cursor_error(at, "'%s' has no prefix length; for this one address write %s/%u",
			     text, host, bits_max);
		return false;
	}
	if (!parse_digits(&digits, ret_bits) || *digits || *ret_bits > bits_max) {
		cursor_error(at, "the prefix length of '%s' must be 0 to %u", text, bits_max);
		return false;
	}
	*ret_address = address;
	return true;
}

bool value_cidr(const struct cursor *at, struct rule *rule)
{
	struct rule parsed = { 0 };
	struct address address;
	char cidr[RULE_CIDR_LEN];
	unsigned int bits;
	bool is_clean;

	if (!split_cidr(at, &address, &bits))
		return false;
	is_clean = clear_host_bits(&address, address.first_bit + bits);
	parsed.prefixlen = (uint8_t)(address.first_bit + bits);
	memcpy(parsed.addr, address.bytes, sizeof(parsed.addr));
	rule_cidr(&parsed, cidr);
	if (!address.first_bit && rule_is_ipv4(&parsed)) {
		cursor_error(at, "'%s' is IPv4 in IPv6 form; write %s", cursor_string(at), cidr);
		return false;
	}
	if (!is_clean) {
		cursor_error(at, "'%s' has host bits set; did you mean %s?", cursor_string(at),
			     cidr);
		return false;
	}
	rule->prefixlen = parsed.prefixlen;
	memcpy(rule->addr, parsed.addr, sizeof(rule->addr));
	return true;
}

bool value_address(const struct cursor *at, struct rule *rule)
{
	struct address address;

	if (!parse_address(cursor_string(at), &address) ||
	    (!address.first_bit && !memcmp(address.bytes, mapped_prefix, sizeof(mapped_prefix)))) {
		cursor_error(at, "'%s' is not an address; write it like 192.0.2.1 or 2001:db8::1",
			     cursor_string(at));
		return false;
	}
	memcpy(rule->addr, address.bytes, sizeof(rule->addr));
	rule->prefixlen = 8 * sizeof(rule->addr);
	return true;
}

static bool check_range(const struct cursor *at, long long lo, long long hi,
			struct rule_ports *ret_ports)
{
	if (lo < 1 || lo > PORT_MAX || hi < 1 || hi > PORT_MAX) {
		cursor_error(at, "ports are 1 to %d", PORT_MAX);
		return false;
	}
	if (lo > hi) {
		cursor_error(at, "port range '%lld-%lld' is reversed; did you mean \"%lld-%lld\"?",
			     lo, hi, hi, lo);
		return false;
	}
	*ret_ports = (struct rule_ports){ (uint16_t)lo, (uint16_t)hi };
	return true;
}

static bool value_port(const struct cursor *at, struct rule_ports *ret_ports)
{
	const char *text = cursor_string(at);
	unsigned int lo, hi;
	json_int_t port;

	if (!shape_kind(at, KIND_INTEGER | KIND_STRING, "a port"))
		return false;
	if (!text) {
		port = json_integer_value(at->node->value);
		return check_range(at, port, port, ret_ports);
	}
	if (parse_digits(&text, &lo) && *text++ == '-' && parse_digits(&text, &hi) && !*text)
		return check_range(at, lo, hi, ret_ports);
	cursor_error(at, "bad port range '%s'; write a port as a number, a range as \"LOW-HIGH\"",
		     cursor_string(at));
	return false;
}

static int compare_ports(const void *a, const void *b)
{
	const struct rule_ports *left = a, *right = b;

	return left->lo != right->lo ? left->lo - right->lo : left->hi - right->hi;
}

/* Sorts, and joins what overlaps or touches. Returns how many are left. */
static size_t normalise(struct rule_ports *ports, size_t cnt)
{
	size_t kept = 0;

	qsort(ports, cnt, sizeof(*ports), compare_ports);
	for (size_t i = 1; i < cnt; i++) {
		if (ports[i].lo > ports[kept].hi + 1)
			ports[++kept] = ports[i];
		else if (ports[i].hi > ports[kept].hi)
			ports[kept].hi = ports[i].hi;
	}
	return kept + 1;
}

bool value_ports(const struct cursor *at, struct rule *rule)
{
	size_t cnt = json_array_size(at->node->value), i = 0;
	_cleanup_free_ struct rule_ports *ports = calloc(cnt + 1, sizeof(*ports));
	struct cursor entry;
	bool is_good = true;

	if (!ports || !cnt) {
		cursor_error(at, ports ? "'ports' is empty: the rule would allow nothing" :
					 "out of memory");
		return false;
	}
	for (const struct node *node = at->node->child; node; node = node->next) {
		entry = cursor_at(at, node);
		is_good &= value_port(&entry, &ports[i++]);
	}
	if (!is_good)
		return false;
	rule->port_cnt = normalise(ports, cnt);
	rule->ports = TAKE_PTR(ports);
	return true;
}

void rule_set_protocol(struct rule *rule, enum protocol_word word)
{
	rule->protocol_cnt = 0;
	if (word != PROTOCOL_UDP)
		rule->protocol[rule->protocol_cnt++] = IPPROTO_TCP;
	if (word != PROTOCOL_TCP)
		rule->protocol[rule->protocol_cnt++] = IPPROTO_UDP;
}
