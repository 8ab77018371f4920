/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Do the job's rules bite? Tried before its command runs, by a canary in its own cgroup with its own
 * label.
 *
 * For each hook and each program of the cgroup there is an act that only it refuses, so that one of
 * them that is detached, or has no effect, is found whatever stands beside it. Then what this policy
 * denies: datasets, programs, destinations; and something that it must allow. A refusal counts only
 * if our own record of it is in the job's ring: what another part of the kernel refused proves
 * nothing.
 */
#ifndef JOBCAGE_JOB_SELFTEST_H
#define JOBCAGE_JOB_SELFTEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/job.h"
#include "base/error.h"
#include "job/cgroup.h"
#include "kern/kern.h"
#include "kern/ring.h"
#include "policy/policy.h"

enum selftest_outcome {
	/* As it must be. */
	OUTCOME_REFUSED = 1, /* by the program that should; in audit mode: told as would-deny */
	OUTCOME_ALLOWED,
	/* Nothing is known of our part; the job starts. */
	OUTCOME_NOT_DENIED, /* the policy denies nothing of the kind */
	OUTCOME_IMPOSSIBLE, /* this machine cannot do it, or there is nothing to do it to */
	OUTCOME_MOUNT,      /* a dataset's mount is read-only and refused it first */
	OUTCOME_ELSEWHERE,  /* a dataset's file system, or server, refused it first */
	/* The job does not start. */
	OUTCOME_NOT_REFUSED,
	OUTCOME_NOT_OURS,    /* refused, but no record says that we did */
	OUTCOME_NOT_ALLOWED, /* refused by us, though the policy allows it */
};

struct selftest_result {
	const char *name; /* stable; in static memory */
	const char *hook; /* the one that must refuse; NULL: must be allowed */
	const char *noted_by; /* of what must be allowed: the hook that notes whose it is; or NULL */
	const char *what; /* the act, in words */
	char *target;     /* what it was done to, or NULL */
	enum selftest_outcome outcome;
	int error;        /* 0 or -errno that the canary got */
	bool is_recorded; /* the kernel's record of it was found */
};

struct selftest {
	struct selftest_result *items;
	size_t cnt;
	uint64_t duration_us;
};

/*
 * Tries a job that is published and has its cgroup, in which no process is yet. ring: the job's own.
 * Returns 0 and the result (free it), whatever that is; or -errno with one sentence if the test
 * could not be made. Afterwards the canary is gone, the ring empty and the counters zero.
 */
int selftest_run(struct kern *kern, struct job_label label, const struct cgroup *cgroup,
		 struct ring *ring, const struct policy *policy, struct error *err,
		 struct selftest *ret_selftest);

/*
 * Returns 0 if the job may start, else -EKEYREJECTED with a sentence that names the first hook that
 * did not bite, or without one the first that could not be proved.
 */
int selftest_check(const struct selftest *selftest, struct error *err);
void selftest_free(struct selftest *selftest);

/*
 * For the job's record: {"passed", "duration_us", "refused", "allowed", "attempts": [...]}. attempts
 * has those that are neither refused nor allowed. NULL: out of memory.
 */
json_t *selftest_json(const struct selftest *selftest);

/* Removes what the self-test of a controller that died has left. */
void selftest_sweep(struct job_label label);

#endif
