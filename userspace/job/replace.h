/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The steps of job_replace() (lifecycle.h) that a start or an adoption takes too. */
#ifndef JOBCAGE_JOB_REPLACE_H
#define JOBCAGE_JOB_REPLACE_H

#include "job/lifecycle.h"

/* What the policy lets the job send is counted from here on, or goes on. Returns 0 or -errno. */
int job_make_spent(struct job *job, const struct policy *policy, struct error *err);

/* The next rules are in force: the state file says so, as far as it can be written. */
void job_settle_rules(struct job *job);

/* The next rules did not come into force: their slot is another policy's soon. */
void job_forget_next_rules(struct job *job);

#endif
