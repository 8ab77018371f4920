/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The launcher's own last steps: it becomes the job. Called in a process for which the policy is already in force.
 */
#ifndef JOBCAGE_JOB_LAUNCH_H
#define JOBCAGE_JOB_LAUNCH_H

#include <pwd.h>
#include <stddef.h>

#include "base/error.h"

/* Exit statuses of the launcher itself, as env(1) and container tools use them. */
#define EXIT_LAUNCHER 125      /* jobcage failed; nothing was started */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127

/* Closes every descriptor that is not in the list. */
int launch_close_files(const int *keep, size_t keep_cnt);

/* Becomes that user for good: groups, ids, HOME, USER, LOGNAME, SHELL. user may be NULL. */
int launch_become_user(const struct passwd *user, struct error *err);

/* Runs the command in place of this process. Returns the exit status for its failure, with the reason in err. */
int launch_exec(char **argv, struct error *err);

#endif
