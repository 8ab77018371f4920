/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A request up to where the controller is needed: who asks, whether he may, the policy, the user's
 * name, and where the policy's paths lead.
 *
 * Runs in the client's own thread, because all of it may wait: for a file system that a hostile
 * process serves, for a server of files or users that is away. What it needs of the site is a copy
 * that it holds.
 */
#ifndef JOBCAGE_DAEMON_PREPARE_H
#define JOBCAGE_DAEMON_PREPARE_H

#include "daemon/request.h"

/*
 * message: taken from sock, and the request's from now on. Notes in *phase what it waits for, for
 * people; NULL when it is through. Returns 0 or -errno; request_clear() in any case.
 */
int prepare_request(struct daemon *daemon, int sock, struct request *request, struct error *err,
		    const char *_Atomic *phase);

/* A policy's file, read as the site wants it. Returns 0 or -errno. */
int prepare_load_policy(const struct site *site, const char *file, struct error *err,
			struct policy **ret_policy);

#endif
