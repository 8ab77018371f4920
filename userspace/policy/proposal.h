/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy put together from the pieces that denied attempts would need.
 *
 * Pieces have the shape of a policy. Put into one, they are said once: a path or dataset with the most access that any piece
 * asks for, a network with all ports. The result is what was attempted, not what is right: it is for an admin to read.
 */
#ifndef JOBCAGE_POLICY_PROPOSAL_H
#define JOBCAGE_POLICY_PROPOSAL_H

#include <jansson.h>

/* Adds piece to proposal, both objects. 0, -EINVAL if they do not fit together (proposal may have some of it), or -ENOMEM. */
int proposal_add(json_t *proposal, const json_t *piece);

#endif
