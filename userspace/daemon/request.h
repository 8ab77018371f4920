/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What clients may ask of the daemon: one function per operation. docs/controller.md lists them.
 *
 * A request is prepared by its client's own thread (prepare.h), which may wait for a server of files
 * or of user names without anybody else noticing, and is done by the main thread, which alone
 * touches the controller.
 */
#ifndef JOBCAGE_DAEMON_REQUEST_H
#define JOBCAGE_DAEMON_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "daemon/daemon.h"
#include "daemon/message.h"
#include "daemon/peer.h"
#include "policy/policy.h"

struct request;

/* Returns 0 and what the answer says besides "ok" (it may be NULL), or -errno. */
typedef int (*request_fn)(struct daemon *daemon, struct request *request, struct error *err,
			  json_t **ret_answer);

struct operation {
	const char *name;
	request_fn fn;
	bool is_for_root;
	bool has_policy; /* puts something under one */
};

struct request {
	struct message message;
	struct peer peer;
	size_t body_len; /* bytes that bodies_take() counts as the peer's; 0: it has no body */
	const struct operation *operation;
	struct policy *policy; /* of an operation that has one; owned */
	struct places *places; /* where its paths lead; owned, NULL once they were taken */
	char *source;          /* the policy's file; NULL: the request brought its text */
	struct outputs *outputs; /* what was made for it; owned; removed unless the job starts */
	uid_t uid;             /* who the command is to run as */
	char user[256];        /* and the name of that */
	int scratch_fd;        /* on what the sender calls its scratch, O_PATH; owned, or -1 */
};

#define REQUEST_NONE                                 \
	{                                            \
		.peer = PEER_NONE, .scratch_fd = -1, \
	}

/* NULL: there is no such operation. */
const struct operation *request_operation(const char *name);

/* Does it. Returns 0 and what the answer says besides "ok" (it may be NULL), or -errno. */
int request_execute(struct daemon *daemon, struct request *request, struct error *err,
		    json_t **ret_members);

/* Frees what it holds. */
void request_clear(struct request *request);

/* The two kinds of answer: a new reference, or NULL without memory. members: taken, may be NULL. */
json_t *request_success(json_t *members);
json_t *request_failure(const struct error *err);

#endif
