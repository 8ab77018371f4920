/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules of running jobs, renewed: when a path leads to another file than it did, and when an admin
 * wants another policy. The new rules are filled beside the old ones and put in force by one store
 * per job, so there is no moment without rules.
 */
#ifndef JOBCAGE_DAEMON_RENEW_H
#define JOBCAGE_DAEMON_RENEW_H

#include "daemon/controller.h"

/* How often paths are compared with the files that are held; sooner when the mounts change. */
#define RENEW_MS 10000

/*
 * A new policy for some jobs: what choose() returns for a job, which is a policy that the
 * controller takes over, or NULL to leave the job as it is. Returns how many got other rules, or
 * -errno: err says of the first that failed, which keeps its rules.
 */
typedef struct policy *(*renew_choose_fn)(void *arg, const struct job *job);
int renew_policies(struct controller *controller, renew_choose_fn choose, void *arg,
		   struct error *err);

/* Once there are jobs: has the loop tell of changes of the mount table. */
void renew_watch_mounts(struct controller *controller);

/* Compares every rule set's paths with its files, and renews those that differ. */
void renew_roots(struct controller *controller);

#endif
