// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A decision in plain words; see message.h. */
#include "alert/message.h"

#include <sys/socket.h>

#include "alert/advice.h"
#include "alert/endpoint.h"
#include "alert/guard.h"
#include "alert/op.h"

static const char *verdict_words(unsigned int verdict)
{
	if (verdict == VERDICT_ALLOW)
		return "was allowed";
	return verdict == VERDICT_DENY ? "was denied" : "would have been denied";
}

/* "python3 (pid 812)" */
static void add_actor(struct json_out *out, const struct event *event)
{
	if (event->flags & EVENT_WITHOUT_TASK) {
		out_add(out, "a socket of the job");
		return;
	}
	if (event->comm[0])
		out_add_name(out, event->comm, QUOTES_IF_NEEDED);
	else
		out_add(out, "a process");
	out_add(out, " (pid ");
	out_add_uint(out, event->tgid);
	out_add(out, ")");
}

static void add_path(struct json_out *out, const char *path)
{
	if (path)
		out_add_name(out, path, QUOTES_IF_NEEDED);
	else
		out_add(out, "a file without a recorded path");
}

static void add_notes(struct json_out *out, const struct event *event)
{
	if (event->flags & EVENT_PATH_DELETED)
		out_add(out, " (deleted)");
	if (event->flags & EVENT_PATH_DETACHED && event->path_len)
		out_add(out, " (path from the root of its file system)");
}

static void add_endpoint(struct json_out *out, const struct event *event)
{
	struct endpoint end = endpoint_of_event(event);

	if (event->op == OP_RECEIVE_SOCKET)
		out_add(out, end.port ? "a socket connected to " : "a socket of ");
	if (event->op == OP_SOCKET || (event->op == OP_RECEIVE_SOCKET && !end.port))
		out_addf(out, "family %s, type %u, protocol %u", end.family_name, event->net.type,
			 event->net.protocol);
	else if (event->op == OP_PACKET_IN && end.port)
		out_addf(out, "%s on its port %u/%s", end.ip, end.port, end.protocol_name);
	else if (!end.ip_version)
		out_addf(out, "an address of family %s", end.family_name);
	else if (end.port)
		out_addf(out, "%s port %u/%s", end.ip, end.port, end.protocol_name);
	else
		out_addf(out, "%s over %s", end.ip, end.protocol_name);
}

static bool is_received_unix(const struct event *event)
{
	return event->op == OP_RECEIVE_SOCKET && event->net.family == AF_UNIX;
}

/* The act's own words say the rest. */
static void add_guarded(struct json_out *out, const struct event *event)
{
	char name[GUARD_NAME_LEN];

	guard_name(event, name);
	if (event->op == OP_BPF)
		out_addf(out, " (%s)", name);
	else if (event->op != OP_USER_NAMESPACE && event->op != OP_KEY_REQUEST &&
		 event->op != OP_QUOTA_SYNC)
		out_add(out, name);
	if (event->op == OP_SIGNAL)
		out_addf(out, " (signal %u)", event->guard.detail);
}

/* "192.0.2.53 for a.example" */
static void add_question(struct json_out *out, const struct decoded_event *event)
{
	struct endpoint end = endpoint_of_event(&event->event);

	out_addf(out, "%s for ", end.ip);
	if (event->path)
		out_add_name(out, event->path, QUOTES_IF_NEEDED);
	else
		out_add(out, "what could not be read");
}

static void add_object(struct json_out *out, const struct decoded_event *event)
{
	const struct op_info *op = op_info(event->event.op);

	if (op->is_name) {
		add_question(out, event);
	} else if (op->kind == EVENT_NET && event->path) {
		out_add(out, "the Unix socket ");
		add_path(out, event->path);
	} else if (event->event.op == OP_UNIX || is_received_unix(&event->event)) {
		out_add(out, "a Unix socket without a path");
	} else if (op->kind == EVENT_NET) {
		add_endpoint(out, &event->event);
	} else if (op->kind == EVENT_GUARD) {
		add_guarded(out, &event->event);
	} else {
		add_path(out, event->path);
		add_notes(out, &event->event);
	}
}

static void add_attempt(struct json_out *out, const struct decoded_event *event)
{
	const struct op_info *op = op_info(event->event.op);

	out_add(out, op->before);
	add_object(out, event);
	if (op->has_path2) {
		out_add(out, op->between);
		add_path(out, event->path2);
	}
	if (event->event.op == OP_CHMOD)
		out_addf(out, " to %04o", event->event.file.mode & 07777);
	out_add(out, op->after);
}

void message_write(struct json_out *out, const char *key, const struct decoded_event *event,
		   const struct cause *cause)
{
	out_begin_string(out, key);
	add_actor(out, &event->event);
	out_add(out, " ");
	out_add(out, verdict_words(event->event.verdict));
	out_add(out, " ");
	add_attempt(out, event);
	out_add(out, ": ");
	cause_explain(out, cause);
	out_add(out, ".");
	if (event->event.verdict != VERDICT_ALLOW) {
		out_add(out, " ");
		advice_add(out, event, cause);
	}
	out_end_string(out);
}
