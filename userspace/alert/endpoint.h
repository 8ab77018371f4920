/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The far end of a network attempt in words and numbers. IPv4 is IPv4, also when the job wrote it
 * as a mapped IPv6 address.
 */
#ifndef JOBCAGE_ALERT_ENDPOINT_H
#define JOBCAGE_ALERT_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/event.h"

struct endpoint {
	char ip[INET6_ADDRSTRLEN]; /* "" if the family has no IP addresses */
	uint8_t ip_version;        /* 4, 6 or 0 */
	uint16_t port;             /* 0: none */
	uint16_t protocol;         /* IPPROTO_*; a socket's default is resolved by its type */
	char protocol_name[16];    /* lower case; the number if it has no name here */
	char family_name[16];      /* "AF_INET" */
};

struct endpoint endpoint_of(const struct event_net *net);

/* Of a record: a socket that is only being made has no far end yet. */
struct endpoint endpoint_of_event(const struct event *event);

/* Prints an address of 16 bytes; a mapped one as IPv4. Returns 4 or 6. */
uint8_t address_print(const uint8_t addr[static 16], char ret_ip[static INET6_ADDRSTRLEN]);

/* Whether an egress rule can name it: an IP address, TCP or UDP, a port. */
bool endpoint_is_nameable(const struct endpoint *endpoint);

#endif
