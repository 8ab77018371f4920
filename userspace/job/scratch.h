/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file system that the launcher has made for the job, which it may write to. The kernel knows it by
 * a device number, which is another's when the superblock has gone: so the controller holds that.
 */
#ifndef JOBCAGE_JOB_SCRATCH_H
#define JOBCAGE_JOB_SCRATCH_H

#include "job/lifecycle.h"

/* What the launcher has sent becomes writable for the job. Returns 0 or -errno. */
int scratch_use(struct job *job, const struct job_request *request, struct error *err);

/*
 * Of a job that is adopted: finds it where a process of the job sees it, and holds it; if it is not to
 * be found, the job loses the right to write to what has its number now.
 */
void scratch_find(struct job *job);

#endif
