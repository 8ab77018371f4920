/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The launcher's own last steps: it becomes the job. Called in a process for which the policy is
 * already in force.
 */
#ifndef JOBCAGE_JOB_LAUNCH_H
#define JOBCAGE_JOB_LAUNCH_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* Exit statuses of the launcher itself, as env(1) and container tools use them. */
#define EXIT_LAUNCHER 125 /* jobcage failed; nothing was started */
#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127

/* Closes every descriptor that is not in the list. */
int launch_close_files(const int *keep, size_t keep_cnt);

/*
 * Whom the command runs as. Looked up before the policy is in force, which may close the files this
 * takes.
 */
struct launch_user {
	char *name, *home, *shell;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int group_cnt;
};

/* name: a user's name or number. Returns 0 or -errno. Free with launch_user_free(). */
int launch_find_user(const char *name, struct error *err, struct launch_user *ret_user);
void launch_user_free(struct launch_user *user);

/* Becomes that user for good: groups, ids, HOME, USER, LOGNAME, SHELL. */
int launch_become_user(const struct launch_user *user, struct error *err);

/*
 * Runs the command in place of this process. Returns the exit status for its failure, with the
 * reason in err.
 */
int launch_exec(char **argv, struct error *err);

#endif
