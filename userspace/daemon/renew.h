/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules of running jobs, renewed: when a path leads to another file than it did, and when an admin
 * wants another policy. The new rules are filled beside the old ones and put in force by one store
 * per job, so there is no moment without rules.
 */
#ifndef JOBCAGE_DAEMON_RENEW_H
#define JOBCAGE_DAEMON_RENEW_H

#include "daemon/controller.h"

/* How often paths are compared with the files that are held; sooner when the mount table changes.
 */
#define RENEW_MS 10000

/* Once there are jobs: has the loop tell of changes of the mount table. */
void renew_watch_mounts(struct controller *controller);

/* Compares every rule set's paths with its files, and renews those that differ. */
void renew_roots(struct controller *controller);

#endif
