/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The embedded default: a controller in a process of its own, for the jobs of a launcher that found
 * no daemon.
 */
#ifndef JOBCAGE_DAEMON_MONITOR_H
#define JOBCAGE_DAEMON_MONITOR_H

#include <stdbool.h>

#include "base/error.h"
#include "job/lifecycle.h"

/*
 * Forks the monitor and waits until it says that the policy is in force for the calling process, or
 * why not. The monitor is no child of the caller, and ends with the last job it looks after. The
 * request has no places: the monitor walks the policy's paths itself. Returns 0, or -errno with
 * nothing left behind.
 */
int monitor_start(const struct job_request *request, struct policy *policy, bool is_self_tested,
		  struct error *err);

#endif
