// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The examples of docs/alerts.md, made by the code that makes the real ones: ring records of the
 * fixture's job are decoded and rendered, and so are results of its self-test. Prints one line each:
 * the example's name, a space, the event. tests/ocsf/examples-into-docs puts them into the page.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "alert/ocsf_log.h"
#include "fixture.h"
#include "job/attempt.h"
#include "job/selftest.h"

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

static int decode(struct event header, const char *path, const char *path2, const char *exe,
		  struct decoded_event *ret_event)
{
	unsigned char buf[FIXTURE_RECORD_MAX];

	return decode_event(buf, fixture_record(buf, header, path, path2, exe), ret_event);
}

/* Frees the decoded record, which is there if err is 0. */
static int print_decoded(const char *name, const struct alert_job *job, int err,
			 struct decoded_event *event)
{
	json_t *json = NULL;

	if (!err) {
		err = fixture_decision(job, event, ++sequence, FIXTURE_BOOT_MS, &json);
		decoded_event_free(event);
	}
	return print_event(name, err, json);
}

static int print_decision(const char *name, const struct alert_job *job, struct event header,
			  const char *path, const char *path2, const char *exe)
{
	struct decoded_event event;
	int err = decode(header, path, path2, exe, &event);

	return print_decoded(name, job, err, &event);
}

/* What a fold has counted within a second, after the record whose repeats these are. */
static int print_repeats(struct event head, const char *path, const char *exe)
{
	struct decoded_event event;
	int err = decode(head, path, NULL, exe, &event);

	if (!err) {
		event.is_fold = true;
		event.cnt = 48211;
		event.start_ns += 40000000;
		event.event.time_ns += 998000000;
	}
	return print_decoded("repeats", &fixture_job, err, &event);
}

static int print_decisions(void)
{
	struct alert_job audited = fixture_job;
	struct event rename = by_rule(OP_RENAME, FIXTURE_CONFIG), child = fixture_event(OP_EXEC);
	struct event other = fixture_event(OP_UNIX), packet = fixture_event(OP_PACKET_IN), question;
	const char *python = "/usr/bin/python3.11";
	int err;

	audited.policy = &fixture_audit_policy;
	rename.verdict = VERDICT_WOULD_DENY;
	other.net = (struct event_net){ .family = AF_UNIX, .type = SOCK_STREAM };
	packet.net.port = 29500;
	packet.flags = EVENT_WITHOUT_TASK | EVENT_BY_CGROUP;
	packet.tgid = packet.tid = packet.ppid = packet.uid = packet.gid = 0;
	packet.start_ns = 0;
	packet.comm[0] = '\0';
	question = packet;
	question.op = OP_RESOLVE;
	question.net = (struct event_net){ .addr = { [10] = 0xff, 0xff, 10, 0, 0, 2 }, .port = 53, .family = AF_INET,
					   .protocol = IPPROTO_UDP };
	child.tgid = child.tid = 830;
	child.ppid = fixture_job.pid;
	err = print_decision("file", &fixture_job, by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS),
			     "/srv/datasets/digits/train.csv", NULL, python);
	err |= print_repeats(by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS), "/srv/datasets/digits/train.csv", python);
	err |= print_decision("exec", &fixture_job, child, "/tmp/.cache/xmrig", NULL, python);
	err |= print_decision("module", &fixture_job, fixture_event(OP_MAP_EXEC),
			      "/srv/checkpoints/digits/hook.so", NULL, python);
	err |= print_decision("network", &fixture_job, fixture_event(OP_CONNECT), NULL, NULL,
			      python);
	err |= print_decision("unix", &fixture_job, other, "/run/docker.sock", NULL, python);
	err |= print_decision("received-socket", &fixture_job,
			      by_reason(OP_RECEIVE_SOCKET, REASON_FOREIGN_SOCKET), NULL, NULL, python);
	err |= print_decision("network-in", &fixture_job, packet, NULL, NULL, NULL);
	err |= print_decision("name", &fixture_job, question, "/example/paste", NULL, NULL);
	err |= print_decision("guard", &fixture_job, fixture_event(OP_CAPABILITY), NULL, NULL, python);
	err |= print_decision("audit", &audited, rename, "/etc/train/a.yaml", "/etc/train/b.yaml",
			      python);
	return err;
}

/* --- the self-test ---------------------------------------------------------------------------- */

/* As it was found on a machine where the dataset is mounted read-only and truncate() is not refused. */
static struct selftest_result result_of(const struct act *act, bool is_failing)
{
	struct selftest_result result = {
		.name = act->name,
		.hook = act->hook,
		.what = act->what,
		.outcome = act->refusal ? OUTCOME_REFUSED : OUTCOME_ALLOWED,
		.error = -act->refusal,
		.is_recorded = act->refusal,
	};

	if (is_failing && act->op == OP_TRUNCATE) {
		result.outcome = OUTCOME_NOT_REFUSED;
		result.error = 0;
		result.is_recorded = false;
	}
	if (act == &dataset_write_act) {
		result.target = strdup("/srv/datasets/digits/train.csv");
		result.outcome = OUTCOME_MOUNT;
		result.error = -EROFS;
		result.is_recorded = false;
	}
	return result;
}

static int fill_selftest(bool is_failing, struct selftest *ret_selftest)
{
	const struct act *others[] = { &exec_act,          &family_act,          &dataset_write_act,
				       &allowed_place_act, &allowed_nameless_act };
	struct selftest selftest = { .duration_us = 7310 };

	selftest.items = calloc(hook_act_cnt + net_act_cnt + ARRAY_SIZE(others),
				sizeof(*selftest.items));
	if (!selftest.items)
		return -ENOMEM;
	for (size_t i = 0; i < hook_act_cnt; i++)
		selftest.items[selftest.cnt++] = result_of(&hook_acts[i], is_failing);
	for (size_t i = 0; i < net_act_cnt; i++)
		selftest.items[selftest.cnt++] = result_of(&net_acts[i], is_failing);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		selftest.items[selftest.cnt++] = result_of(others[i], is_failing);
	*ret_selftest = selftest;
	return 0;
}

static int print_start(void)
{
	_cleanup_(selftest_free) struct selftest selftest = { 0 };
	json_auto_t *origin = json_pack("{s:s, s:s}", "SLURM_CLUSTER_NAME", "gpu", "SLURM_JOB_ID", "1041");
	struct policy policy = fixture_policy;
	struct alert_job job = fixture_job;
	json_t *event = NULL, *result;
	int err = fill_selftest(false, &selftest);

	if (err)
		return print_event("start", err, NULL);
	policy.spiffe_id = (char *)"spiffe://example.org/ml/digits";
	job.policy = &policy;
	job.origin = origin;
	result = selftest_json(&selftest);
	err = ocsf_job_start(&job, ++sequence, "lsm", result, &event);
	json_decref(result);
	return print_event("start", err, event);
}

/* --- findings --------------------------------------------------------------------------------- */

static int print_finding(const char *name, const char *title, const char *text, uint64_t number)
{
	json_t *event = NULL;
	int err = ocsf_finding(&fixture_job, title, text, fixture_job.start_ms + 60000, number,
			       &event);

	return print_event(name, err, event);
}

/* Of a job that did not start: the second line of its record. */
static int print_selftest_failure(void)
{
	_cleanup_(selftest_free) struct selftest selftest = { 0 };
	struct error why = { 0 };
	int err = fill_selftest(true, &selftest);

	if (err)
		return print_event("finding-selftest", err, NULL);
	selftest_check(&selftest, &why);
	return print_finding("finding-selftest", "Self-test failed", why.text, 2);
}

/* The sentences of daemon/watch.c and daemon/renew.c. */
static int print_findings(void)
{
	int err = print_selftest_failure();

	err |= print_finding("finding-away", "Controller was away",
			     "for 2.4 s no controller looked after the job; its rules stayed in "
			     "force, 3 records waited, and 0 of all so far did not fit the ring",
			     ++sequence);
	err |= print_finding("finding-root", "Root of a rule changed",
			     "/srv/datasets/digits (rule \"dataset:digits\") leads to another file "
			     "now: before inode 131073 on device 8:1, now inode 2 on device 8:17; "
			     "the rules have been resolved anew",
			     ++sequence);
	return err;
}

/* --- the job ---------------------------------------------------------------------------------- */

static int print_policy(void)
{
	json_t *event = NULL;
	int err = ocsf_job_policy(
		&fixture_job, "8c6f5d1b2a3e4f50617283940a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d",
		fixture_job.start_ms + 30000, ++sequence, &event);

	return print_event("policy", err, event);
}

static int print_end(void)
{
	struct alert_end end = {
		.end_ms = fixture_job.start_ms + 84000,
		.stats = { .sequence = 3,
			   .emitted = 3,
			   .denied = { [EVENT_FILE] = 1, [EVENT_EXEC] = 1, [EVENT_NET] = 1 } },
		.delivered = 3,
		.reason = "its last process is gone",
	};
	json_auto_t *budgets = json_loads("[{\"id\": \"bucket\", \"max_bytes\": 10737418240, \"bytes\": 5242880, "
					  "\"refused\": 0}, {\"id\": \"limits.egress_bytes\", "
					  "\"max_bytes\": null, \"bytes\": 5242940, \"refused\": 0}]",
					  0, NULL);
	json_auto_t *destinations =
		json_loads("[{\"bytes\": 5242880, \"packets\": 412, \"connections\": 4, \"ip\": \"192.0.2.10\", "
			   "\"port\": 443, \"protocol\": \"tcp\", \"direction\": \"out\"}]", 0, NULL);
	json_t *event = NULL;
	int err;

	end.budgets = budgets;
	end.destinations = destinations;
	err = ocsf_job_end(&fixture_job, &end, ++sequence, &event);
	if (print_event("end", err, event))
		return -1;
	end.budgets = end.destinations = NULL;
	end.stats.lost[EVENT_FILE] = 2;
	end.stats.sequence = 5;
	err = ocsf_job_end(&fixture_job, &end, sequence, &event);
	return print_event("end-incomplete", err, event);
}

/* What is said of the log itself. */
static int print_log(void)
{
	struct head head = { .sequence = 4711 };
	struct sink sink = {
		.config.name = "siem",
		.trouble = { .code = -ECONNREFUSED, .text = "cannot connect to siem: Connection refused" },
		.trouble_ms = FIXTURE_BOOT_MS + 70000,
		.queue.cnt = 12,
	};

	chain_hash("example", 7, head.hash);
	if (print_event("log-head", 0, ocsf_log_head(&fixture_job, "/var/log/jobcage/alerts.jsonl", &head,
						     "interval", FIXTURE_BOOT_MS + 60000)) ||
	    print_event("log-trouble", 0, ocsf_log_sink(&fixture_job, &sink, FIXTURE_BOOT_MS + 70100)))
		return -1;
	sink.trouble.code = 0;
	sink.counts.dropped = 3;
	return print_event("log-recovered", 0,
			   ocsf_log_sink(&fixture_job, &sink, FIXTURE_BOOT_MS + 80000));
}

int main(void)
{
	return print_start() || print_decisions() || print_policy() || print_findings() ||
			       print_end() || print_log()
		       ? 1
		       : 0;
}
