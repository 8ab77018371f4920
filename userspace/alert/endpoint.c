// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The far end of a network attempt; see endpoint.h. */
#include "alert/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

struct name {
	unsigned int number;
	const char text[16];
};

static const struct name protocols[] = {
	{ IPPROTO_ICMP, "icmp" }, { IPPROTO_TCP, "tcp" },          { IPPROTO_UDP, "udp" },
	{ IPPROTO_DCCP, "dccp" }, { IPPROTO_ICMPV6, "ipv6-icmp" }, { IPPROTO_SCTP, "sctp" },
	{ IPPROTO_RAW, "raw" },   { IPPROTO_UDPLITE, "udplite" },  { 262, "mptcp" },
};

static const struct name families[] = {
	{ AF_UNSPEC, "AF_UNSPEC" },
	{ AF_UNIX, "AF_UNIX" },
	{ AF_INET, "AF_INET" },
	{ AF_INET6, "AF_INET6" },
	{ AF_KEY, "AF_KEY" },
	{ AF_NETLINK, "AF_NETLINK" },
	{ AF_PACKET, "AF_PACKET" },
	{ AF_RDS, "AF_RDS" },
	{ AF_CAN, "AF_CAN" },
	{ AF_TIPC, "AF_TIPC" },
	{ AF_BLUETOOTH, "AF_BLUETOOTH" },
	{ AF_ALG, "AF_ALG" },
	{ AF_VSOCK, "AF_VSOCK" },
	{ AF_QIPCRTR, "AF_QIPCRTR" },
	{ AF_SMC, "AF_SMC" },
	{ AF_XDP, "AF_XDP" },
};

static void name_number(const struct name *names, size_t cnt, const char *prefix,
			unsigned int number, char ret_text[static 16])
{
	for (size_t i = 0; i < cnt; i++) {
		if (names[i].number == number) {
			strcpy(ret_text, names[i].text);
			return;
		}
	}
	snprintf(ret_text, 16, "%s%u", prefix, number);
}

static uint16_t effective_protocol(const struct event_net *net)
{
	if (net->protocol)
		return net->protocol;
	if (net->type == SOCK_STREAM)
		return IPPROTO_TCP;
	return net->type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

uint8_t address_print(const uint8_t addr[static 16], char ret_ip[static INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool is_v4 = !memcmp(addr, mapped, sizeof(mapped));

	inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? addr + 12 : addr, ret_ip, INET6_ADDRSTRLEN);
	return is_v4 ? 4 : 6;
}

struct endpoint endpoint_of(const struct event_net *net)
{
	struct endpoint endpoint = { .protocol = net->protocol };

	name_number(families, ARRAY_SIZE(families), "AF_", net->family, endpoint.family_name);
	if (net->family == AF_INET || net->family == AF_INET6) {
		endpoint.ip_version = address_print(net->addr, endpoint.ip);
		endpoint.port = net->port;
		endpoint.protocol = effective_protocol(net);
	}
	name_number(protocols, ARRAY_SIZE(protocols), "", endpoint.protocol,
		    endpoint.protocol_name);
	return endpoint;
}

struct endpoint endpoint_of_event(const struct event *event)
{
	struct endpoint endpoint = endpoint_of(&event->net);

	if (event->op == OP_SOCKET || (event->op == OP_RECEIVE_SOCKET && !endpoint.port)) {
		endpoint.ip_version = 0;
		endpoint.port = 0;
		endpoint.ip[0] = '\0';
	}
	return endpoint;
}

bool endpoint_is_nameable(const struct endpoint *endpoint)
{
	return endpoint->ip_version && endpoint->port &&
	       (endpoint->protocol == IPPROTO_TCP || endpoint->protocol == IPPROTO_UDP);
}
