/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a job's state file says: enough for another controller to take the job over.
 */
#ifndef JOBCAGE_JOB_CONTENT_H
#define JOBCAGE_JOB_CONTENT_H

#include <jansson.h>

#include "job/lifecycle.h"

/* A new reference, or NULL without memory. */
json_t *content_of(const struct job *job);

/* All members of job that the file tells. Returns 0 or -errno. */
int content_read(struct job *job, const json_t *content, struct error *err);

/* A text of the file that may be any bytes, such as a path. NULL without memory, or if it is none. */
char *content_to_bytes(const json_t *value);

#endif
