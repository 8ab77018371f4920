// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What all events share; see ocsf_common.h. */
#include "alert/ocsf_common.h"

#include <errno.h>
#include <string.h>

#include "alert/text.h"
#include "base/cleanup.h"

#ifndef JOBCAGE_VERSION
#define JOBCAGE_VERSION "unversioned" /* the Makefile gives the version */
#endif

/* clang-format off */
static const struct class_info {
	enum ocsf_class uid;
	const char *name;
	unsigned int category_uid;
	const char *category_name;
	const char *feature; /* metadata.product.feature */
} classes[] = {
	{ CLASS_FILE,    "File System Activity",   1, "System Activity",  "filesystem" },
	{ CLASS_KERNEL,  "Kernel Activity",        1, "System Activity",  "guard" },
	{ CLASS_MODULE,  "Module Activity",        1, "System Activity",  "exec" },
	{ CLASS_PROCESS, "Process Activity",       1, "System Activity",  "exec" },
	{ CLASS_NETWORK, "Network Activity",       4, "Network Activity", "egress" },
	{ CLASS_JOB,     "Scheduled Job Activity", 1, "System Activity",  "job" },
	{ CLASS_FINDING, "Detection Finding",      2, "Findings",         "record" },
};

/* Captions of activity_id. */
static const struct activity_info {
	enum ocsf_class class;
	unsigned int id;
	const char *name;
} activities[] = {
	{ CLASS_FILE,    FILE_CREATE,       "Create" },
	{ CLASS_FILE,    FILE_READ,         "Read" },
	{ CLASS_FILE,    FILE_UPDATE,       "Update" },
	{ CLASS_FILE,    FILE_DELETE,       "Delete" },
	{ CLASS_FILE,    FILE_RENAME,       "Rename" },
	{ CLASS_FILE,    FILE_SET_ATTRIBUTES, "Set Attributes" },
	{ CLASS_FILE,    FILE_SET_SECURITY, "Set Security" },
	{ CLASS_FILE,    FILE_GET_ATTRIBUTES, "Get Attributes" },
	{ CLASS_FILE,    FILE_MOUNT,        "Mount" },
	{ CLASS_FILE,    FILE_UNMOUNT,      "Unmount" },
	{ CLASS_MODULE,  MODULE_LOAD,       "Load" },
	{ CLASS_KERNEL,  KERNEL_CREATE,     "Create" },
	{ CLASS_KERNEL,  KERNEL_INVOKE,     "Invoke" },
	{ CLASS_PROCESS, PROCESS_LAUNCH,    "Launch" },
	{ CLASS_NETWORK, NETWORK_OPEN,      "Open" },
	{ CLASS_NETWORK, NETWORK_REFUSE,    "Refuse" },
	{ CLASS_NETWORK, NETWORK_TRAFFIC,   "Traffic" },
	{ CLASS_JOB,     JOB_UPDATE,        "Update" },
	{ CLASS_JOB,     JOB_START,         "Start" },
	{ CLASS_FINDING, FINDING_CREATE,    "Create" },
};

static const char *const severities[] = {
	[SEVERITY_INFORMATIONAL] = "Informational",
	[SEVERITY_MEDIUM] = "Medium",
	[SEVERITY_HIGH] = "High",
};
/* clang-format on */

static const struct class_info *class_info(enum ocsf_class uid)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].uid == uid)
			return &classes[i];
	return &classes[0];
}

static const char *activity_name(const struct ocsf_head *head)
{
	for (size_t i = 0; i < ARRAY_SIZE(activities); i++)
		if (activities[i].class == head->class && activities[i].id == head->activity)
			return activities[i].name;
	return head->activity_name ? head->activity_name : "Other";
}

const char *ocsf_severity(enum severity severity)
{
	return severities[severity];
}

/* --- as text ---------------------------------------------------------------------------------- */

void write_time(struct json_out *out, const char *key, int64_t time_ms)
{
	if (time_ms)
		out_int(out, key, time_ms);
}

void write_status(struct json_out *out, enum status status, const char *code)
{
	out_int(out, "status_id", status);
	out_word(out, "status", status == STATUS_SUCCESS ? "Success" : "Failure");
	if (code)
		out_word(out, "status_code", code);
}

void write_user(struct json_out *out, const char *key, uint32_t uid, const char *name)
{
	out_open(out, key);
	out_begin_string(out, "uid");
	out_add_uint(out, uid);
	out_end_string(out);
	out_text(out, "name", name);
	out_close(out);
}

void write_job_process(struct json_out *out, const char *key, const struct alert_job *job)
{
	out_open(out, key);
	out_int(out, "pid", job->pid);
	write_user(out, "user", job->uid, job->user);
	out_text(out, "sandbox", job->id);
	out_text(out, "cmd_line", job->command);
	write_time(out, "created_time", (int64_t)job->start_ms);
	out_close(out);
}

static void write_product(struct json_out *out, const char *key, const char *feature)
{
	out_open(out, key);
	out_word(out, "name", "jobcage");
	out_word(out, "vendor_name", "jobcage");
	out_word(out, "version", JOBCAGE_VERSION);
	out_open(out, "feature");
	out_word(out, "name", feature);
	out_close(out);
	out_close(out);
}

static void write_tag(struct json_out *out, const char *name, const char *value)
{
	out_open(out, NULL);
	out_text(out, "name", name);
	out_text(out, "value", value);
	out_close(out);
}

/* What others know the job by. */
static void write_tags(struct json_out *out, const struct alert_job *job)
{
	const char *name;
	json_t *value;

	if (!job->origin && !job->policy->spiffe_id)
		return;
	out_open_list(out, "tags");
	if (job->policy->spiffe_id)
		write_tag(out, "spiffe_id", job->policy->spiffe_id);
	json_object_foreach((json_t *)job->origin, name, value)
		write_tag(out, name, json_string_value(value));
	out_close_list(out);
}

static void write_metadata(struct json_out *out, const struct alert_job *job,
			   const struct ocsf_head *head)
{
	out_open(out, "metadata");
	out_word(out, "version", OCSF_VERSION);
	out_open_list(out, "profiles");
	out_word(out, NULL, "host");
	out_word(out, NULL, "security_control");
	out_close_list(out);
	write_product(out, "product", class_info(head->class)->feature);
	out_begin_string(out, "uid");
	out_add_name(out, job->id, QUOTES_NEVER);
	out_add(out, ":");
	out_add_uint(out, head->sequence);
	out_end_string(out);
	out_text(out, "correlation_uid", job->id);
	out_int(out, "sequence", (int64_t)head->sequence);
	out_word(out, "event_code", head->code);
	out_word(out, "log_name", "jobcage");
	write_tags(out, job);
	if (head->is_truncated)
		out_bool(out, "is_truncated", true);
	out_close(out);
}

static void write_device(struct json_out *out, const char *key, const struct alert_job *job)
{
	out_open(out, key);
	out_text(out, "hostname", job->host ? job->host : "unknown");
	out_int(out, "type_id", DEVICE_SERVER);
	out_word(out, "type", "Server");
	out_text(out, "uid", job->machine_id);
	out_open(out, "os");
	out_word(out, "name", "Linux");
	out_word(out, "type", "Linux");
	out_int(out, "type_id", OS_LINUX);
	out_text(out, "kernel_release", job->kernel);
	out_close(out);
	out_close(out);
}

/* The first digits of the digest are enough for people to tell versions apart. */
static void write_policy(struct json_out *out, const struct policy *policy)
{
	out_open(out, "policy");
	out_text(out, "name", policy->name ? policy->name : "");
	out_word(out, "uid", policy->digest);
	out_begin_string(out, "version");
	out_bytes(out, policy->digest, strnlen(policy->digest, 12));
	out_end_string(out);
	out_bool(out, "is_applied", policy->mode == MODE_ENFORCE);
	out_close(out);
}

static void write_type(struct json_out *out, const struct class_info *class,
		       const struct ocsf_head *head)
{
	const char *activity = activity_name(head);

	out_int(out, "category_uid", class->category_uid);
	out_word(out, "category_name", class->category_name);
	out_int(out, "class_uid", head->class);
	out_word(out, "class_name", class->name);
	out_int(out, "activity_id", head->activity);
	out_word(out, "activity_name", activity);
	out_int(out, "type_uid", (int64_t)head->class * 100 + head->activity);
	out_word(out, "severity", severities[head->severity]);
	out_int(out, "severity_id", head->severity);
	out_begin_string(out, "type_name");
	out_add(out, class->name);
	out_add(out, ": ");
	out_add(out, activity);
	out_end_string(out);
}

void write_event_head(struct json_out *out, const struct alert_job *job,
		      const struct ocsf_head *head)
{
	write_type(out, class_info(head->class), head);
	write_time(out, "start_time", head->start_ms);
	write_time(out, "end_time", head->time_ms);
	out_int(out, "count", head->cnt ? (int64_t)head->cnt : 1);
	write_metadata(out, job, head);
	write_device(out, "device", job);
	write_policy(out, job->policy);
}

/* --- as a tree -------------------------------------------------------------------------------- */

bool ocsf_put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value) == 0;
}

bool ocsf_put_text(json_t *object, const char *key, const char *raw)
{
	return !raw || ocsf_put(object, key, text_json(raw));
}

bool ocsf_put_time(json_t *object, const char *key, int64_t time_ms)
{
	return !time_ms || ocsf_put(object, key, json_integer(time_ms));
}

/* What was written becomes a tree, and is freed. */
static json_t *tree_of(struct json_out *out)
{
	json_t *tree = out_finish(out) ? NULL : json_loadb(out->text, out->len, 0, NULL);

	out_free(out);
	return tree;
}

json_t *ocsf_event(const struct alert_job *job, const struct ocsf_head *head)
{
	struct json_out out = { 0 };

	out_open(&out, NULL);
	out_int(&out, "time", head->time_ms);
	out_string(&out, "message", head->message);
	write_event_head(&out, job, head);
	out_close(&out);
	return tree_of(&out);
}

json_t *ocsf_product(const char *feature)
{
	struct json_out out = { 0 };

	write_product(&out, NULL, feature);
	return tree_of(&out);
}

json_t *ocsf_device(const struct alert_job *job)
{
	struct json_out out = { 0 };

	write_device(&out, NULL, job);
	return tree_of(&out);
}

json_t *ocsf_user(uint32_t uid, const char *name)
{
	struct json_out out = { 0 };

	write_user(&out, NULL, uid, name);
	return tree_of(&out);
}

json_t *ocsf_job_process(const struct alert_job *job)
{
	struct json_out out = { 0 };

	write_job_process(&out, NULL, job);
	return tree_of(&out);
}

bool ocsf_put_status(json_t *event, enum status status, const char *code, const char *detail)
{
	return ocsf_put(event, "status_id", json_integer(status)) &&
	       ocsf_put(event, "status",
			json_string(status == STATUS_SUCCESS ? "Success" : "Failure")) &&
	       ocsf_put_text(event, "status_code", code) &&
	       ocsf_put_text(event, "status_detail", detail);
}

static bool put_run_state(json_t *object, int run_state)
{
	const char *name = run_state == RUN_STATE_RUNNING ? "Running" : "Stopped";

	return run_state == RUN_STATE_UNKNOWN ||
	       (ocsf_put(object, "run_state_id", json_integer(run_state)) &&
		ocsf_put(object, "run_state", json_string(name)));
}

json_t *ocsf_job(const struct alert_job *job, int run_state)
{
	json_auto_t *object = json_pack("{s:o, s:o}", "name", text_json(job->id), "user",
					ocsf_user(job->uid, job->user));

	if (object && put_run_state(object, run_state) &&
	    ocsf_put_text(object, "cmd_line", job->command) &&
	    ocsf_put_time(object, "created_time", (int64_t)job->start_ms) &&
	    ocsf_put_time(object, "last_run_time", (int64_t)job->start_ms))
		return json_incref(object);
	return NULL;
}
