/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which sockets a job may make: a class for each way out that rules of addresses and ports do not
 * govern, or not in full.
 *
 * The kernel programs judge by socket_class(), and so do the texts that say what to add to a policy.
 */
#ifndef JOBCAGE_ABI_SOCKET_H
#define JOBCAGE_ABI_SOCKET_H

#include "types.h"

/* Bits of policy_value.sockets: bit N stands for class N. */
enum socket_class {
	SOCKET_PLAIN = 0, /* always open: Unix, TCP and UDP over IPv4 and IPv6, netlink route */
	SOCKET_PING = 1,
	SOCKET_MPTCP = 2,
	SOCKET_SCTP = 3,
	SOCKET_DCCP = 4,
	SOCKET_UDPLITE = 5,
	SOCKET_SMC = 6,
	SOCKET_RAW = 7,
	SOCKET_PACKET = 8,
	SOCKET_NETLINK = 9, /* all but netlink route */
	SOCKET_VSOCK = 10,
	SOCKET_XDP = 11,
	SOCKET_ALG = 12,
	SOCKET_RDS = 13,
	SOCKET_TIPC = 14,
	SOCKET_CLASSES = 15,
	SOCKET_NONE = 30,  /* what no kernel makes: TCP of datagrams, a stream of UDP */
	SOCKET_OTHER = 31, /* what no policy can name: always denied */
};

/* AF_*, SOCK_* and IPPROTO_* as the kernel numbers them; BTF does not carry them. */
enum socket_number {
	FAMILY_UNIX = 1,
	FAMILY_INET = 2,
	FAMILY_INET6 = 10,
	FAMILY_NETLINK = 16,
	FAMILY_PACKET = 17,
	FAMILY_RDS = 21,
	FAMILY_TIPC = 30,
	FAMILY_ALG = 38,
	FAMILY_VSOCK = 40,
	FAMILY_SMC = 43,
	FAMILY_XDP = 44,
	TYPE_STREAM = 1,
	TYPE_DGRAM = 2,
	TYPE_RAW = 3,
	TYPE_SEQPACKET = 5,
	TYPE_DCCP = 6,
	PROTOCOL_ANY_OF_TYPE = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_IS_TCP = 6,
	PROTOCOL_IS_UDP = 17,
	PROTOCOL_DCCP = 33,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDPLITE = 136,
	PROTOCOL_SMC = 256,
	PROTOCOL_MPTCP = 262,
	NETLINK_IS_ROUTE = 0,
};

/* What the kernel makes of a type alone. */
ABI_FUNCTION enum socket_class
socket_class_of_type(__u32 type)
{
	switch (type) {
	case TYPE_STREAM:
	case TYPE_DGRAM: return SOCKET_PLAIN;
	case TYPE_SEQPACKET: return SOCKET_SCTP;
	case TYPE_DCCP: return SOCKET_DCCP;
	default: return SOCKET_OTHER;
	}
}

ABI_FUNCTION enum socket_class
socket_class_of_ip(__u32 family, __u32 type, __u32 protocol)
{
	if (type == TYPE_RAW)
		return SOCKET_RAW;
	switch (protocol) {
	case PROTOCOL_ANY_OF_TYPE: return socket_class_of_type(type);
	case PROTOCOL_IS_TCP:
		return type == TYPE_STREAM ? SOCKET_PLAIN :
		       type == TYPE_DGRAM  ? SOCKET_NONE :
					     SOCKET_OTHER;
	case PROTOCOL_IS_UDP:
		return type == TYPE_DGRAM  ? SOCKET_PLAIN :
		       type == TYPE_STREAM ? SOCKET_NONE :
					     SOCKET_OTHER;
	case PROTOCOL_ICMP: return family == FAMILY_INET ? SOCKET_PING : SOCKET_OTHER;
	case PROTOCOL_ICMPV6: return family == FAMILY_INET6 ? SOCKET_PING : SOCKET_OTHER;
	case PROTOCOL_MPTCP: return SOCKET_MPTCP;
	case PROTOCOL_SCTP: return SOCKET_SCTP;
	case PROTOCOL_DCCP: return SOCKET_DCCP;
	case PROTOCOL_UDPLITE: return SOCKET_UDPLITE;
	case PROTOCOL_SMC: return SOCKET_SMC;
	default: return SOCKET_OTHER;
	}
}

ABI_FUNCTION enum socket_class
socket_class(__u32 family, __u32 type, __u32 protocol)
{
	switch (family) {
	case FAMILY_UNIX: return SOCKET_PLAIN;
	case FAMILY_INET:
	case FAMILY_INET6: return socket_class_of_ip(family, type, protocol);
	case FAMILY_NETLINK:
		return protocol == NETLINK_IS_ROUTE ? SOCKET_PLAIN : SOCKET_NETLINK;
	case FAMILY_PACKET: return SOCKET_PACKET;
	case FAMILY_RDS: return SOCKET_RDS;
	case FAMILY_TIPC: return SOCKET_TIPC;
	case FAMILY_ALG: return SOCKET_ALG;
	case FAMILY_VSOCK: return SOCKET_VSOCK;
	case FAMILY_SMC: return SOCKET_SMC;
	case FAMILY_XDP: return SOCKET_XDP;
	default: return SOCKET_OTHER;
	}
}

/*
 * The protocol by whose rules a socket is judged: those of TCP hold for what is TCP on the wire,
 * those of UDP for UDP-Lite.
 */
ABI_FUNCTION __u32 socket_rule_protocol(__u32 protocol)
{
	if (protocol == PROTOCOL_MPTCP || protocol == PROTOCOL_SMC)
		return PROTOCOL_IS_TCP;
	return protocol == PROTOCOL_UDPLITE ? PROTOCOL_IS_UDP : protocol;
}

#endif
