/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A job from its first trace to its last: made in an order in which every step can be undone by
 * whoever comes next.
 *
 * job_create(): state file, ring, policy, job in force, cgroup with its programs. job_admit(): the
 * first process, which has not run the command yet, gets its label and is moved in. job_end()
 * undoes all of it, from any point.
 */
#ifndef JOBCAGE_JOB_LIFECYCLE_H
#define JOBCAGE_JOB_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "job/cgroup.h"
#include "job/state.h"
#include "kern/kern.h"
#include "kern/roots.h"
#include "policy/policy.h"

/* Descriptors that a job may inherit, at most. */
#define INHERIT_MAX 32

/* What is asked for. Borrowed. */
struct job_request {
	const char *id;
	const struct policy *policy; /* must outlive the job */
	const char *command;         /* for people */
	const char *user;            /* who the command runs as */
	uid_t uid;
	pid_t pid;                /* the process that becomes the job */
	int pidfd;                /* of the same */
	const char *alerts;       /* absolute path, or "-" */
	int inherit[INHERIT_MAX]; /* descriptors the job keeps */
	size_t inherit_cnt;
};

struct job {
	struct kern *kern; /* borrowed */
	char *id, *command, *user, *alerts;
	uid_t uid;
	pid_t pid;
	uint64_t start_ms; /* Unix time */
	bool is_adopted;
	const struct policy *policy; /* borrowed from the request, or own_policy */
	struct policy *own_policy;   /* of an adopted job: read back, so without the files' names */
	struct roots roots;          /* empty if adopted */
	struct job_label label;
	__u32 policy_slot;
	char *cgroup_path;
	struct cgroup cgroup; /* fd -1 if it does not exist (any more) */
	struct job_state state;
};

/*
 * The caller holds the state lock. Returns 0 and a job (job_free), or -errno with nothing left
 * behind.
 */
int job_create(struct kern *kern, const struct job_request *request, struct error *err,
	       struct job **ret_job);

/*
 * Puts request->pid under the policy, unless a descriptor it will keep would be a way round it.
 * Returns 0 or -errno.
 */
int job_admit(struct job *job, const struct job_request *request, struct error *err);

/* Takes over a job from its state file. The caller holds the state lock. Returns 0, or -errno. */
int job_adopt(struct kern *kern, struct job_state *state, const json_t *content, struct error *err,
	      struct job **ret_job);

/*
 * Kills what is left of the job and removes it from the kernel. The ring must have been drained.
 * The caller holds the state lock. Returns 0, or -errno if the cgroup cannot be removed: then the
 * state file stays for a later controller.
 */
int job_end(struct job *job, struct error *err);

void job_free(struct job *job);

#endif
