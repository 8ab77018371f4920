/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What clients may ask of the daemon: one function per operation. docs/controller.md lists them.
 */
#ifndef JOBCAGE_DAEMON_REQUEST_H
#define JOBCAGE_DAEMON_REQUEST_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "daemon/daemon.h"
#include "daemon/message.h"

/* The answer to a request: a new reference, or NULL without memory. */
json_t *request_handle(struct daemon *daemon, int sock, const struct message *message);

/* The answer that says why not. */
json_t *request_failure(const struct error *err);

/* How large a body that user may send: only a policy's text needs much. */
size_t request_body_max(const struct daemon *daemon, uid_t uid);

#endif
