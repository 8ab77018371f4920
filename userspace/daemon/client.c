// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A command's side of the daemon's socket; see client.h. */
#include "daemon/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/message.h"

/* For an answer, or for word that others are being done before this request: some take seconds. */
#define ANSWER_S 60

int client_connect(struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET };
	const struct timeval wait = { .tv_sec = ANSWER_S };
	_cleanup_fd_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)))
		return error_errno(err, -errno, "cannot make a socket");
	if (!connect(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return TAKE_FD(sock);
	if (errno == ENOENT || errno == ECONNREFUSED)
		return error_set(err, -ENOENT,
				 "no jobcage daemon listens at " CONTROL_SOCKET
				 "; root starts one: jobcage daemon");
	return error_errno(err, -errno, "cannot reach the daemon at " CONTROL_SOCKET);
}

/* errno by the name that the daemon gave it. */
static int code_of(const char *name)
{
	for (int code = 1; name && code < 200; code++) {
		const char *known = strerrorname_np(code);

		if (known && !strcmp(known, name))
			return -code;
	}
	return -EIO;
}

/* The first message that does not say that others come first; as message_receive_answer(). */
static int await_answer(int sock, json_t **ret_answer)
{
	json_auto_t *answer = NULL;
	int r;

	do {
		json_decref(answer);
		answer = NULL;
		r = message_receive_answer(sock, &answer);
	} while (r > 0 && json_object_get(answer, "waiting"));
	if (r > 0)
		*ret_answer = json_incref(answer);
	return r;
}

static int read_answer(int sock, struct error *err, json_t **ret_answer)
{
	json_auto_t *answer = NULL;
	const char *text;
	int r = await_answer(sock, &answer);

	if (r == -EAGAIN)
		return error_set(err, -ETIMEDOUT,
				 "the daemon has not answered for %d s; its log may say why",
				 ANSWER_S);
	if (r <= 0)
		return error_errno(err, r ? r : -ECONNRESET, "cannot read the daemon's answer");
	if (json_is_true(json_object_get(answer, "ok"))) {
		json_object_del(answer, "version");
		json_object_del(answer, "ok");
		*ret_answer = json_incref(answer);
		return 0;
	}
	text = json_string_value(json_object_get(answer, "error"));
	return error_set(err, code_of(json_string_value(json_object_get(answer, "errno"))), "%s",
			 text ? text : "the daemon refuses, and does not say why");
}

int client_call(int sock, const char *op, json_t *members, struct error *err, json_t **ret_answer)
{
	json_auto_t *request = json_pack("{s:i, s:s}", "version", MESSAGE_VERSION, "op", op);
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, getpid(), 0), body = -1;
	int r;

	if (request && members)
		json_object_update(request, members);
	json_decref(members);
	if (pidfd < 0)
		return error_errno(err, -errno, "cannot open a pidfd of this process");
	r = message_ask(sock, request, pidfd, &body);
	/* It may have said why before it hung up. */
	if (r && r != -EPIPE)
		return error_errno(err, r, "cannot ask the daemon");
	return read_answer(sock, err, ret_answer);
}

int client_ask(const char *op, json_t *members, struct error *err, json_t **ret_answer)
{
	_cleanup_fd_ int sock = client_connect(err);

	if (sock >= 0)
		return client_call(sock, op, members, err, ret_answer);
	json_decref(members);
	return sock;
}
