/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a job finds around it: directories of its own, nothing in the hidden places, its datasets
 * mounted read-only, few variables.
 *
 * The launcher makes it for itself, before the policy is in force, in a mount namespace that goes
 * with the job's last process. The controller grants what the launcher cannot take itself, and
 * believes nothing that it cannot see in the kernel.
 */
#ifndef JOBCAGE_JOB_ENVIRONMENT_H
#define JOBCAGE_JOB_ENVIRONMENT_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "job/launch.h"
#include "policy/policy.h"

/* --- the launcher's part ---------------------------------------------------------------------- */

/*
 * Asks the controller to map this process's ids into the user namespace it has just made
 * (environment_map_ids()), and waits. Returns 0 or -errno.
 */
typedef int environment_ask_ids(void *arg, struct error *err);

/*
 * Makes the mounts. Who may not mount does it in a user namespace, for which ask is called once.
 *
 * Private paths and the scratch are directories of one tmpfs, limits.scratch in size. They belong to
 * the user that the job will run as (NULL: to the caller), or to everybody where the directory
 * they take the place of is a /tmp. Each must exist, unless it lies in a hidden path; a hidden path
 * that does not exist is left alone. No such path may lead through a symbolic link. What a rule
 * lets the job write below a dataset stays writable when that is mounted read-only.
 *
 * Returns 0 and a descriptor (O_PATH) of the tmpfs's root for the controller, -1 if the policy
 * needs none; or -errno, after which the process must not go on: half of it may be there.
 */
int environment_make(const struct policy *policy, const struct launch_user *user,
		     environment_ask_ids *ask, void *arg, struct error *err, int *ret_scratch_fd);

/*
 * Filters and sets the variables of this process: what is kept, then JOBCAGE_SCRATCH (the scratch)
 * and TMPDIR (the scratch, else /tmp if that is private), then what the policy sets. Returns 0 or
 * -errno.
 */
int environment_variables(const struct policy *policy, struct error *err);

/*
 * Enters the policy's working directory, or again the one that the process is in: by its name, so
 * that it is not a way out of the environment. Call it as the job's user, after environment_make().
 * Returns 0 or -errno.
 */
int environment_enter_directory(const struct policy *policy, struct error *err);

/* --- the controller's part -------------------------------------------------------------------- */

/*
 * Maps a user's own id and groups, each to itself, into the user namespace that the process has
 * made, with setgroups() denied. The ids are those that the kernel gives for the process.
 *
 * The launcher may be hostile, so: the namespace must be a child of the controller's own, made by
 * this user, and unmapped. Ids are mapped only to themselves and only by way of the parent
 * namespace, so whatever namespace the process enters meanwhile, nobody in it gets an id that the
 * launcher has not. Never for uid 0: file capabilities that a mapped root sets are valid on the
 * host. Returns 0 or -errno.
 */
int environment_map_ids(pid_t pid, int pidfd, uid_t uid, gid_t gid, const gid_t *groups,
			size_t group_cnt, struct error *err);

/*
 * Whether what the launcher sent is the root of a tmpfs of its own: the device becomes one that the
 * job may write to, so it must not be one that is mounted on the host. uid: of the launcher. That no
 * other job has the same device is for the caller to see. Returns 0 and the device, or -errno.
 */
int environment_check_scratch(int fd, uid_t uid, struct error *err, dev_t *ret_dev);

#endif
