// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Decisions as OCSF: file (1001), exec (1007; 1005: mapped), network (4001) and guarded acts (1003); see ocsf.h.
 *
 * Denied is action Denied and disposition Blocked; audit mode's would-deny is Observed and
 * Detected; what a rule let through is Allowed. A denied connection is activity Refuse: the kernel
 * refused it, nothing left the machine.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "alert/cause.h"
#include "alert/endpoint.h"
#include "alert/guard.h"
#include "alert/message.h"
#include "alert/ocsf_common.h"
#include "alert/op.h"
#include "alert/text.h"
#include "base/cleanup.h"

/* What a verdict is in OCSF. */
struct verdict_info {
	const char *word; /* unmapped.jobcage.verdict */
	enum action action;
	const char *action_name;
	enum disposition disposition;
	const char *disposition_name;
	enum severity severity;
	enum status status;
};

/* clang-format off */
static const struct verdict_info verdicts[] = {
	[VERDICT_ALLOW] = {
		"allow", ACTION_ALLOWED, "Allowed", DISPOSITION_ALLOWED, "Allowed",
		SEVERITY_INFORMATIONAL, STATUS_SUCCESS,
	},
	[VERDICT_DENY] = {
		"deny", ACTION_DENIED, "Denied", DISPOSITION_BLOCKED, "Blocked",
		SEVERITY_MEDIUM, STATUS_FAILURE,
	},
	[VERDICT_WOULD_DENY] = {
		"would-deny", ACTION_OBSERVED, "Observed", DISPOSITION_DETECTED, "Detected",
		SEVERITY_INFORMATIONAL, STATUS_SUCCESS,
	},
};
/* clang-format on */

/* All that the parts of one event are made from. */
struct decision {
	const struct alert_job *job;
	const struct decoded_event *decoded;
	const struct event *event;
	const struct op_info *op;
	const struct verdict_info *verdict;
	struct cause cause;
	int64_t boot_offset_ms;
};

/* A CLOCK_BOOTTIME as Unix milliseconds. */
static int64_t unix_ms(const struct decision *decision, uint64_t boot_ns)
{
	int64_t boot_ms = (int64_t)(boot_ns / 1000000), time_ms;

	if (__builtin_add_overflow(boot_ms, decision->boot_offset_ms, &time_ms))
		return INT64_MAX;
	return time_ms;
}

static int type_of_mode(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return TYPE_REGULAR;
	case S_IFDIR:
		return TYPE_FOLDER;
	case S_IFCHR:
		return TYPE_CHARACTER;
	case S_IFBLK:
		return TYPE_BLOCK;
	case S_IFSOCK:
		return TYPE_SOCKET;
	case S_IFIFO:
		return TYPE_FIFO;
	case S_IFLNK:
		return TYPE_SYMLINK;
	default:
		return TYPE_UNKNOWN;
	}
}

/* Splits at the last '/': "/a/b" is b in /a, "/b" is b in /, and "/" is "/" in nothing. */
static json_t *new_file(const char *path, int type)
{
	const char *slash = strrchr(path, '/'), *name = slash && slash[1] ? slash + 1 : path;
	json_auto_t *file = json_pack("{s:o, s:o, s:i}", "name", text_json(name), "path",
				      text_json(path), "type_id", type);
	_cleanup_free_ char *folder = NULL;

	if (!file || name == path)
		return file ? json_incref(file) : NULL;
	folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!folder || !ocsf_put_text(file, "parent_folder", folder))
		return NULL;
	return json_incref(file);
}

/* A record without a path still knows the inode. */
static json_t *new_unnamed_file(int type)
{
	return json_pack("{s:s, s:i}", "name", "(no path)", "type_id", type);
}

/* "8:1:131074": device and inode */
static json_t *new_inode(const struct event_file *file)
{
	return json_sprintf("%u:%u:%llu", file->dev >> 20, file->dev & 0xfffff,
			    (unsigned long long)file->ino);
}

/*
 * Of a rename or link the record has the inode of the end that was denied, which need not be this
 * file's.
 */
static bool put_identity(json_t *file, const struct decision *decision)
{
	const struct event *event = decision->event;

	if (event->flags & EVENT_PATH_DELETED && !ocsf_put(file, "is_deleted", json_true()))
		return false;
	if (!event->file.ino || decision->op->has_path2)
		return true;
	return ocsf_put(file, "uid", new_inode(&event->file)) &&
	       ocsf_put(file, "volume",
			json_sprintf("%u:%u", event->file.dev >> 20, event->file.dev & 0xfffff));
}

/* The object of the attempt. */
static json_t *new_object(const struct decision *decision)
{
	const struct event *record = decision->event;
	int by_mode = type_of_mode(record->object_mode ? record->object_mode : record->file.mode);
	int type = by_mode != TYPE_UNKNOWN && decision->op->kind == EVENT_FILE ?
			   by_mode :
			   decision->op->file_type;
	json_auto_t *file = decision->decoded->path ? new_file(decision->decoded->path, type) :
						      new_unnamed_file(type);

	return file && put_identity(file, decision) ? json_incref(file) : NULL;
}

/* An account's name is known for the job's own user only. */
static json_t *new_user(const struct decision *decision)
{
	uint32_t uid = decision->event->uid;

	return ocsf_user(uid, uid == decision->job->uid ? decision->job->user : NULL);
}

static json_t *new_process_uid(const struct event *event)
{
	return json_sprintf("%u:%llu", event->tgid, (unsigned long long)event->start_ns);
}

static bool put_ancestry(json_t *process, const struct decision *decision)
{
	const struct event *event = decision->event;

	if (!event->ppid)
		return true;
	if (event->ppid != decision->job->pid)
		return ocsf_put(process, "parent_process",
				json_pack("{s:I}", "pid", (json_int_t)event->ppid));
	return ocsf_put(process, "parent_process", ocsf_job_process(decision->job));
}

/* The process as the kernel knows it, without its program. */
static json_t *new_process(const struct decision *decision)
{
	const struct event *event = decision->event;
	json_auto_t *process = json_pack("{s:I, s:o, s:o, s:o}", "pid", (json_int_t)event->tgid,
					 "uid", new_process_uid(event), "user", new_user(decision),
					 "sandbox", text_json(decision->job->id));

	if (process && ocsf_put(process, "tid", json_integer(event->tid)) &&
	    (!event->start_ns ||
	     ocsf_put_time(process, "created_time", unix_ms(decision, event->start_ns))) &&
	    put_ancestry(process, decision))
		return json_incref(process);
	return NULL;
}

static json_t *new_actor(const struct decision *decision)
{
	bool is_known = !(decision->event->flags & EVENT_WITHOUT_TASK);
	json_auto_t *process = is_known ? new_process(decision) : NULL;
	const char *exe = decision->decoded->exe;
	bool is_first = decision->event->tgid == decision->job->pid;

	if (!is_known) /* no more is known than the job */
		return json_pack("{s:o}", "process", ocsf_job_process(decision->job));
	if (!process || !ocsf_put_text(process, "name", decision->event->comm) ||
	    (is_first && !ocsf_put_text(process, "cmd_line", decision->job->command)) ||
	    (exe && !ocsf_put(process, "file", new_file(exe, TYPE_EXECUTABLE))))
		return NULL;
	return json_pack("{s:O, s:o}", "process", process, "user", new_user(decision));
}

static bool put_file(json_t *event, const struct decision *decision)
{
	const char *path2 = decision->decoded->path2;

	return ocsf_put(event, "file", new_object(decision)) &&
	       (!path2 || ocsf_put(event, "file_result", new_file(path2, decision->op->file_type)));
}

/* The process that was about to run the program: an exec keeps the pid. */
static bool put_exec(json_t *event, const struct decision *decision)
{
	json_auto_t *file = new_object(decision);
	json_auto_t *process = new_process(decision);

	return file && process &&
	       ocsf_put(process, "name", json_incref(json_object_get(file, "name"))) &&
	       ocsf_put(process, "file", json_incref(file)) &&
	       ocsf_put(event, "process", json_incref(process)) &&
	       ocsf_put(event, "launch_type_id", json_integer(LAUNCH_EXEC)) &&
	       ocsf_put(event, "launch_type", json_string("Exec"));
}

/* A library, or a program that another one loads. */
static bool put_module(json_t *event, const struct decision *decision)
{
	json_auto_t *file = new_object(decision);

	return file && ocsf_put(event, "module",
				json_pack("{s:O, s:i, s:s}", "file", file, "load_type_id",
					  LOAD_MAPPED, "load_type", "Mapped"));
}

/* Without an IP address the path or the family stands in for the endpoint's name. */
static json_t *new_endpoint(const struct endpoint *end, const char *path)
{
	json_auto_t *endpoint = NULL;

	if (path)
		return json_pack("{s:o}", "name", text_json(path));
	if (!end->ip_version)
		return json_pack("{s:s}", "name", end->family_name);
	endpoint = json_pack("{s:s}", "ip", end->ip);
	if (!endpoint || (end->port && !ocsf_put(endpoint, "port", json_integer(end->port))))
		return NULL;
	return json_incref(endpoint);
}

static json_t *new_connection(const struct endpoint *end)
{
	if (!end->ip_version)
		return json_pack("{s:i, s:s, s:i, s:i, s:s}", "direction_id", DIRECTION_OUTBOUND,
				 "direction", "Outbound", "protocol_num", -1, "protocol_ver_id", 99,
				 "protocol_ver", end->family_name);
	return json_pack("{s:i, s:s, s:i, s:s, s:i}", "direction_id", DIRECTION_OUTBOUND,
			 "direction", "Outbound", "protocol_num",
			 end->protocol > 255 ? -1 : end->protocol, "protocol_name",
			 end->protocol_name, "protocol_ver_id", end->ip_version);
}

/* From whom, to which of the job's ports. */
static bool put_inbound(json_t *event, const struct endpoint *end)
{
	struct endpoint peer = *end;
	json_auto_t *connection = new_connection(end);

	peer.port = 0;
	return connection &&
	       !json_object_update_new(connection,
				       json_pack("{s:i, s:s}", "direction_id", DIRECTION_INBOUND,
						 "direction", "Inbound")) &&
	       ocsf_put(event, "src_endpoint", new_endpoint(&peer, NULL)) &&
	       ocsf_put(event, "dst_endpoint",
			json_pack("{s:s, s:i}", "name", "the job", "port", end->port)) &&
	       ocsf_put(event, "connection_info", json_incref(connection));
}

static bool put_net(json_t *event, const struct decision *decision)
{
	struct endpoint end = endpoint_of_event(decision->event);

	if (decision->event->op == OP_PACKET_IN)
		return put_inbound(event, &end);
	return ocsf_put(event, "dst_endpoint", new_endpoint(&end, decision->decoded->path)) &&
	       ocsf_put(event, "connection_info", new_connection(&end));
}

/* Of what kind the kernel's resource is, and which one it is. */
static bool put_guard(json_t *event, const struct decision *decision)
{
	char name[GUARD_NAME_LEN];

	guard_name(decision->event, name);
	return ocsf_put(event, "kernel",
			json_pack("{s:s, s:i, s:s}", "name", name, "type_id", KERNEL_TYPE_OTHER,
				  "type", decision->op->name));
}

static unsigned int activity_of(const struct decision *decision)
{
	if (decision->op->kind != EVENT_NET)
		return decision->op->activity;
	if (decision->event->verdict == VERDICT_DENY)
		return NETWORK_REFUSE;
	if (decision->event->op == OP_CONNECT || decision->event->op == OP_SOCKET)
		return NETWORK_OPEN;
	return NETWORK_TRAFFIC;
}

/* What the job sees; NULL: nothing. */
static const char *denial_errno(const struct event *event)
{
	if (event->op == OP_PACKET_IN)
		return NULL;
	return event->flags & EVENT_BY_CGROUP ? "EPERM" : "EACCES";
}

static bool put_verdict(json_t *event, const struct decision *decision)
{
	const struct verdict_info *verdict = decision->verdict;
	bool is_denied = decision->event->verdict == VERDICT_DENY;

	return ocsf_put(event, "action_id", json_integer(verdict->action)) &&
	       ocsf_put(event, "action", json_string(verdict->action_name)) &&
	       ocsf_put(event, "disposition_id", json_integer(verdict->disposition)) &&
	       ocsf_put(event, "disposition", json_string(verdict->disposition_name)) &&
	       ocsf_put(event, "is_alert", json_boolean(is_denied)) &&
	       ocsf_put_status(event, verdict->status, is_denied ? denial_errno(decision->event) : NULL,
			       NULL) &&
	       ocsf_put(event, "firewall_rule", cause_firewall_rule(&decision->cause));
}

/* What OCSF has no attribute for. */
static json_t *new_details(const struct decision *decision)
{
	const struct event *event = decision->event;
	json_auto_t *details = json_pack("{s:s, s:s, s:I, s:I}", "operation", decision->op->name,
					 "verdict", decision->verdict->word,
					 decision->decoded->is_fold ? "repeats_of" : "record",
					 (json_int_t)event->sequence, "gid",
					 (json_int_t)event->gid);

	if (!details || !ocsf_put_text(details, "cgroup", decision->job->cgroup) ||
	    !ocsf_put_text(details, "command", decision->job->command))
		return NULL;
	if (event->kind == EVENT_NET &&
	    !ocsf_put(details, "socket",
		      json_pack("{s:i, s:i, s:i}", "family", event->net.family, "type",
				event->net.type, "protocol", event->net.protocol)))
		return NULL;
	if (event->kind == EVENT_GUARD)
		return json_incref(details);
	if (event->kind != EVENT_NET && event->file.mode &&
	    !ocsf_put(details, "mode", json_sprintf("%06o", event->file.mode)))
		return NULL;
	if (decision->op->has_path2 && event->file.ino &&
	    !ocsf_put(details, "decided_at", new_inode(&event->file)))
		return NULL;
	if (event->flags & EVENT_PATH_DETACHED &&
	    !ocsf_put(details, "path_is_detached", json_true()))
		return NULL;
	return json_incref(details);
}

static bool put_kind(json_t *event, const struct decision *decision)
{
	switch (decision->op->kind) {
	case EVENT_EXEC:
		return decision->event->op == OP_MAP_EXEC ? put_module(event, decision) :
							     put_exec(event, decision);
	case EVENT_NET:
		return put_net(event, decision);
	case EVENT_GUARD:
		return put_guard(event, decision);
	default:
		return put_file(event, decision);
	}
}

static enum ocsf_class class_of(const struct event *event)
{
	switch (event->kind) {
	case EVENT_EXEC: return event->op == OP_MAP_EXEC ? CLASS_MODULE : CLASS_PROCESS;
	case EVENT_GUARD: return CLASS_KERNEL;
	case EVENT_NET: return CLASS_NETWORK;
	default: return CLASS_FILE;
	}
}

static json_t *new_event(const struct decision *decision, uint64_t sequence, const char *message)
{
	const uint32_t cut = EVENT_PATH_TRUNCATED | EVENT_PATH2_TRUNCATED | EVENT_EXE_TRUNCATED |
			     EVENT_PATH_MISSING;
	int64_t time_ms = unix_ms(decision, decision->event->time_ns);
	struct ocsf_head head = {
		.class = class_of(decision->event),
		.activity = activity_of(decision),
		.activity_name = "Change Root",
		.code = decision->op->code,
		.message = message,
		.severity = decision->verdict->severity,
		.time_ms = time_ms,
		.start_ms = unix_ms(decision, decision->decoded->start_ns),
		.cnt = decision->decoded->cnt,
		.sequence = sequence,
		.is_truncated = decision->event->flags & cut,
	};

	return ocsf_event(decision->job, &head);
}

int ocsf_decision(const struct alert_job *job, const struct decoded_event *decoded,
		  uint64_t sequence, int64_t boot_offset_ms, json_t **ret_event)
{
	const struct decision decision = {
		.job = job,
		.decoded = decoded,
		.event = &decoded->event,
		.op = op_info(decoded->event.op),
		.verdict = &verdicts[decoded->event.verdict],
		.cause = cause_of(job->policy, &decoded->event),
		.boot_offset_ms = boot_offset_ms,
	};
	_cleanup_free_ char *message = message_decision(decoded, &decision.cause);
	json_auto_t *event = message ? new_event(&decision, sequence, message) : NULL;

	if (!event || !put_verdict(event, &decision) ||
	    !ocsf_put(event, "actor", new_actor(&decision)) || !put_kind(event, &decision) ||
	    !ocsf_put(event, "unmapped", json_pack("{s:o}", "jobcage", new_details(&decision))))
		return -ENOMEM;
	*ret_event = json_incref(event);
	return 0;
}
