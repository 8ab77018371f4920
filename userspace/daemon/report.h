/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Jobs as the commands show them, in JSON.
 */
#ifndef JOBCAGE_DAEMON_REPORT_H
#define JOBCAGE_DAEMON_REPORT_H

#include <jansson.h>

#include "daemon/controller.h"

/* Each returns a new reference, or NULL without memory. */

/* What identifies a job: id, policy, who, where, since when. */
json_t *report_job(const struct watch *watch);

/* The same with its counters, its record's state and its self-test. */
json_t *report_status(const struct watch *watch);

/* Adds the jobs that other controllers hold, from their state files. Returns 0 or -errno. */
int report_others(const struct controller *controller, json_t *jobs);

#endif
