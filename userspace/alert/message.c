// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A decision in plain words; see message.h. */
#include "alert/message.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "alert/advice.h"
#include "alert/endpoint.h"
#include "alert/guard.h"
#include "alert/op.h"
#include "alert/text.h"

static const char *verdict_words(unsigned int verdict)
{
	if (verdict == VERDICT_ALLOW)
		return "was allowed";
	return verdict == VERDICT_DENY ? "was denied" : "would have been denied";
}

/* "python3 (pid 812)" */
static int put_actor(FILE *out, const struct event *event)
{
	int err;

	if (event->flags & EVENT_WITHOUT_TASK) {
		fputs("a socket of the job", out);
		return 0;
	}
	err = event->comm[0] ? text_put(out, event->comm) : (fputs("a process", out), 0);

	fprintf(out, " (pid %u)", event->tgid);
	return err;
}

static int put_path(FILE *out, const char *path)
{
	if (!path) {
		fputs("a file without a recorded path", out);
		return 0;
	}
	return text_put(out, path);
}

static void put_notes(FILE *out, const struct event *event)
{
	if (event->flags & EVENT_PATH_DELETED)
		fputs(" (deleted)", out);
	if (event->flags & EVENT_PATH_DETACHED && event->path_len)
		fputs(" (path from the root of its file system)", out);
}

static void put_endpoint(FILE *out, const struct event *event)
{
	struct endpoint end = endpoint_of_event(event);

	if (event->op == OP_RECEIVE_SOCKET)
		fputs(end.port ? "a socket connected to " : "a socket of ", out);
	if (event->op == OP_SOCKET || (event->op == OP_RECEIVE_SOCKET && !end.port))
		fprintf(out, "family %s, type %u, protocol %u", end.family_name, event->net.type,
			event->net.protocol);
	else if (event->op == OP_PACKET_IN && end.port)
		fprintf(out, "%s on its port %u/%s", end.ip, end.port, end.protocol_name);
	else if (!end.ip_version)
		fprintf(out, "an address of family %s", end.family_name);
	else if (end.port)
		fprintf(out, "%s port %u/%s", end.ip, end.port, end.protocol_name);
	else
		fprintf(out, "%s over %s", end.ip, end.protocol_name);
}

static bool is_received_unix(const struct event *event)
{
	return event->op == OP_RECEIVE_SOCKET && event->net.family == AF_UNIX;
}

/* The act's own words say the rest. */
static void put_guarded(FILE *out, const struct event *event)
{
	char name[GUARD_NAME_LEN];

	guard_name(event, name);
	if (event->op == OP_BPF)
		fprintf(out, " (%s)", name);
	else if (event->op != OP_USER_NAMESPACE && event->op != OP_KEY_REQUEST &&
		 event->op != OP_QUOTA_SYNC)
		fputs(name, out);
	if (event->op == OP_SIGNAL)
		fprintf(out, " (signal %u)", event->guard.detail);
}

static int put_attempt(FILE *out, const struct decoded_event *event)
{
	const struct op_info *op = op_info(event->event.op);
	int err = 0;

	fputs(op->before, out);
	if (op->kind == EVENT_NET && event->path) {
		fputs("the Unix socket ", out);
		err = put_path(out, event->path);
	} else if (event->event.op == OP_UNIX || is_received_unix(&event->event)) {
		fputs("a Unix socket without a path", out);
	} else if (op->kind == EVENT_NET) {
		put_endpoint(out, &event->event);
	} else if (op->kind == EVENT_GUARD) {
		put_guarded(out, &event->event);
	} else {
		err = put_path(out, event->path);
		put_notes(out, &event->event);
	}
	if (op->has_path2) {
		fputs(op->between, out);
		err = err ? err : put_path(out, event->path2);
	}
	if (event->event.op == OP_CHMOD)
		fprintf(out, " to %04o", event->event.file.mode & 07777);
	fputs(op->after, out);
	return err;
}

static int put_decision(FILE *out, const struct decoded_event *event, const struct cause *cause)
{
	int err = put_actor(out, &event->event);

	fprintf(out, " %s ", verdict_words(event->event.verdict));
	err = err ? err : put_attempt(out, event);
	fputs(": ", out);
	err = err ? err : cause_print(out, cause);
	fputs(".", out);
	if (err || event->event.verdict == VERDICT_ALLOW)
		return err;
	fputs(" ", out);
	return advice_print(out, event, cause);
}

char *message_decision(const struct decoded_event *event, const struct cause *cause)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	return out ? text_finish(out, &text, put_decision(out, event, cause)) : NULL;
}
