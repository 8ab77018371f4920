/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the names lead that a job has asked for, for `jobcage status`. */
#ifndef JOBCAGE_DAEMON_LEARNED_H
#define JOBCAGE_DAEMON_LEARNED_H

#include <jansson.h>

#include "job/lifecycle.h"

/*
 * {"addresses": how many are open by a name, "learned": [{"ip", "domain", "seconds"}]}: the domain, and for
 * how long more; LEARNED_SHOWN of them at most, the longest first. A domain that the policy has no more is
 * null. NULL: no memory.
 */
json_t *learned_report(const struct job *job);

#define LEARNED_SHOWN 256

#endif
