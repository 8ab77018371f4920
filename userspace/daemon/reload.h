/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the site and the policies of running jobs again.
 */
#ifndef JOBCAGE_DAEMON_RELOAD_H
#define JOBCAGE_DAEMON_RELOAD_H

#include "daemon/daemon.h"

/*
 * For the job of that id, or all (NULL). Returns how many jobs got other rules, or -errno: err
 * tells of the first that keeps the rules it has because of an error. *ret_unchanged (may be NULL):
 * jobs whose policy is the same, or which brought their own.
 */
int daemon_reload(struct daemon *daemon, const char *job_id, struct error *err,
		  size_t *ret_unchanged);

#endif
