/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A job's cgroup: a child of the launcher's own, so that the limits and the accounting of whoever
 * started the launcher still hold.
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

/* The directory of the cgroup that a process is in. Returns 0 or -errno; free the result. */
int cgroup_of(pid_t pid, struct error *err, char **ret_path);

/*
 * The path that a new job's cgroup would get below the one that the process is in. A process that
 * died meanwhile and whose number is another's gives a place that is wrong, but cgroup_enter() then
 * fails. Returns 0 or -errno; free the result.
 */
int cgroup_plan(pid_t pid, const char *job_id, struct error *err, char **ret_path);

/*
 * Makes the directory (-EEXIST if it is there), or opens the one that is there. Returns 0 or
 * -errno.
 */
int cgroup_create(const char *path, struct error *err, struct cgroup *ret_cgroup);
int cgroup_open(const char *path, struct error *err, struct cgroup *ret_cgroup);

/*
 * Moves a process in. pidfd is of the same process: if that is not so, or it dies meanwhile, the
 * result is -ESRCH.
 */
int cgroup_enter(const struct cgroup *cgroup, pid_t pid, int pidfd, struct error *err);

/* Moves a process out again, to the cgroup above, which may be the root; unless it is not that of pidfd. */
void cgroup_leave(const struct cgroup *cgroup, pid_t pid, int pidfd);

/*
 * At most so many processes and threads in it and below; the limits of those above it still hold.
 *
 * Call it when the job's first process is in: the kernel limits the children of a cgroup only if
 * that has no processes of its own (or is the root), and a launcher that a scheduler started is
 * often alone in its cgroup until it is moved. If the controller has to be switched on in the
 * parent, cgroup_remove() switches it off again with the last child; so the caller of either holds
 * the state lock. Returns 0; -EBUSY or -EOPNOTSUPP, where the limit cannot be enforced, and err
 * says what to do; or another -errno.
 */
int cgroup_limit_processes(const struct cgroup *cgroup, uint64_t max, struct error *err);

/*
 * The same for a cgroup that somebody else made: a stricter limit of his stays, however often this is
 * called with another number, and cgroup_loosen_processes() gives back what was there at first. Nothing
 * above it is touched: without the controller it is refused.
 */
int cgroup_tighten_processes(const struct cgroup *cgroup, uint64_t max, struct error *err);
void cgroup_loosen_processes(const struct cgroup *cgroup);

/* Is its own limit this, or a stricter one? Whoever owns the cgroup above can take it away. */
bool cgroup_is_limited(const struct cgroup *cgroup, uint64_t max);

/*
 * Stops or wakes everything in it and below. Frozen means that all has come to rest: it waits up to
 * 10 s for that, and thaws if it does not happen (-ETIMEDOUT). Returns 0 or -errno.
 */
int cgroup_freeze(const struct cgroup *cgroup, bool is_frozen, struct error *err);

/* Is any process in it or below? */
int cgroup_is_populated(const struct cgroup *cgroup, bool *ret_populated);

/* Sends SIGKILL to everything in it and below. */
int cgroup_kill(const struct cgroup *cgroup);

/* Removes it with all that is nested in it. Returns 0, -EBUSY while a process is in it, or -errno. */
int cgroup_remove(const struct cgroup *cgroup);

/* What cgroup_remove() did not come to, of a cgroup that is gone: above it, what was done for it is undone. */
void cgroup_forget(const char *path);

void cgroup_close(struct cgroup *cgroup);

/* Only its descriptors: path and name stay. */
void cgroup_let_go(struct cgroup *cgroup);

#endif
