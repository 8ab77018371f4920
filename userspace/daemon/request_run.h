/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests that put something under a policy: run, attach, and the id map that run's environment
 * needs.
 */
#ifndef JOBCAGE_DAEMON_REQUEST_RUN_H
#define JOBCAGE_DAEMON_REQUEST_RUN_H

#include "daemon/peer.h"

/* Each returns 0 and what the answer says besides "ok" (it may be NULL), or -errno. */
int request_run(struct daemon *daemon, const struct message *message, const struct peer *peer,
		struct error *err, json_t **ret_answer);
int request_attach(struct daemon *daemon, const struct message *message, const struct peer *peer,
		   struct error *err, json_t **ret_answer);
int request_map_ids(struct daemon *daemon, const struct message *message, const struct peer *peer,
		    struct error *err, json_t **ret_answer);

/* The policy that a request or a reload means by this name or file. Returns 0 or -errno. */
int request_load_policy(struct daemon *daemon, const char *file, struct error *err,
			struct policy **ret_policy);

#endif
