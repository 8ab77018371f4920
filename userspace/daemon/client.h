/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A command's side of the daemon's socket.
 */
#ifndef JOBCAGE_DAEMON_CLIENT_H
#define JOBCAGE_DAEMON_CLIENT_H

#include <jansson.h>

#include "base/error.h"

/* Returns a socket, -ENOENT if no daemon listens, or -errno. */
int client_connect(struct error *err);

/*
 * Asks for one operation. members (taken over, may be NULL) are the request's besides version and
 * op; descriptors are named in them by number. Returns 0 and what the answer says besides
 * version and ok, an object (decref it); or -errno with the daemon's own sentence.
 */
int client_call(int sock, const char *op, json_t *members, struct error *err, json_t **ret_answer);

/* Connects and asks; a daemon that does not listen is an error that says so. */
int client_ask(const char *op, json_t *members, struct error *err, json_t **ret_answer);

#endif
