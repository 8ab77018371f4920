/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A job's cgroup: a child of the caller's own, so that the limits and the accounting of whoever
 * started the caller still hold.
 */
#ifndef JOBCAGE_JOB_CGROUP_H
#define JOBCAGE_JOB_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct cgroup {
	char *path;    /* in the file system: /sys/fs/cgroup/user.slice/jobcage-j1 */
	char *name;    /* below the cgroup root: /user.slice/jobcage-j1 */
	uint64_t id;   /* as the kernel's cgroup id */
	int fd;        /* of the directory, O_PATH is not enough to attach programs */
	int events_fd; /* of cgroup.events: POLLPRI when cgroup_is_populated() may answer otherwise
			  than last time */
};

/* An empty one: nothing to free. */
#define CGROUP_NONE                       \
	{                                 \
		.fd = -1, .events_fd = -1 \
	}

/*
 * Where cgroup v2 is mounted (also on a hybrid layout). Returns 0, -ENOENT, or another -errno; free
 * the result.
 */
int cgroup_mount(struct error *err, char **ret_path);

/* The path that a new job's cgroup would get below the caller's own. Free the result. */
int cgroup_plan(const char *job_id, struct error *err, char **ret_path);

/*
 * Makes the directory (-EEXIST if it is there), or opens the one that is there. Returns 0 or
 * -errno.
 */
int cgroup_create(const char *path, struct error *err, struct cgroup *ret_cgroup);
int cgroup_open(const char *path, struct error *err, struct cgroup *ret_cgroup);

/* Moves a process in. */
int cgroup_enter(const struct cgroup *cgroup, pid_t pid, struct error *err);

/* Is any process in it or below? */
int cgroup_is_populated(const struct cgroup *cgroup, bool *ret_populated);

/* Sends SIGKILL to everything in it and below. */
int cgroup_kill(const struct cgroup *cgroup);

/* Removes it with all its empty children. Returns 0, -EBUSY while a process is in it, or -errno. */
int cgroup_remove(const struct cgroup *cgroup);

void cgroup_close(struct cgroup *cgroup);

#endif
