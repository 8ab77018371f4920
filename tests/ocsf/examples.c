// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The examples of docs/alerts.md, made by the code that makes the real ones: ring records of the
 * fixture's job are decoded and rendered. Prints one line each: the example's name, a space, the
 * event. tests/ocsf/examples-into-docs puts them into the page.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fixture.h"

static uint64_t sequence;

/* The page does not change with every version. */
static int hide_version(json_t *event)
{
	json_t *product = json_object_get(json_object_get(event, "metadata"), "product");

	return json_object_set_new(product, "version", json_string("VERSION"));
}

static int print_event(const char *name, int err, json_t *event)
{
	_cleanup_free_ char *text = err || hide_version(event) ? NULL :
								 json_dumps(event, JSON_COMPACT);

	if (!err)
		json_decref(event);
	if (!text) {
		fprintf(stderr, "examples: %s: %s\n", name, strerror(err ? -err : ENOMEM));
		return -1;
	}
	printf("%s %s\n", name, text);
	return 0;
}

static int print_decision(const char *name, const struct alert_job *job, struct event header,
			  const char *path, const char *path2, const char *exe)
{
	unsigned char buf[FIXTURE_RECORD_MAX];
	size_t len = fixture_record(buf, header, path, path2, exe);
	struct decoded_event event;
	json_t *json = NULL;
	int err = decode_event(buf, len, &event);

	if (!err) {
		err = ocsf_decision(job, &event, ++sequence, FIXTURE_BOOT_MS, &json);
		decoded_event_free(&event);
	}
	return print_event(name, err, json);
}

static struct event by_rule(enum event_op op, enum fixture_rule rule)
{
	struct event event = fixture_event(op);

	event.reason = REASON_RULE;
	event.rule = rule;
	return event;
}

static int print_decisions(void)
{
	struct alert_job audited = fixture_job;
	struct event rename = by_rule(OP_RENAME, FIXTURE_CONFIG), child = fixture_event(OP_EXEC);
	const char *python = "/usr/bin/python3.11";
	int err;

	audited.policy = &fixture_audit_policy;
	rename.verdict = VERDICT_WOULD_DENY;
	child.tgid = child.tid = 830;
	child.ppid = fixture_job.pid;
	err = print_decision("file", &fixture_job, by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS),
			     "/srv/datasets/digits/train.csv", NULL, python);
	err |= print_decision("exec", &fixture_job, child, "/tmp/.cache/xmrig", NULL, python);
	err |= print_decision("network", &fixture_job, fixture_event(OP_CONNECT), NULL, NULL,
			      python);
	err |= print_decision("audit", &audited, rename, "/etc/train/a.yaml", "/etc/train/b.yaml",
			      python);
	return err;
}

static int print_job(void)
{
	struct alert_end end = {
		.end_ms = fixture_job.start_ms + 84000,
		.stats = { .sequence = 3,
			   .emitted = 3,
			   .denied = { [EVENT_FILE] = 1, [EVENT_EXEC] = 1, [EVENT_NET] = 1 } },
		.delivered = 3,
		.reason = "exited",
	};
	json_t *event = NULL;
	int err;

	err = ocsf_job_end(&fixture_job, &end, ++sequence, &event);
	if (print_event("end", err, event))
		return -1;
	end.stats.lost = 2;
	end.stats.sequence = 5;
	err = ocsf_job_end(&fixture_job, &end, sequence, &event);
	if (print_event("end-incomplete", err, event))
		return -1;
	err = ocsf_finding(
		&fixture_job, "The record of job digits-1041 is incomplete",
		"2 of 5 decisions did not fit the job's ring and are known by their count only.",
		end.end_ms, ++sequence, &event);
	return print_event("finding", err, event);
}

int main(void)
{
	json_t *event = NULL;
	int err = ocsf_job_start(&fixture_job, ++sequence, "lsm", NULL, &event);

	return print_event("start", err, event) || print_decisions() || print_job() ? 1 : 0;
}
