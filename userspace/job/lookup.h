/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Do the paths of a policy answer? Walks them in a thread of its own: what waits for a server of
 * files that is away cannot be interrupted, and must not be the controller.
 */
#ifndef JOBCAGE_JOB_LOOKUP_H
#define JOBCAGE_JOB_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"

struct lookup;

/* Walks every path of the policy, in the caller's thread. */
void lookup_walk(const struct policy *policy);

/* Starts a walk. NULL: no thread or no memory to be had. The policy need not stay. */
struct lookup *lookup_start(const struct policy *policy);

/* Has it come to its end? */
bool lookup_is_through(const struct lookup *lookup);

/* CLOCK_MONOTONIC, ms. */
int64_t lookup_started_ms(const struct lookup *lookup);

/* The path that it is at; the lookup's own. */
const char *lookup_path(const struct lookup *lookup);

/* May be NULL. One that waits still goes on by itself and is freed by its thread. */
void lookup_free(struct lookup *lookup);

#endif
