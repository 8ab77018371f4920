/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A destination that a policy denies: what the self-test tries to reach. Pure.
 */
#ifndef JOBCAGE_JOB_DESTINATION_H
#define JOBCAGE_JOB_DESTINATION_H

#include <sys/socket.h>

#include "policy/policy.h"

struct destination {
	uint8_t addr[16]; /* network order, IPv4 in its mapped form */
	uint16_t port;    /* host order */
};

/* What the self-test asks for: sides of the rules that are judged apart. */
struct destination_kind {
	sa_family_t family; /* AF_INET or AF_INET6 */
	uint8_t protocol;   /* IPPROTO_TCP or IPPROTO_UDP */
};

/*
 * Looks among addresses that belong to nobody (documentation, benchmarks, unassigned private ones).
 * Judged by the rules as they were written, not by the tables that were compiled from them: so a
 * fault of the compiler shows as a self-test that fails. Returns 0, or -ENOENT if the policy lets
 * the job send to all ports of all of them.
 */
int destination_find_denied(const struct policy *policy, struct destination_kind kind,
			    struct destination *ret_destination);

/* An IPv4 address of the loopback that nobody uses; port 0. */
struct destination destination_loopback(void);

/*
 * Two ends on the loopback, at addresses that nobody uses: ret_to has a port to which no ingress rule
 * lets ret_from come by UDP, ret_from one that no egress rule opens. -ENOENT if there are none.
 */
int destination_find_stranger(const struct policy *policy, struct destination *ret_to,
			      struct destination *ret_from);

#endif
