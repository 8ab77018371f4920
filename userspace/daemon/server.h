/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's socket: who is connected, what they ask, how long they may take.
 *
 * A client has one request under way, which is answered before the next is read. Nothing is kept of
 * a request, so a client that stalls, vanishes or sends nonsense costs a descriptor until its time
 * is up.
 */
#ifndef JOBCAGE_DAEMON_SERVER_H
#define JOBCAGE_DAEMON_SERVER_H

#include "base/error.h"
#include "daemon/daemon.h"

/* Replaces a stale socket; the caller holds the controller's lock. Returns 0 or -errno. */
int server_open(struct daemon *daemon, struct error *err, struct server **ret_server);
void server_close(struct server *server);

/* Sends away clients whose time is up. Returns ms until it wants to be called again, or -1. */
int server_tick(struct server *server);

#endif
