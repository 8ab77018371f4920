/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a job comes from: the ids that schedulers and containers leave in its environment, for whoever puts alerts and their
 * records together. Who starts the job says them, so they are no proof of anything.
 */
#ifndef JOBCAGE_JOB_ORIGIN_H
#define JOBCAGE_JOB_ORIGIN_H

#include <jansson.h>

/* The longest value that is taken; others are left out. */
#define ORIGIN_VALUE_MAX 128

/* Of the environment: {"SLURM_JOB_ID": "4711", ...}. A new reference, or NULL if there is nothing. */
json_t *origin_of_environment(void);

/* What of such an object, from who need not be trusted, is taken: a new one that nobody shares. NULL: nothing. */
json_t *origin_check(const json_t *origin);

#endif
