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
#include "alert/line.h"
#include "alert/message.h"
#include "alert/ocsf_common.h"
#include "alert/op.h"
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
static void write_path(struct json_out *out, const char *path, int type)
{
	const char *slash = strrchr(path, '/'), *name = slash && slash[1] ? slash + 1 : path;

	out_text(out, "name", name);
	out_text(out, "path", path);
	out_int(out, "type_id", type);
	if (name != path)
		out_text_span(out, "parent_folder", path, slash == path ? 1 : (size_t)(slash - path));
}

static void write_device_number(struct json_out *out, const struct event_file *file)
{
	out_add_uint(out, file->dev >> 20);
	out_add(out, ":");
	out_add_uint(out, file->dev & 0xfffff);
}

/* "8:1:131074": device and inode */
static void write_inode(struct json_out *out, const char *key, const struct event_file *file)
{
	out_begin_string(out, key);
	write_device_number(out, file);
	out_add(out, ":");
	out_add_uint(out, file->ino);
	out_end_string(out);
}

/*
 * Of a rename or link the record has the inode of the end that was denied, which need not be this
 * file's.
 */
static void write_identity(struct json_out *out, const struct decision *decision)
{
	const struct event *event = decision->event;

	if (event->flags & EVENT_PATH_DELETED)
		out_bool(out, "is_deleted", true);
	if (!event->file.ino || decision->op->has_path2)
		return;
	write_inode(out, "uid", &event->file);
	out_begin_string(out, "volume");
	write_device_number(out, &event->file);
	out_end_string(out);
}

static int type_of_object(const struct decision *decision)
{
	const struct event *record = decision->event;
	int by_mode = type_of_mode(record->object_mode ? record->object_mode : record->file.mode);

	return by_mode != TYPE_UNKNOWN && decision->op->kind == EVENT_FILE ?
		       by_mode :
		       decision->op->file_type;
}

/* The object of the attempt. A record without a path still knows the inode. */
static void write_object(struct json_out *out, const char *key, const struct decision *decision)
{
	int type = type_of_object(decision);

	out_open(out, key);
	if (decision->decoded->path) {
		write_path(out, decision->decoded->path, type);
	} else {
		out_word(out, "name", "(no path)");
		out_int(out, "type_id", type);
	}
	write_identity(out, decision);
	out_close(out);
}

static void write_file(struct json_out *out, const char *key, const char *path, int type)
{
	out_open(out, key);
	write_path(out, path, type);
	out_close(out);
}

/* An account's name is known for the job's own user only. */
static void write_own_user(struct json_out *out, const struct decision *decision)
{
	uint32_t uid = decision->event->uid;

	write_user(out, "user", uid, uid == decision->job->uid ? decision->job->user : NULL);
}

static void write_parent(struct json_out *out, const struct decision *decision)
{
	const struct event *event = decision->event;

	if (!event->ppid)
		return;
	if (event->ppid == decision->job->pid) {
		write_job_process(out, "parent_process", decision->job);
		return;
	}
	out_open(out, "parent_process");
	out_int(out, "pid", event->ppid);
	out_close(out);
}

/* The nearest first; the times are not exact enough to name a process for good. */
static void write_ancestry(struct json_out *out, const struct decision *decision)
{
	const struct decoded_event *decoded = decision->decoded;

	if (!decoded->ancestor_cnt)
		return;
	out_open_list(out, "ancestry");
	for (size_t i = 0; i < decoded->ancestor_cnt; i++) {
		const struct ancestor *ancestor = &decoded->ancestors[i];

		out_open(out, NULL);
		out_int(out, "pid", ancestor->pid);
		out_text(out, "name", ancestor->name);
		out_text(out, "path", *ancestor->program ? ancestor->program : NULL);
		write_time(out, "created_time", unix_ms(decision, ancestor->start_ns));
		out_close(out);
	}
	out_close_list(out);
}

/* The process as the kernel knows it, without its program. */
static void write_process(struct json_out *out, const struct decision *decision)
{
	const struct event *event = decision->event;

	out_int(out, "pid", event->tgid);
	out_begin_string(out, "uid");
	out_add_uint(out, event->tgid);
	out_add(out, ":");
	out_add_uint(out, event->start_ns);
	out_end_string(out);
	write_own_user(out, decision);
	out_text(out, "sandbox", decision->job->id);
	if (!decision->decoded->is_fold) /* which may be of many threads */
		out_int(out, "tid", event->tid);
	if (event->start_ns)
		write_time(out, "created_time", unix_ms(decision, event->start_ns));
	write_parent(out, decision);
	write_ancestry(out, decision);
}

static void write_actor(struct json_out *out, const struct decision *decision)
{
	const char *exe = decision->decoded->exe;

	out_open(out, "actor");
	if (decision->event->flags & EVENT_WITHOUT_TASK) { /* no more is known than the job */
		write_job_process(out, "process", decision->job);
		out_close(out);
		return;
	}
	out_open(out, "process");
	write_process(out, decision);
	out_text(out, "name", decision->event->comm);
	if (decision->event->tgid == decision->job->pid)
		out_text(out, "cmd_line", decision->job->command);
	if (exe)
		write_file(out, "file", exe, TYPE_EXECUTABLE);
	out_close(out);
	write_own_user(out, decision);
	out_close(out);
}

static void write_files(struct json_out *out, const struct decision *decision)
{
	const char *path2 = decision->decoded->path2;

	write_object(out, "file", decision);
	if (path2)
		write_file(out, "file_result", path2, decision->op->file_type);
}

/* The process that was about to run the program: an exec keeps the pid. */
static void write_exec(struct json_out *out, const struct decision *decision)
{
	const char *path = decision->decoded->path, *slash = path ? strrchr(path, '/') : NULL;

	out_open(out, "process");
	write_process(out, decision);
	out_text(out, "name", !path ? "(no path)" : slash && slash[1] ? slash + 1 : path);
	write_object(out, "file", decision);
	out_close(out);
	out_int(out, "launch_type_id", LAUNCH_EXEC);
	out_word(out, "launch_type", "Exec");
}

/* A library, or a program that another one loads. */
static void write_module(struct json_out *out, const struct decision *decision)
{
	out_open(out, "module");
	write_object(out, "file", decision);
	out_int(out, "load_type_id", LOAD_MAPPED);
	out_word(out, "load_type", "Mapped");
	out_close(out);
}

/* Without an IP address the path or the family stands in for the endpoint's name. */
static void write_endpoint(struct json_out *out, const char *key, const struct endpoint *end,
			   const char *path, unsigned int port)
{
	out_open(out, key);
	if (path)
		out_text(out, "name", path);
	else
		out_word(out, end->ip_version ? "ip" : "name",
			 end->ip_version ? end->ip : end->family_name);
	if (!path && end->ip_version && port)
		out_int(out, "port", port);
	out_close(out);
}

static void write_connection(struct json_out *out, const struct endpoint *end, bool is_inbound)
{
	out_open(out, "connection_info");
	out_int(out, "direction_id", is_inbound ? DIRECTION_INBOUND : DIRECTION_OUTBOUND);
	out_word(out, "direction", is_inbound ? "Inbound" : "Outbound");
	if (end->ip_version) {
		out_int(out, "protocol_num", end->protocol > 255 ? -1 : end->protocol);
		out_word(out, "protocol_name", end->protocol_name);
		out_int(out, "protocol_ver_id", end->ip_version);
	} else {
		out_int(out, "protocol_num", -1);
		out_int(out, "protocol_ver_id", 99);
		out_word(out, "protocol_ver", end->family_name);
	}
	out_close(out);
}

/* From whom, to which of the job's ports. */
static void write_inbound(struct json_out *out, const struct endpoint *end)
{
	write_endpoint(out, "src_endpoint", end, NULL, 0);
	out_open(out, "dst_endpoint");
	out_word(out, "name", "the job");
	out_int(out, "port", end->port);
	out_close(out);
	write_connection(out, end, true);
}

static void write_net(struct json_out *out, const struct decision *decision)
{
	struct endpoint end = endpoint_of_event(decision->event);

	if (decision->event->op == OP_PACKET_IN) {
		write_inbound(out, &end);
		return;
	}
	write_endpoint(out, "dst_endpoint", &end, decision->decoded->path, end.port);
	write_connection(out, &end, false);
}

/* Of what kind the kernel's resource is, and which one it is. */
static void write_guard(struct json_out *out, const struct decision *decision)
{
	char name[GUARD_NAME_LEN];

	guard_name(decision->event, name);
	out_open(out, "kernel");
	out_word(out, "name", name);
	out_int(out, "type_id", KERNEL_TYPE_OTHER);
	out_word(out, "type", decision->op->name);
	out_close(out);
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

static void write_verdict(struct json_out *out, const struct decision *decision)
{
	const struct verdict_info *verdict = decision->verdict;
	bool is_denied = decision->event->verdict == VERDICT_DENY;

	out_int(out, "action_id", verdict->action);
	out_word(out, "action", verdict->action_name);
	out_int(out, "disposition_id", verdict->disposition);
	out_word(out, "disposition", verdict->disposition_name);
	out_bool(out, "is_alert", is_denied);
	write_status(out, verdict->status, is_denied ? denial_errno(decision->event) : NULL);
	cause_write_rule(out, "firewall_rule", &decision->cause);
}

static void write_socket(struct json_out *out, const struct event_net *net)
{
	out_open(out, "socket");
	out_int(out, "family", net->family);
	out_int(out, "type", net->type);
	out_int(out, "protocol", net->protocol);
	out_close(out);
}

static void write_file_details(struct json_out *out, const struct decision *decision)
{
	const struct event_file *file = &decision->event->file;

	if (file->mode) {
		out_begin_string(out, "mode");
		out_addf(out, "%06o", file->mode);
		out_end_string(out);
	}
	if (decision->op->has_path2 && file->ino)
		write_inode(out, "decided_at", file);
}

/* What OCSF has no attribute for. It comes last; see line.h. */
static void write_details(struct json_out *out, const struct decision *decision)
{
	const struct event *event = decision->event;

	out_open(out, "unmapped");
	out_open(out, "jobcage");
	out_word(out, "operation", decision->op->name);
	out_word(out, "verdict", decision->verdict->word);
	out_int(out, decision->decoded->is_fold ? "repeats_of" : "record", (int64_t)event->sequence);
	out_int(out, "gid", event->gid);
	out_text(out, "cgroup", decision->job->cgroup);
	out_text(out, "command", decision->job->command);
	if (event->kind == EVENT_NET)
		write_socket(out, &event->net);
	else if (event->kind != EVENT_GUARD)
		write_file_details(out, decision);
	if (event->kind != EVENT_GUARD && event->flags & EVENT_PATH_DETACHED)
		out_bool(out, "path_is_detached", true);
	out_close(out);
	out_close(out);
}

static void write_kind(struct json_out *out, const struct decision *decision)
{
	switch (decision->op->kind) {
	case EVENT_EXEC:
		if (decision->event->op == OP_MAP_EXEC)
			write_module(out, decision);
		else
			write_exec(out, decision);
		break;
	case EVENT_NET: write_net(out, decision); break;
	case EVENT_GUARD: write_guard(out, decision); break;
	default: write_files(out, decision);
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

static struct ocsf_head head_of(const struct decision *decision, uint64_t sequence)
{
	const uint32_t cut = EVENT_PATH_TRUNCATED | EVENT_PATH2_TRUNCATED | EVENT_EXE_TRUNCATED |
			     EVENT_PATH_MISSING;
	int64_t time_ms = unix_ms(decision, decision->event->time_ns);

	return (struct ocsf_head){
		.class = class_of(decision->event),
		.activity = activity_of(decision),
		.activity_name = "Change Root",
		.code = decision->op->code,
		.severity = decision->verdict->severity,
		.time_ms = time_ms,
		.start_ms = unix_ms(decision, decision->decoded->start_ns),
		.cnt = decision->decoded->cnt,
		.sequence = sequence,
		.is_truncated = decision->event->flags & cut,
	};
}

static void write_decision(struct json_out *out, const struct decision *decision,
			   const struct ocsf_head *head)
{
	out_open(out, NULL);
	out_int(out, "time", head->time_ms);
	message_write(out, "message", decision->decoded, &decision->cause);
	write_event_head(out, decision->job, head);
	write_verdict(out, decision);
	write_actor(out, decision);
	write_kind(out, decision);
	write_details(out, decision);
	out_close(out);
}

/*
 * No receiver may miss what a job did because of what the job called it: a datagram has room for
 * 64 KiB, syslog's header among it. Names of control characters become twenty times as long.
 */
#define EVENT_MAX_BYTES (60u << 10)

static int write_bounded(struct json_out *out, const struct decision *decision, struct ocsf_head *head)
{
	write_decision(out, decision, head);
	if (out->len > EVENT_MAX_BYTES) {
		out->len = 0;
		out->is_short = head->is_truncated = true;
		write_decision(out, decision, head);
	}
	return out_finish(out);
}

int ocsf_decision(const struct alert_job *job, const struct decoded_event *decoded,
		  uint64_t sequence, int64_t boot_offset_ms, struct line **ret_line)
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
	struct ocsf_head head = head_of(&decision, sequence);
	struct json_out out = { 0 };
	int r;

	r = write_bounded(&out, &decision, &head);
	if (!r)
		r = line_of_text(out.text, out.len, head.severity, head.time_ms, head.code, ret_line);
	if (!r)
		(*ret_line)->is_decision = true;
	out_free(&out);
	return r;
}
