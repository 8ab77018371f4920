/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a launcher is, holds open and shares with others, before it becomes the job: what the job's
 * rules could not govern later is refused now.
 */
#ifndef JOBCAGE_JOB_LAUNCHER_H
#define JOBCAGE_JOB_LAUNCHER_H

#include "job/lifecycle.h"

/*
 * Under the label and in the cgroup, where all of its threads are labelled: whatever these open and
 * execute from now on is judged. Returns 0 or -errno.
 */
int launcher_check(const struct job *job, const struct job_request *request, struct error *err);

#endif
