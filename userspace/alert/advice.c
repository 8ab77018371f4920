// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What would allow a denied attempt; see advice.h.
 *
 * The advice must work when it is pasted: a rule names something that exists and may keep its
 * place, so what makes or removes a name is allowed at the directory that holds the name, never at
 * the name itself. It is as narrow as that permits, and it never proposes to open the root
 * directory.
 */
#include "alert/advice.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "abi/socket.h"
#include "alert/endpoint.h"
#include "alert/op.h"
#include "alert/text.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "policy/value.h"

static const char *access_json(enum access access)
{
	return access == ACCESS_WRITE ? "write" : "read";
}

static void cut_leaf(char *path)
{
	char *slash = strrchr(path, '/');

	*slash = '\0';
}

/*
 * The path that a rule has to name, in place; false if there is none: not absolute (cut off), or
 * nothing but the root is left. Names that are no UTF-8 cannot stand in JSON, so the directory
 * above them is taken.
 */
static bool narrow(char *path, bool at_parent)
{
	if (path[0] != '/')
		return false;
	if (at_parent)
		cut_leaf(path);
	while (!text_is_utf8(path))
		cut_leaf(path);
	return path[0] == '/' && path[1] != '\0';
}

/* ASCII only. DEL, which jansson does not escape, can only stand within a string. */
static void add_ascii(struct json_out *out, const struct json_out *json)
{
	json_auto_t *tree = json_loadb(json->text, json->len, JSON_DECODE_ANY, NULL);
	_cleanup_free_ char *ascii = tree ? json_dumps(tree, JSON_ENSURE_ASCII) : NULL;
	char *rest = ascii, *part;

	if (!ascii)
		out_fail(out, -ENOMEM);
	for (part = strsep(&rest, "\x7f"); part; part = strsep(&rest, "\x7f")) {
		out_add_string(out, part);
		if (rest)
			out_add_string(out, "\\u007f");
	}
}

/*
 * Adds intro and the JSON, and frees it. ASCII only where a character of the text could mislead a
 * reader.
 */
static void add_json(struct json_out *out, const char *intro, struct json_out *json)
{
	out_add(out, intro);
	if (out_finish(json))
		out_fail(out, json->error);
	else if (text_is_plain(json->text))
		out_add_string(out, json->text);
	else
		add_ascii(out, json);
	out_free(json);
}

static const char add_to_policy[] = "To allow it, add to the policy: ";

/* {"section": "value"} or {"section": ["value"]} */
static void advise_word(struct json_out *out, const char *section, const char *value, bool is_list)
{
	struct json_out json = { .is_spaced = true };

	out_open(&json, NULL);
	if (is_list)
		out_open_list(&json, section);
	out_string(&json, is_list ? NULL : section, value);
	if (is_list)
		out_close_list(&json);
	out_close(&json);
	add_json(out, add_to_policy, &json);
}

/* {"section": {"allow": ["path"]}} */
static void advise_allow(struct json_out *out, const char *intro, const char *section,
			 const char *path)
{
	struct json_out json = { .is_spaced = true };

	out_open(&json, NULL);
	out_open(&json, section);
	out_open_list(&json, "allow");
	out_string(&json, NULL, path);
	out_close_list(&json);
	out_close(&json);
	out_close(&json);
	add_json(out, intro, &json);
}

static void advise_dataset(struct json_out *out, const struct rule *rule, enum access access)
{
	struct json_out json = { .is_spaced = true };

	out_open(&json, NULL);
	out_open_list(&json, "datasets");
	out_open(&json, NULL);
	out_string(&json, "name", rule->dataset);
	out_word(&json, "access", access_json(access));
	out_close(&json);
	out_close_list(&json);
	out_close(&json);
	add_json(out, rule->access == ACCESS_NONE ? add_to_policy :
						    "To allow it, change the grant in the policy to: ",
		 &json);
}

/* The paths a file rule would have to name: at most two, each owned by the array. */
struct targets {
	char *path[2];
	size_t cnt;
};

static void targets_free(struct targets *targets)
{
	free(targets->path[0]);
	free(targets->path[1]);
}

/* Adds what narrow() makes of path, once. */
static int add_target(struct targets *targets, const char *path, bool at_parent)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (!narrow(copy, at_parent) || (targets->cnt && !strcmp(copy, targets->path[0])))
		return 0;
	targets->path[targets->cnt++] = TAKE_PTR(copy);
	return 0;
}

/*
 * Of the two ends of a rename or link, the one that rule covers was denied; if that tells nothing,
 * both stay.
 */
static void keep_covered(struct targets *targets, const struct rule *rule)
{
	bool first, second;

	if (targets->cnt < 2 || !rule || !rule->path || !rule->path[0])
		return;
	first = path_is_in(targets->path[0], rule->path);
	second = path_is_in(targets->path[1], rule->path);
	if (first == second)
		return;
	if (second) {
		char *path = targets->path[0];

		targets->path[0] = targets->path[1];
		targets->path[1] = path;
	}
	targets->cnt = 1;
}

static int find_targets(const struct decoded_event *event, const struct cause *cause,
			struct targets *targets)
{
	const struct op_info *op = op_info(event->event.op);
	bool is_deleted = event->event.flags & EVENT_PATH_DELETED;
	bool is_detached = event->event.flags & EVENT_PATH_DETACHED;
	int err = 0;

	if (event->path && !is_detached)
		err = add_target(targets, event->path, op->is_entry || is_deleted);
	if (!err && event->path2)
		err = add_target(targets, event->path2, op->is_entry);
	if (!err)
		keep_covered(targets, cause->rule);
	return err;
}

/* No path to name: say what is known of the object. */
static void advise_unnamed(struct json_out *out, const struct event *event, const char *section)
{
	out_add(out, "To allow it, add a rule to ");
	out_add(out, section);
	out_addf(out,
		 " for the directory that holds it; the record has no path that a rule should name (inode %llu on "
		 "device %u:%u).",
		 (unsigned long long)event->file.ino, event->file.dev >> 20,
		 event->file.dev & 0xfffff);
}

static void write_rules(struct json_out *json, const struct targets *targets, enum access access)
{
	out_open(json, NULL);
	out_open(json, "filesystem");
	out_open_list(json, "rules");
	for (size_t i = 0; i < targets->cnt; i++) {
		out_open(json, NULL);
		out_string(json, "path", targets->path[i]);
		out_word(json, "access", access_json(access));
		out_close(json);
	}
	out_close_list(json);
	out_close(json);
	out_close(json);
}

static bool is_rule_of(const struct cause *cause, const char *path)
{
	return cause->rule && cause->rule->path && !strcmp(cause->rule->path, path);
}

static void advise_file(struct json_out *out, const struct decoded_event *event,
			const struct cause *cause)
{
	_cleanup_(targets_free) struct targets targets = { 0 };
	struct json_out json = { .is_spaced = true };

	if (find_targets(event, cause, &targets)) {
		out_fail(out, -ENOMEM);
		return;
	}
	if (!targets.cnt) {
		advise_unnamed(out, &event->event, "filesystem.rules");
		return;
	}
	write_rules(&json, &targets, op_info(event->event.op)->access);
	add_json(out, is_rule_of(cause, targets.path[0]) ?
			      "To allow it, change the rule in the policy to: " :
			      add_to_policy,
		 &json);
}

static void advise_exec(struct json_out *out, const struct decoded_event *event,
			const struct cause *cause)
{
	bool is_detached = event->event.flags & EVENT_PATH_DETACHED;
	bool is_deleted = event->event.flags & EVENT_PATH_DELETED;
	_cleanup_(targets_free) struct targets targets = { 0 };

	if (event->path && !is_detached && add_target(&targets, event->path, is_deleted))
		out_fail(out, -ENOMEM);
	else if (!targets.cnt)
		advise_unnamed(out, &event->event, "exec.allow");
	else if (is_rule_of(cause, targets.path[0]))
		advise_allow(out, "To allow it, take the path from the policy's exec.deny and add: ",
			     "exec", targets.path[0]);
	else
		advise_allow(out, add_to_policy, "exec", targets.path[0]);
}

static void advise_socket(struct json_out *out, const struct event_net *net)
{
	enum socket_class class = socket_class(net->family, net->type, net->protocol);
	const char *word = class < SOCKET_CLASSES ? word_text(&socket_words, (uint8_t)class) : NULL;

	if (word)
		advise_word(out, "sockets", word, true);
	else
		out_add(out, "No policy entry can allow it: use TCP or UDP over IPv4 or IPv6.");
}

static void advise_unix(struct json_out *out, const struct decoded_event *event)
{
	bool has_path = event->path && !(event->event.flags & EVENT_PATH_DETACHED);
	_cleanup_(targets_free) struct targets targets = { 0 };

	if (has_path && add_target(&targets, event->path, false))
		out_fail(out, -ENOMEM);
	else if (targets.cnt)
		advise_allow(out, add_to_policy, "unix", targets.path[0]);
	else
		out_add(out,
			"No policy entry can allow it: without a path only the job's own sockets reach each "
			"other.");
}

static void advise_user_namespaces(struct json_out *out)
{
	struct json_out json = { .is_spaced = true };

	out_open(&json, NULL);
	out_bool(&json, "user_namespaces", true);
	out_close(&json);
	add_json(out, add_to_policy, &json);
}

static void advise_guard(struct json_out *out, const struct event *event)
{
	const char *word = event->guard.number <= UINT8_MAX ?
				   word_text(&capability_words, (uint8_t)event->guard.number) :
				   NULL;

	if (event->reason == REASON_USER_NAMESPACE)
		advise_user_namespaces(out);
	else if (word)
		advise_word(out, "capabilities", word, true);
	else
		out_add(out, "No policy entry can allow it.");
}

static void write_net_rule(struct json_out *json, const char *section, const struct endpoint *end)
{
	out_open(json, NULL);
	out_open(json, section);
	out_open_list(json, "allow");
	out_open(json, NULL);
	out_begin_string(json, "cidr");
	out_add(json, end->ip);
	out_add(json, end->ip_version == 4 ? "/32" : "/128");
	out_end_string(json);
	out_word(json, "protocol", end->protocol_name);
	out_open_list(json, "ports");
	out_int(json, NULL, end->port);
	out_close_list(json);
	out_close(json);
	out_close_list(json);
	out_close(json);
	out_close(json);
}

static void advise_name(struct json_out *out, const char *name)
{
	struct json_out json = { .is_spaced = true };

	out_open(&json, NULL);
	out_open(&json, "egress");
	out_open_list(&json, "allow");
	out_open(&json, NULL);
	out_string(&json, "domain", name);
	out_open_list(&json, "ports");
	out_int(&json, NULL, 443);
	out_close_list(&json);
	out_close(&json);
	out_close_list(&json);
	out_close(&json);
	out_close(&json);
	add_json(out, "To allow it, add to the policy, with the port that it is for: ", &json);
}

static void advise_net(struct json_out *out, const struct decoded_event *event)
{
	struct endpoint end = endpoint_of(&event->event.net);
	struct json_out json = { .is_spaced = true };

	if (!endpoint_is_nameable(&end)) {
		out_add(out,
			"No policy entry can allow it: rules name a TCP or UDP port of an IP address.");
		return;
	}
	write_net_rule(&json, event->event.op == OP_PACKET_IN ? "ingress" : "egress", &end);
	add_json(out, add_to_policy, &json);
}

static void advise_by_kind(struct json_out *out, const struct decoded_event *event,
			   const struct cause *cause)
{
	switch (event->event.kind) {
	case EVENT_EXEC: advise_exec(out, event, cause); break;
	case EVENT_NET:
		if (event->event.reason == REASON_SOCKET)
			advise_socket(out, &event->event.net);
		else if (op_info(event->event.op)->is_name && event->path)
			advise_name(out, event->path);
		else if (op_info(event->event.op)->is_name)
			out_add(out, "No policy entry can allow it.");
		else if (op_info(event->event.op)->is_unix)
			advise_unix(out, event);
		else
			advise_net(out, event);
		break;
	case EVENT_GUARD: advise_guard(out, &event->event); break;
	default:
		if (event->event.reason == REASON_MOUNTS)
			advise_word(out, "mounts", "allow", false);
		else if (cause->rule && cause->rule->class == RULE_DATASET && cause->rule->dataset)
			advise_dataset(out, cause->rule, op_info(event->event.op)->access);
		else
			advise_file(out, event, cause);
	}
}

void advice_add(struct json_out *out, const struct decoded_event *event, const struct cause *cause)
{
	const char *remedy = cause_remedy(cause);

	if (remedy)
		out_add_string(out, remedy);
	else if (out->is_short)
		out_add(out, "What would allow it is too long for this event.");
	else
		advise_by_kind(out, event, cause);
}
