// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Single rules; see rule.h. */
#include "policy/rule.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define PORT_TEXT_LEN sizeof("65535-65535,")

const uint8_t mapped_prefix[MAPPED_BITS / 8] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

void rule_clear(struct rule *rule)
{
	free(rule->id);
	free(rule->path);
	free(rule->dataset);
	free(rule->ports);
	free(rule->domain);
	*rule = (struct rule){ 0 };
}

static int compare_number(unsigned int a, unsigned int b)
{
	return (a > b) - (a < b);
}

static int compare_ports(const struct rule *a, const struct rule *b)
{
	int order = 0;

	for (size_t i = 0; !order && i < a->port_cnt && i < b->port_cnt; i++) {
		order = compare_number(a->ports[i].lo, b->ports[i].lo);
		if (!order)
			order = compare_number(a->ports[i].hi, b->ports[i].hi);
	}
	return order ? order : (a->port_cnt > b->port_cnt) - (a->port_cnt < b->port_cnt);
}

static int compare_domain(const struct rule *a, const struct rule *b)
{
	int order = strcmp(a->domain ? a->domain : "", b->domain ? b->domain : "");

	return order ? order : compare_number(a->is_private, b->is_private);
}

static int compare_flow(const struct rule *a, const struct rule *b)
{
	int order = compare_domain(a, b);

	if (!order)
		order = memcmp(a->addr, b->addr, sizeof(a->addr));
	if (!order)
		order = compare_number(a->prefixlen, b->prefixlen);
	if (!order)
		order = compare_number(a->protocol_cnt, b->protocol_cnt);
	if (!order)
		order = memcmp(a->protocol, b->protocol, sizeof(a->protocol));
	if (!order)
		order = compare_ports(a, b);
	return order ? order : strcmp(a->id, b->id);
}

bool rule_is_flow(const struct rule *rule)
{
	return rule->class == RULE_EGRESS || rule->class == RULE_INGRESS ||
	       rule->class == RULE_RESOLVER;
}

int rule_compare(const struct rule *a, const struct rule *b)
{
	if (a->class != b->class)
		return compare_number(a->class, b->class);
	if (rule_is_flow(a))
		return compare_flow(a, b);
	if (a->class == RULE_DATASET)
		return strcmp(a->dataset, b->dataset);
	return strcmp(a->path, b->path);
}

bool rule_is_ipv4(const struct rule *rule)
{
	return rule->prefixlen >= MAPPED_BITS &&
	       !memcmp(rule->addr, mapped_prefix, sizeof(mapped_prefix));
}

void rule_cidr(const struct rule *rule, char ret_text[RULE_CIDR_LEN])
{
	char addr[INET6_ADDRSTRLEN];

	if (rule_is_ipv4(rule)) {
		inet_ntop(AF_INET, rule->addr + sizeof(mapped_prefix), addr, sizeof(addr));
		snprintf(ret_text, RULE_CIDR_LEN, "%s/%u", addr, rule->prefixlen - MAPPED_BITS);
		return;
	}
	inet_ntop(AF_INET6, rule->addr, addr, sizeof(addr));
	snprintf(ret_text, RULE_CIDR_LEN, "%s/%u", addr, rule->prefixlen);
}

void rule_address(const struct rule *rule, char ret_text[RULE_CIDR_LEN])
{
	rule_cidr(rule, ret_text);
	*strchr(ret_text, '/') = '\0';
}

char *rule_ports_text(const struct rule *rule)
{
	char *text = calloc(rule->port_cnt + 1, PORT_TEXT_LEN), *end = text;

	for (size_t i = 0; text && i < rule->port_cnt; i++) {
		end += sprintf(end, "%s%u", i ? "," : "", rule->ports[i].lo);
		if (rule->ports[i].hi != rule->ports[i].lo)
			end += sprintf(end, "-%u", rule->ports[i].hi);
	}
	return text;
}

const char *rule_protocol(const struct rule *rule)
{
	if (rule->protocol_cnt > 1)
		return "any";
	return rule->protocol[0] == IPPROTO_UDP ? "udp" : "tcp";
}

static int print_flow_id(char **id, const char *class, const struct rule *rule)
{
	_cleanup_free_ char *ports = rule_ports_text(rule);
	char cidr[RULE_CIDR_LEN];

	if (!ports)
		return -1;
	rule_cidr(rule, cidr);
	return asprintf(id, "%s:%s:%s:%s", class, rule->domain ? rule->domain : cidr,
			rule_protocol(rule), ports);
}

char *rule_made_id(const struct rule *rule)
{
	char address[RULE_CIDR_LEN];
	char *id = NULL;
	int len = -1;

	switch (rule->class) {
	case RULE_DATASET:
		len = asprintf(&id, "dataset:%s", rule->dataset);
		break;
	case RULE_FILESYSTEM:
		len = asprintf(&id, "filesystem:%s", rule->path);
		break;
	case RULE_EXEC:
		len = asprintf(&id, "exec.%s:%s", rule->access == EXEC_ALLOW ? "allow" : "deny",
			       rule->path);
		break;
	case RULE_EGRESS:
		len = print_flow_id(&id, "egress", rule);
		break;
	case RULE_UNIX:
		len = asprintf(&id, "unix:%s", rule->path);
		break;
	case RULE_INGRESS:
		len = print_flow_id(&id, "ingress", rule);
		break;
	case RULE_RESOLVER:
		rule_address(rule, address);
		len = asprintf(&id, "dns:%s", address);
		break;
	}
	return len < 0 ? NULL : id;
}
