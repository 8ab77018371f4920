// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What all events share; see ocsf_common.h. */
#include "alert/ocsf_common.h"

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

const char *ocsf_severity(enum severity severity)
{
	return severities[severity];
}

json_t *ocsf_product(const char *feature)
{
	return json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", "jobcage", "vendor_name", "jobcage",
			 "version", JOBCAGE_VERSION, "feature", "name", feature);
}

static json_t *new_uid(const char *job_id, uint64_t sequence)
{
	_cleanup_free_ char *id = text_escape(job_id);

	return id ? json_sprintf("%s:%llu", id, (unsigned long long)sequence) : NULL;
}

static json_t *new_metadata(const struct alert_job *job, const struct ocsf_head *head)
{
	json_auto_t *metadata = json_pack(
		"{s:s, s:[s, s], s:o, s:o, s:o, s:I, s:s, s:s}", "version", OCSF_VERSION,
		"profiles", "host", "security_control", "product",
		ocsf_product(class_info(head->class)->feature), "uid", new_uid(job->id, head->sequence),
		"correlation_uid", text_json(job->id), "sequence", (json_int_t)head->sequence,
		"event_code", head->code, "log_name", "jobcage");

	if (!metadata || (head->is_truncated && !ocsf_put(metadata, "is_truncated", json_true())))
		return NULL;
	return json_incref(metadata);
}

json_t *ocsf_device(const struct alert_job *job)
{
	json_auto_t *os = json_pack("{s:s, s:s, s:i}", "name", "Linux", "type", "Linux", "type_id",
				    OS_LINUX);
	json_auto_t *device = json_pack("{s:o, s:i, s:s}", "hostname",
					text_json(job->host ? job->host : "unknown"), "type_id",
					DEVICE_SERVER, "type", "Server");

	if (os && device && ocsf_put_text(device, "uid", job->machine_id) &&
	    ocsf_put_text(os, "kernel_release", job->kernel) &&
	    ocsf_put(device, "os", json_incref(os)))
		return json_incref(device);
	return NULL;
}

/* The first digits of the digest are enough for people to tell versions apart. */
static json_t *new_policy(const struct policy *policy)
{
	return json_pack("{s:o, s:s, s:s%, s:b}", "name",
			 text_json(policy->name ? policy->name : ""), "uid", policy->digest,
			 "version", policy->digest, strnlen(policy->digest, 12), "is_applied",
			 policy->mode == MODE_ENFORCE);
}

json_t *ocsf_event(const struct alert_job *job, const struct ocsf_head *head)
{
	const struct class_info *class = class_info(head->class);
	const char *activity = activity_name(head);
	json_auto_t *event = json_pack("{s:I, s:s, s:i, s:s, s:i, s:s, s:i, s:s, s:i, s:s}", "time",
				       (json_int_t)head->time_ms, "message", head->message,
				       "category_uid", class->category_uid, "category_name",
				       class->category_name, "class_uid", head->class, "class_name",
				       class->name, "activity_id", head->activity, "activity_name",
				       activity, "type_uid", head->class * 100 + head->activity,
				       "severity", severities[head->severity]);

	if (event && ocsf_put(event, "severity_id", json_integer(head->severity)) &&
	    ocsf_put(event, "type_name", json_sprintf("%s: %s", class->name, activity)) &&
	    ocsf_put_time(event, "start_time", head->start_ms) &&
	    ocsf_put_time(event, "end_time", head->time_ms) &&
	    ocsf_put(event, "count", json_integer(head->cnt ? (json_int_t)head->cnt : 1)) &&
	    ocsf_put(event, "metadata", new_metadata(job, head)) &&
	    ocsf_put(event, "device", ocsf_device(job)) &&
	    ocsf_put(event, "policy", new_policy(job->policy)))
		return json_incref(event);
	return NULL;
}

bool ocsf_put_status(json_t *event, enum status status, const char *code, const char *detail)
{
	return ocsf_put(event, "status_id", json_integer(status)) &&
	       ocsf_put(event, "status",
			json_string(status == STATUS_SUCCESS ? "Success" : "Failure")) &&
	       ocsf_put_text(event, "status_code", code) &&
	       ocsf_put_text(event, "status_detail", detail);
}

json_t *ocsf_user(uint32_t uid, const char *name)
{
	json_auto_t *user = json_pack("{s:o}", "uid", json_sprintf("%u", uid));

	return user && ocsf_put_text(user, "name", name) ? json_incref(user) : NULL;
}

json_t *ocsf_job_process(const struct alert_job *job)
{
	json_auto_t *process = json_pack("{s:I, s:o, s:o}", "pid", (json_int_t)job->pid, "user",
					 ocsf_user(job->uid, job->user), "sandbox",
					 text_json(job->id));

	if (process && ocsf_put_text(process, "cmd_line", job->command) &&
	    ocsf_put_time(process, "created_time", (int64_t)job->start_ms))
		return json_incref(process);
	return NULL;
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
