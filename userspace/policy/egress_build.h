/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the makers of egress tables share: egress.c for prefixes, names.c for domains. Their ports are one
 * array.
 */
#ifndef JOBCAGE_POLICY_EGRESS_BUILD_H
#define JOBCAGE_POLICY_EGRESS_BUILD_H

#include "policy/policy.h"

struct builder;

/*
 * Appends the ports of cnt rules of the table, from the index first on, over those of below, which may be
 * NULL. Returns 0, -ENOMEM or -E2BIG.
 */
int egress_add_span(struct builder *b, const struct policy *policy, size_t first, size_t cnt,
		    const struct net_value *below, struct net_value *ret_value);

/* Adds the policy's names and domains to the tables in the making, which are the builder's. */
int names_compile(const struct policy *policy, struct builder *b, struct egress_tables *tables);

#endif
