/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Resource limits of a controller's own process.
 */
#ifndef JOBCAGE_DAEMON_LIMITS_H
#define JOBCAGE_DAEMON_LIMITS_H

/*
 * Lifts what the caller's limits are: they are meant for the job. A controller holds every root
 * open and must be able to write a job's record to its end. It also goes ahead of jobs that compute,
 * as far as it may (CAP_SYS_NICE): a job of many threads is not to starve who looks after it, nor
 * the canary, which inherits it.
 */
void limits_lift(void);

#endif
