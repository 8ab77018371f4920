/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's socket: who is connected, and how long they may take.
 *
 * The main thread accepts. From then on a client is its own thread's affair (session.h): that takes
 * what it sends, prepares the request, has the main thread do it, answers, and closes. So a client
 * that stalls, vanishes, sends nonsense, or has the kernel wait for a server of its own, costs a
 * thread and a descriptor until its time is up, and nobody else anything.
 */
#ifndef JOBCAGE_DAEMON_SERVER_H
#define JOBCAGE_DAEMON_SERVER_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "daemon/daemon.h"
#include "daemon/request.h"

/* One client. */
struct session {
	struct session *next;
	struct server *server;
	int sock;
	uid_t uid;           /* who connected */
	bool is_refused;     /* one too many: it is only told so */
	pthread_t thread;    /* if has_thread */
	bool has_thread;
	int64_t deadline_ms; /* CLOCK_MONOTONIC; when the main thread interrupts it */
	bool is_given_up;    /* was told so: nothing is done for it any more */
	const char *_Atomic phase; /* of the preparation: what it waits for, or NULL */
	/* What the main thread is to do for it. */
	struct session *next_queued;
	uint64_t turn; /* see turns.h */
	struct request *request;
	bool is_done;
	pthread_cond_t done;
	int result;
	struct error err;
	json_t *members;
};

/* Replaces a stale socket; the caller holds the controller's lock. Returns 0 or -errno. */
int server_open(struct daemon *daemon, struct error *err, struct server **ret_server);

/*
 * Hangs up, and waits a moment for the clients' threads. Returns false if one of them still waits
 * for somebody: then the daemon's memory has to stay until the process ends, which is to be now.
 */
bool server_close(struct server *server);

/* Sends away clients whose time is up. Returns ms until it wants to be called again, or -1. */
int server_tick(struct server *server);

/* --- for the clients' threads ----------------------------------------------------------------- */

struct daemon *server_daemon(struct server *server);

/* Starts, or ends, a time of so many ms for the client to do its part. */
void server_expect(struct session *session, int ms);

/* Has it been given up? */
bool server_has_given_up(struct session *session);

/*
 * Has the main thread execute the request, and waits for that. Returns 0 and what the answer says;
 * -errno and err; or 1: it has been given up, and there is nothing to be said.
 */
int server_execute(struct session *session, struct request *request, struct error *err,
		   json_t **ret_members);

/* The thread's last act: frees the session. */
void server_forget(struct session *session);

#endif
