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

/* Prints JSON. DEL, which jansson does not escape, can only stand within a string. */
static int put_json_text(FILE *out, const char *json)
{
	for (; *json; json++)
		if (*json == '\x7f' ? fputs("\\u007f", out) < 0 : fputc(*json, out) < 0)
			return -ENOMEM;
	return 0;
}

/*
 * Prints intro and json, consuming it. ASCII only where a character of the text could mislead a
 * reader.
 */
static int put_json(FILE *out, const char *intro, json_t *json)
{
	_cleanup_free_ char *plain = json ? json_dumps(json, 0) : NULL;
	_cleanup_free_ char *ascii = NULL;

	if (plain && !text_is_plain(plain))
		ascii = json_dumps(json, JSON_ENSURE_ASCII);
	json_decref(json);
	if (!plain || (!text_is_plain(plain) && !ascii) || fputs(intro, out) < 0)
		return -ENOMEM;
	return put_json_text(out, ascii ? ascii : plain);
}

static int advise_dataset(FILE *out, const struct rule *rule, enum access access)
{
	const char *intro = rule->access == ACCESS_NONE ?
				    "To allow it, add to the policy: " :
				    "To allow it, change the grant in the policy to: ";

	return put_json(out, intro,
			json_pack("{s:[{s:s, s:s}]}", "datasets", "name", rule->dataset, "access",
				  access_json(access)));
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
static int advise_unnamed(FILE *out, const struct event *event, const char *section)
{
	fprintf(out,
		"To allow it, add a rule to %s for the directory that holds it; the record has no path that a rule "
		"should name (inode %llu on device %u:%u).",
		section, (unsigned long long)event->file.ino, event->file.dev >> 20,
		event->file.dev & 0xfffff);
	return 0;
}

static int advise_file(FILE *out, const struct decoded_event *event, const struct cause *cause)
{
	const struct op_info *op = op_info(event->event.op);
	_cleanup_(targets_free) struct targets targets = { 0 };
	const char *intro = "To allow it, add to the policy: ";
	json_t *rules;

	if (find_targets(event, cause, &targets))
		return -ENOMEM;
	if (!targets.cnt)
		return advise_unnamed(out, &event->event, "filesystem.rules");
	rules = json_array();
	for (size_t i = 0; i < targets.cnt; i++)
		if (json_array_append_new(rules, json_pack("{s:s, s:s}", "path", targets.path[i],
							   "access", access_json(op->access)))) {
			json_decref(rules);
			return -ENOMEM;
		}
	if (cause->rule && cause->rule->path && !strcmp(cause->rule->path, targets.path[0]))
		intro = "To allow it, change the rule in the policy to: ";
	return put_json(out, intro, json_pack("{s:{s:o}}", "filesystem", "rules", rules));
}

static int advise_exec(FILE *out, const struct decoded_event *event, const struct cause *cause)
{
	bool is_detached = event->event.flags & EVENT_PATH_DETACHED;
	bool is_deleted = event->event.flags & EVENT_PATH_DELETED;
	_cleanup_(targets_free) struct targets targets = { 0 };
	const char *intro = "To allow it, add to the policy: ";

	if (event->path && !is_detached && add_target(&targets, event->path, is_deleted))
		return -ENOMEM;
	if (!targets.cnt)
		return advise_unnamed(out, &event->event, "exec.allow");
	if (cause->rule && cause->rule->path && !strcmp(cause->rule->path, targets.path[0]))
		intro = "To allow it, take the path from the policy's exec.deny and add: ";
	return put_json(out, intro, json_pack("{s:{s:[s]}}", "exec", "allow", targets.path[0]));
}

static int advise_socket(FILE *out, const struct event_net *net)
{
	enum socket_class class = socket_class(net->family, net->type, net->protocol);
	const char *word = class < SOCKET_CLASSES ? word_text(&socket_words, (uint8_t)class) : NULL;

	if (!word)
		return fputs("No policy entry can allow it: use TCP or UDP over IPv4 or IPv6.", out) < 0 ?
			       -ENOMEM :
			       0;
	return put_json(out, "To allow it, add to the policy: ",
			json_pack("{s:[s]}", "sockets", word));
}

static int advise_unix(FILE *out, const struct decoded_event *event)
{
	bool has_path = event->path && !(event->event.flags & EVENT_PATH_DETACHED);
	_cleanup_(targets_free) struct targets targets = { 0 };

	if (has_path && add_target(&targets, event->path, false))
		return -ENOMEM;
	if (targets.cnt)
		return put_json(out, "To allow it, add to the policy: ",
				json_pack("{s:{s:[s]}}", "unix", "allow", targets.path[0]));
	return fputs("No policy entry can allow it: without a path only the job's own sockets reach each "
		     "other.", out) < 0 ? -ENOMEM : 0;
}

static int advise_guard(FILE *out, const struct event *event)
{
	const char *word;

	if (event->reason == REASON_USER_NAMESPACE)
		return put_json(out, "To allow it, add to the policy: ",
				json_pack("{s:b}", "user_namespaces", true));
	word = event->guard.number <= UINT8_MAX ?
		       word_text(&capability_words, (uint8_t)event->guard.number) :
		       NULL;
	if (!word)
		return fputs("No policy entry can allow it.", out) < 0 ? -ENOMEM : 0;
	return put_json(out, "To allow it, add to the policy: ",
			json_pack("{s:[s]}", "capabilities", word));
}

static int advise_net(FILE *out, const struct decoded_event *event)
{
	const char *section = event->event.op == OP_PACKET_IN ? "ingress" : "egress";
	struct endpoint end = endpoint_of(&event->event.net);
	char cidr[sizeof(end.ip) + 4];

	if (!endpoint_is_nameable(&end)) {
		fputs("No policy entry can allow it: rules name a TCP or UDP port of an IP address.",
		      out);
		return 0;
	}
	snprintf(cidr, sizeof(cidr), "%s/%u", end.ip, end.ip_version == 4 ? 32 : 128);
	return put_json(out, "To allow it, add to the policy: ",
			json_pack("{s:{s:[{s:s, s:s, s:[i]}]}}", section, "allow", "cidr", cidr,
				  "protocol", end.protocol_name, "ports", end.port));
}

int advice_print(FILE *out, const struct decoded_event *event, const struct cause *cause)
{
	const char *remedy = cause_remedy(cause);

	if (remedy)
		return fputs(remedy, out) < 0 ? -ENOMEM : 0;
	switch (event->event.kind) {
	case EVENT_EXEC:
		return advise_exec(out, event, cause);
	case EVENT_NET:
		if (event->event.reason == REASON_SOCKET)
			return advise_socket(out, &event->event.net);
		if (op_info(event->event.op)->is_unix)
			return advise_unix(out, event);
		return advise_net(out, event);
	case EVENT_GUARD:
		return advise_guard(out, &event->event);
	default:
		if (event->event.reason == REASON_MOUNTS)
			return put_json(out, "To allow it, add to the policy: ",
					json_pack("{s:s}", "mounts", "allow"));
		if (cause->rule && cause->rule->class == RULE_DATASET && cause->rule->dataset)
			return advise_dataset(out, cause->rule, op_info(event->event.op)->access);
		return advise_file(out, event, cause);
	}
}
