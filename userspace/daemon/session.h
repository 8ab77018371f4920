/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One client, in a thread of its own, from the first message to the close.
 */
#ifndef JOBCAGE_DAEMON_SESSION_H
#define JOBCAGE_DAEMON_SESSION_H

#include "daemon/server.h"

/* How long a client may take to send a request, and the machine to look up what it names. */
#define SESSION_SILENT_MS 10000
#define SESSION_LOOKUP_MS 10000

/* The thread: takes the session over, closes and frees it. */
void *session_main(void *session);

/* From the main thread, to a client whose request cannot be prepared. */
void session_give_up(struct session *session, const char *phase);

/* The same, to one that got no thread. */
void session_give_up_unserved(struct session *session);

/* To a client whose request waits for so many others, which are being done. */
void session_reassure(struct session *session, size_t before);

#endif
