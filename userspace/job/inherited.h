/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Descriptors that a job would inherit: one that was open before the policy must not be a way round
 * it.
 *
 * The kernel is asked what the process has open, so a launcher that lies gains nothing: it says
 * which descriptors it keeps if it is one of ours, and all are judged if it does not.
 */
#ifndef JOBCAGE_JOB_INHERITED_H
#define JOBCAGE_JOB_INHERITED_H

#include "base/error.h"
#include "job/lifecycle.h"

/*
 * Whether request->pid may keep what it has open under the job's rules, which are published. Returns
 * 0, -EPERM with a sentence that names the descriptor and the rule, or another -errno.
 */
int inherited_check(const struct job *job, const struct job_request *request, struct error *err);

#endif
