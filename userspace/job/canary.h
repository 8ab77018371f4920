/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The self-test's canary: a process moved into the job's cgroup and labelled like a launcher, and its
 * child, which makes the attempts.
 *
 * Two processes, because what the first one is refused only proves its own label. Where the policy judges
 * what is sent, that one first attempts something outside the cgroup, with the label, as if it had been moved
 * out. They hold no descriptor of the controller and write to no memory of it but the results; they never
 * return into its code. When canary_run() is back they are gone, or it has failed.
 */
#ifndef JOBCAGE_JOB_CANARY_H
#define JOBCAGE_JOB_CANARY_H

#include "abi/job.h"
#include "base/error.h"
#include "job/attempt.h"
#include "job/cgroup.h"
#include "kern/kern.h"

/* For the attempts outside the cgroup, and again for those in it; they take some milliseconds. */
#define CANARY_PATIENCE_MS 5000

/* The name (comm) of the canary while it makes attempt N: so each record says whose it is. */
#define CANARY_COMM "canary-%zu"

struct canary_plan {
	const char *folder; /* the canary's own, with OWN_FILE and OWN_DIR in it */
	int file_fd;        /* OWN_FILE, which it inherits */
	int socket_fd;      /* a socket of the controller's, which it inherits; -1: none */
	const struct attempt *attempts;
	size_t cnt;
	uint64_t lifted; /* bit N: capability N, which an act needs to come to its hook */
	struct attempt_result *results; /* cnt of them, in memory that a child shares */
};

/*
 * Makes all the attempts. Returns 0; or -errno with a sentence if the canary could not be put under
 * the policy, died or did not end.
 */
int canary_run(struct kern *kern, struct job_label label, const struct cgroup *cgroup,
	       const struct canary_plan *plan, struct error *err);

#endif
