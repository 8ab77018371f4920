// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a job's state file says; see content.h. */
#include "job/content.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "job/origin.h"

#define CONTENT_VERSION 2

/* Text that may be any bytes: what is not UTF-8 stands in hexadecimal. NULL without memory. */
static json_t *content_bytes(const char *bytes)
{
	json_t *text = json_string(bytes);
	size_t len = strlen(bytes);
	_cleanup_free_ char *hex = NULL;

	if (text)
		return text;
	hex = calloc(len + 1, 2);
	if (!hex)
		return NULL;
	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
	return json_pack("{s:s}", "hex", hex);
}

char *content_to_bytes(const json_t *value)
{
	const char *hex = json_string_value(json_object_get(value, "hex"));
	char *bytes;
	size_t len;

	if (!hex)
		return json_is_string(value) ? strdup(json_string_value(value)) : NULL;
	len = strlen(hex) / 2;
	bytes = calloc(len + 1, 1);
	for (size_t i = 0; bytes && i < len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&bytes[i]) != 1)
			bytes[i] = '?';
	return bytes;
}

json_t *content_of(const struct job *job)
{
	const struct policy *policy = job->rules->policy;
	json_t *source = job->source ? content_bytes(job->source) : json_null();

	return json_pack(
		"{s:i, s:s, s:I, s:I, s:I, s:o, s:b, s:o, s:O*, s:s, s:I, s:I, s:I, s:I, s:I, s:o, "
		"s:o, s:s, s:s}",
		"version", CONTENT_VERSION, "id", job->id, "slot", (json_int_t)job->label.slot,
		"generation", (json_int_t)job->label.generation, "next_policy_slot",
		(json_int_t)job->next_policy_slot,
		"cgroup", content_bytes(job->cgroup_path), "is_attached", job->is_attached,
		"command", content_bytes(job->command), "origin", job->origin, "user", job->user, "uid",
		(json_int_t)job->uid, "asked_by", (json_int_t)job->asked_by, "pid",
		(json_int_t)job->pid, "start_ms", (json_int_t)job->start_ms, "start_boot_ms",
		(json_int_t)job->start_boot_ms, "alerts", content_bytes(job->alerts), "source",
		source, "policy", policy->name, "digest", policy->digest);
}

/* The numbers and the borrowed texts of a state file. */
struct fields {
	int version, is_attached;
	json_int_t slot, generation, next_policy_slot, uid, asked_by, pid, start_ms,
		start_boot_ms;
	const char *id, *user, *policy, *digest;
	const json_t *cgroup, *command, *alerts, *source;
};

static int unpack(const json_t *content, struct error *err, struct fields *f)
{
	json_error_t json_err;

	if (json_unpack_ex((json_t *)content, &json_err, 0, "{s:i}", "version", &f->version))
		return error_set(err, -EINVAL, "state file: %s", json_err.text);
	if (f->version != CONTENT_VERSION)
		return error_set(
			err, -EINVAL,
			"state file: version %d, this build knows %d; end the job with the "
			"build that started it",
			f->version, CONTENT_VERSION);
	if (json_unpack_ex((json_t *)content, &json_err, 0,
			   "{s:s, s:I, s:I, s:I, s:o, s:b, s:o, s:s, s:I, s:I, s:I, s:I, s:I, "
			   "s:o, s:o, s:s, s:s}",
			   "id", &f->id, "slot", &f->slot, "generation", &f->generation,
			   "next_policy_slot", &f->next_policy_slot,
			   "cgroup", &f->cgroup, "is_attached", &f->is_attached, "command",
			   &f->command, "user", &f->user, "uid", &f->uid, "asked_by", &f->asked_by,
			   "pid", &f->pid, "start_ms", &f->start_ms, "start_boot_ms",
			   &f->start_boot_ms, "alerts", &f->alerts, "source", &f->source, "policy",
			   &f->policy, "digest", &f->digest))
		return error_set(err, -EINVAL, "state file: %s", json_err.text);
	return 0;
}

int content_read(struct job *job, const json_t *content, struct error *err)
{
	struct fields f;
	int r = unpack(content, err, &f);

	if (r)
		return r;
	job->label = (struct job_label){ .slot = f.slot, .generation = f.generation };
	job->next_policy_slot = f.next_policy_slot;
	job->is_attached = f.is_attached;
	job->uid = f.uid;
	job->asked_by = f.asked_by;
	job->pid = f.pid;
	job->start_ms = f.start_ms;
	job->start_boot_ms = f.start_boot_ms;
	job->id = strdup(f.id);
	job->user = strdup(f.user);
	job->cgroup_path = content_to_bytes(f.cgroup);
	job->command = content_to_bytes(f.command);
	job->alerts = content_to_bytes(f.alerts);
	job->source = content_to_bytes(f.source);
	job->origin = origin_check(json_object_get(content, "origin"));
	if (!job->id || !job->cgroup_path || !job->command || !job->user || !job->alerts)
		return error_errno(err, -ENOMEM, "state file");
	return 0;
}
