// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzzes the way of a ring record to a line: decode_event(), then ocsf_decision(), then the JSON
 * text.
 *
 * Each input is tried twice: as it is, for the checks; and with its header repaired, so that its
 * strings and numbers reach the rendering. What is rendered must be one JSON object without control
 * characters, which parses again to the same; none of its strings may have a character that misleads
 * a reader; and the piece of policy that the message proposes must be JSON.
 *
 * tests/fuzz/run builds and starts it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/ocsf.h"
#include "alert/op.h"
#include "alert/text.h"
#include "base/cleanup.h"
#include "../ocsf/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The same, for what is said of a text. */
static void must_of(bool holds, const char *what, const char *text)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, text);
	abort();
}

static void check_line(const json_t *event)
{
	_cleanup_free_ char *line = json_dumps(event, JSON_COMPACT);
	json_auto_t *again = line ? json_loads(line, JSON_REJECT_DUPLICATES, NULL) : NULL;

	must(line);
	must_of(again && json_equal(event, again), "does not parse to the same", line);
	for (const char *c = line; *c; c++)
		must_of((unsigned char)*c >= 0x20 && *c != 0x7f, "has a control character", line);
}

/* Backslashes apart, which text.h adds. */
static void check_plain(const json_t *string)
{
	_cleanup_free_ char *text = strdup(json_string_value(string));

	must(text);
	for (char *c = strchr(text, '\\'); c; c = strchr(c, '\\'))
		*c = '/';
	must_of(text_is_plain(text), "would mislead a reader", text);
}

static void check_strings(json_t *json)
{
	json_t *member;
	const char *key;
	size_t i;

	if (json_is_string(json))
		check_plain(json);
	json_object_foreach(json, key, member)
		check_strings(member);
	json_array_foreach(json, i, member)
		check_strings(member);
}

/*
 * Names with a brace stand in quotes, and quotes in names are escaped: the first brace outside quotes
 * begins the JSON.
 */
static const char *find_advice(const char *message)
{
	bool is_quoted = false;

	for (; *message && (is_quoted || *message != '{'); message++)
		is_quoted ^= *message == '"';
	return *message ? message : NULL;
}

static void check_advice(const json_t *event)
{
	const char *advice = find_advice(json_string_value(json_object_get(event, "message")));
	json_auto_t *policy = advice ? json_loads(advice, JSON_REJECT_DUPLICATES, NULL) : NULL;

	must_of(!advice || policy, "proposes what is not JSON", advice);
}

/* A parent that is called what the record has of names; nobody else's are any bytes. */
static struct ancestor ancestor_of(const struct decoded_event *event)
{
	struct ancestor ancestor = { .pid = event->event.tgid, .start_ns = event->event.start_ns };

	snprintf(ancestor.name, sizeof(ancestor.name), "%s", event->event.comm);
	snprintf(ancestor.program, sizeof(ancestor.program), "%s", event->exe ? event->exe : "");
	return ancestor;
}

/* The job's command, cgroup and user may be any bytes, too. */
static struct alert_job job_of(const struct decoded_event *event)
{
	struct alert_job job = fixture_job;

	job.command = event->path2 ? event->path2 : event->path ? event->path : "";
	job.cgroup = event->exe ? event->exe : "/";
	job.user = event->event.comm;
	return job;
}

static bool render(const uint8_t *record, size_t len, int64_t boot_offset_ms)
{
	struct decoded_event event;
	struct ancestor ancestor;
	struct alert_job job;
	json_t *json = NULL;

	if (decode_event(record, len, &event))
		return false;
	ancestor = ancestor_of(&event);
	event.ancestors = &ancestor;
	event.ancestor_cnt = 1;
	job = job_of(&event);
	must(!fixture_decision(&job, &event, event.event.sequence, boot_offset_ms, &json));
	check_line(json);
	check_strings(json);
	check_advice(json);
	json_decref(json);
	decoded_event_free(&event);
	return true;
}

/* A run from any bytes: no '/', no empty component, NUL at the end. Returns its length. */
static uint32_t repair_run(uint8_t *run, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (run[i] == '/' || (!run[i] && (i == 0 || !run[i - 1])))
			run[i] = 'x';
	if (len && run[len - 1])
		run[len - 1] = '\0';
	if (len >= 2 && !run[len - 2])
		run[len - 2] = 'x';
	return len == 1 ? 0 : len;
}

static void repair_header(struct event *event)
{
	static const uint8_t reasons[EVENT_KINDS][8] = {
		[EVENT_FILE] = { REASON_WALK_LIMIT, REASON_DISCONNECTED, REASON_PROTECTED,
				 REASON_DEFAULT, REASON_MOUNTS, REASON_DEVICE, REASON_RING,
				 REASON_TERMINAL },
		[EVENT_EXEC] = { REASON_WALK_LIMIT, REASON_DISCONNECTED, REASON_NAMELESS,
				 REASON_DEFAULT, REASON_DEFAULT, REASON_DEFAULT, REASON_DEFAULT,
				 REASON_NOT_IN_FORCE },
		[EVENT_NET] = { REASON_FAMILY, REASON_NOT_IN_FORCE, REASON_DEFAULT, REASON_DEFAULT,
				REASON_SOCKET, REASON_FOREIGN_SOCKET, REASON_DEFAULT, REASON_DEFAULT },
	};
	static const uint8_t guard_reasons[] = {
		[OP_CAPABILITY] = REASON_CAPABILITY, [OP_USER_NAMESPACE] = REASON_USER_NAMESPACE,
		[OP_TRACE] = REASON_OUTSIDE,         [OP_SIGNAL] = REASON_OUTSIDE,
		[OP_CONTROL] = REASON_OUTSIDE,       [OP_BPF] = REASON_BPF,
		[OP_KEY_REQUEST] = REASON_HELPER,    [OP_QUOTA_SYNC] = REASON_ALL_QUOTAS,
		[OP_IPC] = REASON_OBJECT,            [OP_KEY_USE] = REASON_OBJECT,
	};

	event->op = (uint8_t)(OP_OPEN_READ + (uint8_t)(event->op - OP_OPEN_READ) % OP_RESOLVE);
	event->kind = (uint8_t)op_info(event->op)->kind;
	event->rule %= FIXTURE_RULES + 2;
	if (event->kind == EVENT_GUARD) {
		event->rule = RULE_NONE;
		event->reason = guard_reasons[event->op];
	} else {
		event->reason = event->rule ? REASON_RULE :
					      reasons[event->kind][event->reason % 8];
	}
	event->verdict = VERDICT_DENY + event->verdict % 2;
	event->sequence |= 1;
	event->slot = 1 + event->slot % (JOB_SLOTS - 1);
	event->policy %= POLICY_SLOTS;
	event->object_mode &= UINT16_MAX;
	event->flags &= 31;
	event->comm[sizeof(event->comm) - 1] = '\0';
}

static size_t repair(uint8_t *record, size_t len)
{
	uint8_t *strings = record + sizeof(struct event);
	uint32_t left = (uint32_t)(len - sizeof(struct event)), part = 0;
	struct event event;

	memcpy(&event, record, sizeof(event));
	repair_header(&event);
	part = event.kind == EVENT_NET || event.kind == EVENT_GUARD ? 0 : event.path_len % (left + 1);
	event.path_len = repair_run(strings, part);
	left -= part;
	memmove(strings + event.path_len, strings + part, left);
	part = op_info(event.op)->has_path2 ? event.path2_len % (left + 1) : 0;
	event.path2_len = repair_run(strings + event.path_len, part);
	left -= part;
	memmove(strings + event.path_len + event.path2_len, strings + event.path_len + part, left);
	event.exe_len = repair_run(strings + event.path_len + event.path2_len, left);
	event.strings_len = event.path_len + event.path2_len + event.exe_len;
	memcpy(record, &event, sizeof(event));
	return sizeof(event) + event.strings_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *copy = NULL;
	int64_t boot_offset_ms = FIXTURE_BOOT_MS;

	render(data, size, boot_offset_ms);
	if (size < sizeof(struct event) || size > FIXTURE_RECORD_MAX)
		return 0;
	copy = malloc(size);
	must(copy);
	memcpy(copy, data, size);
	memcpy(&boot_offset_ms, data + offsetof(struct event, object_mode), 4);
	must(render(copy, repair(copy, size), boot_offset_ms));
	return 0;
}
