/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The directories that a policy has made for a job when it starts: rules with "create".
 *
 * Who makes them needs the right to. For a policy of the site or of root that is root, who gives the
 * directory away, so no one else may have a say in where it comes to be: each directory on the way,
 * and each link, must be root's, and none writable by others, save with the sticky bit. For a policy
 * that a user brings it is the user's own launcher. See docs/outputs.md.
 *
 * A walk may wait for a server of files that is away: never in the controller's main thread.
 */
#ifndef JOBCAGE_JOB_OUTPUTS_H
#define JOBCAGE_JOB_OUTPUTS_H

#include <sys/types.h>

#include "base/error.h"
#include "policy/policy.h"

/* Who the job runs as. */
struct output_owner {
	uid_t uid;
	gid_t gid;
};

struct outputs;

/*
 * Makes what is missing. owner: whose it becomes; NULL: that is not known, and what is missing is an
 * error. Returns 0 and what was made (outputs_free), or -errno with file, line and rule, and nothing
 * that was made is left.
 */
int outputs_make(struct policy *policy, const struct output_owner *owner, struct error *err,
		 struct outputs **ret_outputs);

/* The same, with this process' own ids and by no other rights than its own. */
int outputs_make_own(struct policy *policy, struct error *err, struct outputs **ret_outputs);

/* The job has started: they stay. May be NULL. */
void outputs_keep(struct outputs *outputs);

/*
 * Removes what was made, where it is still empty and no other start has come to need it, unless it is
 * kept. May be NULL.
 */
void outputs_free(struct outputs *outputs);

#endif
