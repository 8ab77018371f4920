/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a job has sent, for its last event and for `jobcage status`. */
#ifndef JOBCAGE_DAEMON_SPENT_H
#define JOBCAGE_DAEMON_SPENT_H

#include <jansson.h>
#include <stdbool.h>

#include "job/lifecycle.h"

/* Whether anything of it is counted. */
bool spent_is_counted(const struct job *job);

/*
 * By budget of the policy that it obeys: [{"id", "max_bytes", "bytes", "refused"}], the job's own last,
 * as limits.egress_bytes, whose max_bytes is null if there is no such limit. Empty: nothing is counted.
 * NULL: no memory.
 */
json_t *spent_budgets(const struct job *job);

/*
 * By destination, most bytes first: [{"ip", "port", "protocol", "direction", "bytes", "packets",
 * "connections"}]; those that did not fit have no "ip". Empty: nothing is counted. NULL: no memory.
 */
json_t *spent_by_destination(const struct job *job);

#endif
