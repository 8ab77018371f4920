/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests that put something under a policy: run, attach, and the id map that run's environment
 * needs.
 */
#ifndef JOBCAGE_DAEMON_REQUEST_RUN_H
#define JOBCAGE_DAEMON_REQUEST_RUN_H

#include "daemon/request.h"

/* Each is a request_fn. */
int request_run(struct daemon *daemon, struct request *request, struct error *err,
		json_t **ret_answer);
int request_attach(struct daemon *daemon, struct request *request, struct error *err,
		   json_t **ret_answer);
int request_map_ids(struct daemon *daemon, struct request *request, struct error *err,
		    json_t **ret_answer);

/* Whether it is to be answered by a question for an environment, and then comes again. */
bool request_lacks_environment(const struct request *request);

#endif
