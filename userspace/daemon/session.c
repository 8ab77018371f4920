// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One client; see session.h. */
#include "daemon/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/message.h"
#include "daemon/prepare.h"
#include "job/outputs.h"

/* A request, its environment's id map, and the request again. */
#define REQUESTS_MAX 16

/* --- answers ---------------------------------------------------------------------------------- */

/* A client that does not take its answer is not waited for. */
static int answer(int sock, json_t *json)
{
	int r = message_answer(sock, json);

	json_decref(json);
	return r;
}

static int refuse(int sock, int code, const char *text)
{
	struct error err;

	error_set(&err, code, "%s", text);
	return answer(sock, request_failure(&err));
}

static void hang_up(struct session *session, int code, const char *text)
{
	refuse(session->sock, code, text);
	shutdown(session->sock, SHUT_RDWR);
}

void session_give_up(struct session *session, const char *phase)
{
	char text[128];

	snprintf(text, sizeof(text), "%s does not answer: is a server away?", phase);
	hang_up(session, -ETIMEDOUT, text);
}

void session_give_up_unserved(struct session *session)
{
	hang_up(session, -EAGAIN,
		"the daemon gets no thread to serve you (pids.max of its cgroup, or memory); ask "
		"again later");
}

void session_reassure(struct session *session, size_t before)
{
	answer(session->sock,
	       json_pack("{s:i, s:I}", "version", MESSAGE_VERSION, "waiting", (json_int_t)before));
}

/* --- requests --------------------------------------------------------------------------------- */

/* Returns 0 if the client may ask again. */
static int serve(struct session *session, struct request *request)
{
	struct error err = { 0 };
	json_t *members = NULL;
	int r;

	server_expect(session, SESSION_LOOKUP_MS);
	r = prepare_request(server_daemon(session->server), session->sock, request, &err,
			    &session->phase);
	if (!r)
		r = server_execute(session, request, &err, &members);
	if (!r)
		outputs_keep(request->outputs);
	if (server_has_given_up(session))
		return 1;
	return answer(session->sock, r ? request_failure(&err) : request_success(members));
}

/* Until there is something to take. Returns 0, or -errno when the time is up. */
static int wait_for_message(struct session *session)
{
	struct pollfd ready = { .fd = session->sock, .events = POLLIN };

	for (;;) {
		int64_t left = session->deadline_ms - clock_ms(CLOCK_MONOTONIC);

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&ready, 1, left) > 0)
			return 0;
	}
}

/* Returns 0 to go on. */
static int take_one(struct session *session, unsigned int request_cnt)
{
	_cleanup_(request_clear) struct request request = REQUEST_NONE;
	int r;

	server_expect(session, SESSION_SILENT_MS);
	r = wait_for_message(session);
	if (!r)
		r = message_receive(session->sock, &request.message);
	if (r == -EAGAIN)
		return 0;
	if (r == -EBADMSG)
		refuse(session->sock, r, "the request is no message of jobcage's protocol");
	if (r == -EPROTONOSUPPORT)
		refuse(session->sock, r, "the request is of another version of the protocol");
	if (r <= 0)
		return 1;
	if (request_cnt >= REQUESTS_MAX)
		return refuse(session->sock, -EBUSY, "too many requests on one connection") ?: 1;
	return serve(session, &request);
}

void *session_main(void *arg)
{
	struct session *session = arg;
	unsigned int request_cnt = 0;
	/* Who was given up before has been told; what it asked is not done any more. */
	bool is_given_up = server_has_given_up(session);

	if (!is_given_up && session->is_refused)
		refuse(session->sock, -EBUSY, "the daemon has too many clients; try again");
	else if (!is_given_up)
		while (!take_one(session, request_cnt))
			request_cnt++;
	server_forget(session);
	return NULL;
}
