// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ocsf_*(): every combination of operation, verdict, reason and flag becomes valid OCSF, and the
 * sentences say what they should. Validity is judged by tests/ocsf/check, run on a file of all that
 * was made here; JOBCAGE_OCSF_CHECK names another checker, JOBCAGE_OCSF_EVENTS keeps the file. To
 * be run from the project's top directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <netinet/in.h>

#include "alert/line.h"
#include "alert/ocsf.h"
#include "alert/op.h"
#include "alert/text.h"
#include "base/cleanup.h"
#include "job/origin.h"
#include "../ocsf/fixture.h"

#define EXE "/usr/bin/python3.11"

static FILE *made; /* every event of this run, one per line */
static uint64_t sequence;

static void keep(const json_t *event)
{
	assert_int_equal(json_dumpf(event, made, JSON_COMPACT), 0);
	assert_int_equal(fputc('\n', made), '\n');
}

/* Renders without decode_event(), which would refuse some combinations. */
static json_t *render(const struct alert_job *job, struct event header, const char *path,
		      const char *path2, const char *exe)
{
	struct decoded_event event = {
		.event = header,
		.cnt = 1,
		.start_ns = header.time_ns,
		.path = (char *)path,
		.path2 = (char *)path2,
		.exe = (char *)exe,
	};
	json_t *json = NULL;

	event.event.path_len = path ? (uint32_t)strlen(path) : 0;
	assert_int_equal(fixture_decision(job, &event, ++sequence, FIXTURE_BOOT_MS, &json), 0);
	keep(json);
	return json;
}

static json_t *at(json_t *json, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *rest = copy, *key;

	while (json && (key = strsep(&rest, ".")))
		json = json_object_get(json, key);
	return json;
}

static const char *text_at(json_t *json, const char *path)
{
	const char *text = json_string_value(at(json, path));

	if (!text)
		fail_msg("no text at %s", path);
	return text;
}

static json_int_t int_at(json_t *json, const char *path)
{
	if (!json_is_integer(at(json, path)))
		fail_msg("no number at %s", path);
	return json_integer_value(at(json, path));
}

static void render_variants(struct event header)
{
	const struct op_info *op = op_info(header.op);
	bool is_net = op->kind == EVENT_NET;

	/* None, each alone, all. */
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int flags = i == 0 ? 0 : i == 7 ? 63 : 1U << (i - 1);
		bool has_path = !is_net && !(flags & EVENT_PATH_MISSING);

		header.flags = flags;
		json_decref(render(&fixture_job, header,
				   !has_path                    ? NULL :
				   flags & EVENT_PATH_TRUNCATED ? ".../c" :
								  "/a/b/c",
				   !has_path || !op->has_path2 ? NULL : "/d/e",
				   flags & 1 ? NULL : EXE));
	}
}

static void test_every_combination(void **state)
{
	(void)state;
	for (unsigned int op = OP_OPEN_READ; op <= OP_QUOTA; op++)
		for (unsigned int verdict = VERDICT_ALLOW; verdict <= VERDICT_WOULD_DENY; verdict++)
			for (unsigned int reason = REASON_RULE; reason <= REASON_FOREIGN_SOCKET;
			     reason++) {
				struct event header = by_reason(op, reason);

				header.verdict = (__u8)verdict;
				render_variants(header);
			}
}

static void test_every_rule(void **state)
{
	(void)state;
	for (unsigned int op = OP_OPEN_READ; op <= OP_QUOTA; op++)
		for (uint32_t rule = 0; rule <= FIXTURE_RULES + 1; rule++) {
			bool is_net = op_info(op)->kind == EVENT_NET;

			json_decref(render(&fixture_job, by_rule(op, rule), is_net ? NULL : "/a",
					   op_info(op)->has_path2 ? "/b" : NULL, EXE));
		}
}

static void test_every_socket(void **state)
{
	static const uint16_t protocols[] = { 0, 1, 6, 17, 33, 58, 132, 136, 255, 256, 262, 65535 };

	(void)state;
	for (unsigned int family = 0; family < 50; family++)
		for (unsigned int type = 0; type < 4; type++)
			for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
				struct event header = by_reason(OP_CONNECT, REASON_FAMILY);

				header.net.family = (uint16_t)family;
				header.net.type = (uint16_t)type;
				header.net.protocol = protocols[i];
				json_decref(render(&fixture_job, header, NULL, NULL, EXE));
			}
}

static void test_every_mode(void **state)
{
	static const struct {
		uint32_t mode;
		int type;
	} kinds[] = {
		{ S_IFREG, 1 },  { S_IFDIR, 2 }, { S_IFCHR, 3 }, { S_IFBLK, 4 },
		{ S_IFSOCK, 5 }, { S_IFIFO, 6 }, { S_IFLNK, 7 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct event header = fixture_event(OP_MKNOD);
		json_auto_t *event = NULL;

		header.file.mode = kinds[i].mode | 0644;
		event = render(&fixture_job, header, "/dev/x", NULL, EXE);
		assert_int_equal(int_at(event, "file.type_id"), kinds[i].type);
	}
}

static void test_denied(void **state)
{
	json_auto_t *event = render(&fixture_job, by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS),
				    "/srv/datasets/digits/train.csv", NULL, EXE);

	(void)state;
	assert_int_equal(int_at(event, "class_uid"), 1001);
	assert_int_equal(int_at(event, "activity_id"), 3);
	assert_int_equal(int_at(event, "action_id"), 2);
	assert_int_equal(int_at(event, "disposition_id"), 2);
	assert_int_equal(int_at(event, "severity_id"), 3);
	assert_true(json_is_true(at(event, "is_alert")));
	assert_string_equal(text_at(event, "status_code"), "EACCES");
	assert_string_equal(text_at(event, "policy.name"), "digits-train");
	assert_string_equal(text_at(event, "policy.uid"), fixture_policy.digest);
	assert_string_equal(text_at(event, "firewall_rule.uid"), "dataset:digits");
	assert_string_equal(text_at(event, "firewall_rule.condition"),
			    "/srv/datasets/digits: read");
	assert_string_equal(text_at(event, "firewall_rule.desc"),
			    "written at rules/digits-train.json:6:6");
	assert_string_equal(text_at(event, "metadata.correlation_uid"), "digits-1041");
	assert_int_equal(int_at(event, "metadata.sequence"), (json_int_t)sequence);
	assert_string_equal(text_at(event, "file.path"), "/srv/datasets/digits/train.csv");
	assert_string_equal(text_at(event, "file.name"), "train.csv");
	assert_string_equal(text_at(event, "file.parent_folder"), "/srv/datasets/digits");
	assert_string_equal(text_at(event, "file.uid"), "8:1:131074");
	assert_int_equal(int_at(event, "time"), FIXTURE_BOOT_MS + 3605250);
}

static void test_actor(void **state)
{
	struct event child = fixture_event(OP_EXEC);
	json_auto_t *event = NULL;

	(void)state;
	child.tgid = 900;
	child.tid = 901;
	child.ppid = 812;
	child.uid = 0;
	event = render(&fixture_job, child, "/tmp/x", NULL, EXE);
	assert_int_equal(int_at(event, "actor.process.pid"), 900);
	assert_int_equal(int_at(event, "actor.process.tid"), 901);
	assert_string_equal(text_at(event, "actor.process.uid"), "900:3600000000000");
	assert_int_equal(int_at(event, "actor.process.created_time"), FIXTURE_BOOT_MS + 3600000);
	assert_int_equal(int_at(event, "actor.process.parent_process.pid"), 812);
	assert_string_equal(text_at(event, "actor.process.parent_process.cmd_line"),
			    fixture_job.command);
	assert_string_equal(text_at(event, "actor.process.file.path"), EXE);
	assert_string_equal(text_at(event, "actor.user.uid"), "0");
	assert_null(at(event, "actor.user.name")); /* the job's user is not root */
	assert_null(at(event, "actor.process.cmd_line"));
	assert_string_equal(text_at(event, "process.file.path"), "/tmp/x");
	assert_string_equal(text_at(event, "process.name"), "x");
}

static void test_audit(void **state)
{
	struct alert_job job = fixture_job;
	struct event header = fixture_event(OP_CONNECT);
	json_auto_t *event = NULL;

	(void)state;
	job.policy = &fixture_audit_policy;
	header.verdict = VERDICT_WOULD_DENY;
	event = render(&job, header, NULL, NULL, EXE);
	assert_int_equal(int_at(event, "action_id"), 3);
	assert_int_equal(int_at(event, "disposition_id"), 15);
	assert_int_equal(int_at(event, "activity_id"), 1);
	assert_int_equal(int_at(event, "severity_id"), 1);
	assert_true(json_is_false(at(event, "is_alert")));
	assert_true(json_is_false(at(event, "policy.is_applied")));
	assert_null(at(event, "status_code"));
}

static void test_network(void **state)
{
	struct event mapped = fixture_event(OP_CONNECT), v6 = fixture_event(OP_SENDMSG);
	json_auto_t *first = NULL, *second = NULL;

	(void)state;
	mapped.net.family = AF_INET6;
	mapped.net.protocol = 0;
	first = render(&fixture_job, mapped, NULL, NULL, EXE);
	assert_string_equal(text_at(first, "dst_endpoint.ip"), "192.0.2.7");
	assert_int_equal(int_at(first, "connection_info.protocol_ver_id"), 4);
	assert_int_equal(int_at(first, "connection_info.protocol_num"), 6);
	assert_int_equal(int_at(first, "activity_id"), 5);
	v6.net.family = AF_INET6;
	memset(v6.net.addr, 0, 16);
	v6.net.addr[15] = 1;
	second = render(&fixture_job, v6, NULL, NULL, EXE);
	assert_string_equal(text_at(second, "dst_endpoint.ip"), "::1");
	assert_int_equal(int_at(second, "connection_info.protocol_ver_id"), 6);
	assert_int_equal(int_at(second, "connection_info.protocol_num"), 17);
}

static void test_hostile_names(void **state)
{
	struct event header = fixture_event(OP_OPEN_WRITE);
	json_auto_t *event = NULL;

	(void)state;
	strcpy(header.comm, "a\x1b[2J: rule \"");
	event = render(&fixture_job, header, "/t/\n\xff\\\"\xe2\x80\xae x", NULL, EXE);
	assert_string_equal(text_at(event, "file.path"), "/t/\\x0a\\xff\\x5c\"\\xe2\\x80\\xae x");
	assert_string_equal(text_at(event, "actor.process.name"), "a\\x1b[2J: rule \"");
	assert_non_null(strstr(text_at(event, "message"),
			       "\"a\\x1b[2J: rule \\x22\" (pid 812) was denied opening "
			       "\"/t/\\x0a\\xff\\x5c\\x22\\xe2\\x80\\xae x\" for writing: "));
}

static void expect_complete(struct alert_end end, bool expected)
{
	json_t *event = NULL;

	end.end_ms = fixture_job.start_ms + 5000;
	end.reason = "exited";
	assert_int_equal(alert_end_complete(&end), expected);
	assert_int_equal(ocsf_job_end(&fixture_job, &end, ++sequence, &event), 0);
	keep(event);
	assert_int_equal(json_is_true(at(event, "unmapped.jobcage.complete")), expected);
	assert_int_equal(int_at(event, "severity_id"), expected ? 1 : 3);
	assert_int_equal(int_at(event, "status_id"), expected ? 1 : 2);
	assert_int_equal(int_at(event, "duration"), 5000);
	json_decref(event);
}

/* Repeats: as many as were counted, from the first to the last, and of which record. */
static void test_repeats(void **state)
{
	struct decoded_event event = {
		.event = by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS),
		.path = "/srv/datasets/digits/a",
		.is_fold = true,
		.cnt = 5000000000,
	};
	json_t *json = NULL;

	(void)state;
	event.start_ns = event.event.time_ns - 900000000;
	assert_int_equal(fixture_decision(&fixture_job, &event, ++sequence, FIXTURE_BOOT_MS, &json), 0);
	keep(json);
	assert_int_equal(int_at(json, "count"), 5000000000);
	assert_int_equal(int_at(json, "end_time") - int_at(json, "start_time"), 900);
	assert_int_equal(int_at(json, "time"), int_at(json, "end_time"));
	assert_int_equal(int_at(json, "unmapped.jobcage.repeats_of"), event.event.sequence);
	assert_null(at(json, "unmapped.jobcage.record"));
	assert_null(at(json, "actor.process.tid"));
	/* The record's own sentence, so that readers put them together. */
	assert_non_null(strstr(text_at(json, "message"), "/srv/datasets/digits/a for writing: rule"));
	json_decref(json);
}

/* Who starts the job says them, so they may be anything but what is no string, too long, or called otherwise. */
static void test_tags(void **state)
{
	json_auto_t *given = json_pack("{s:s, s:s, s:i, s:s, s:s}", "SLURM_JOB_ID", "\"}{\n", "PATH", "/bin", "PBS_JOBID", 7,
				       "POD_NAME", "", "container", "podman");
	json_auto_t *origin = origin_check(given), *none = NULL;
	struct policy policy = fixture_policy;
	struct alert_job job = fixture_job;
	char too_long[ORIGIN_VALUE_MAX + 2];
	json_t *json;

	(void)state;
	policy.spiffe_id = (char *)"spiffe://example.org/ml";
	job.policy = &policy;
	job.origin = origin;
	json = render(&job, fixture_event(OP_OPEN_READ), "/a", NULL, EXE);
	assert_int_equal(json_array_size(at(json, "metadata.tags")), 3);
	for (size_t i = 0; i < 3; i++) {
		const json_t *tag = json_array_get(at(json, "metadata.tags"), i);
		const char *name = json_string_value(json_object_get(tag, "name"));
		const char *value = json_string_value(json_object_get(tag, "value"));

		if (!strcmp(name, "SLURM_JOB_ID"))
			assert_string_equal(value, "\"}{\\x0a");
		else
			assert_string_equal(value, strcmp(name, "container") ? policy.spiffe_id : "podman");
	}
	json_decref(json);
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	json_object_clear(given);
	json_object_set_new(given, "SLURM_JOB_ID", json_string(too_long));
	none = origin_check(given);
	assert_null(none);
	assert_null(origin_check(NULL));
}

static void test_ancestry(void **state)
{
	const struct ancestor ancestors[] = {
		{ .pid = 811, .start_ns = 10000000, .name = "a\"b", .program = "/usr/bin/bash" },
		{ .pid = 800, .start_ns = 20000000, .name = "\xff" },
	};
	struct decoded_event event = {
		.event = fixture_event(OP_OPEN_READ), .cnt = 1, .ancestors = ancestors, .ancestor_cnt = 2
	};
	json_t *json = NULL, *list;

	(void)state;
	assert_int_equal(fixture_decision(&fixture_job, &event, ++sequence, FIXTURE_BOOT_MS, &json), 0);
	keep(json);
	list = at(json, "actor.process.ancestry");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_at(json_array_get(list, 0), "name"), "a\"b");
	assert_string_equal(text_at(json_array_get(list, 0), "path"), "/usr/bin/bash");
	assert_int_equal(int_at(json_array_get(list, 0), "created_time"), FIXTURE_BOOT_MS + 10);
	assert_string_equal(text_at(json_array_get(list, 1), "name"), "\\xff");
	assert_null(at(json_array_get(list, 1), "path"));
	json_decref(json);
}

static void test_complete(void **state)
{
	const struct alert_end good = { .stats = { .sequence = 4, .emitted = 4 }, .delivered = 4 };
	struct alert_end end = good;

	(void)state;
	expect_complete((struct alert_end){ 0 }, true);
	expect_complete(good, true);
	end.stats.lost[EVENT_NET] = 1;
	expect_complete(end, false);
	end.stats.sequence = 5;
	expect_complete(end, false);
	end = good;
	end.stats.sequence = 7;
	end.stats.folded = 3;
	expect_complete(end, false); /* of what was folded, nothing was delivered */
	end.delivered = 7;
	expect_complete(end, true);
	end = good;
	end.malformed = 1;
	expect_complete(end, false);
	end = good;
	end.write_failures = 1;
	expect_complete(end, false);
	end = good;
	end.delivered = 3;
	expect_complete(end, false);
	end = good;
	end.stats.sequence = 5; /* numbered, and neither emitted nor lost */
	expect_complete(end, false);
}

static void test_job(void **state)
{
	json_auto_t *self_test = json_pack("{s:b}", "passed", 1);
	struct alert_job bare = fixture_job;
	json_t *event = NULL;

	(void)state;
	assert_int_equal(ocsf_job_start(&fixture_job, ++sequence, "lsm", self_test, &event), 0);
	keep(event);
	assert_int_equal(int_at(event, "activity_id"), 6);
	assert_int_equal(int_at(event, "job.run_state_id"), 3);
	assert_string_equal(text_at(event, "unmapped.jobcage.backend"), "lsm");
	assert_true(json_is_true(at(event, "unmapped.jobcage.self_test.passed")));
	assert_string_equal(text_at(event, "message"),
			    "job digits-1041 started under policy digits-train in enforce mode");
	json_decref(event);
	bare.machine_id = bare.command = bare.user = bare.cgroup = bare.kernel = NULL;
	assert_int_equal(ocsf_job_start(&bare, ++sequence, NULL, NULL, &event), 0);
	keep(event);
	json_decref(event);
	assert_int_equal(ocsf_job_policy(&fixture_job, "0123456789abcdef", FIXTURE_BOOT_MS,
					 ++sequence, &event), 0);
	keep(event);
	assert_int_equal(int_at(event, "activity_id"), 2);
	assert_string_equal(text_at(event, "unmapped.jobcage.old_digest"), "0123456789abcdef");
	assert_string_equal(text_at(event, "unmapped.jobcage.new_digest"), fixture_policy.digest);
	json_decref(event);
}

static void test_finding(void **state)
{
	json_t *event = NULL;

	(void)state;
	assert_int_equal(ocsf_finding(&fixture_job, "A root was replaced",
				      "/srv/x\n is another directory now", fixture_job.start_ms + 1,
				      ++sequence, &event),
			 0);
	keep(event);
	assert_int_equal(int_at(event, "class_uid"), 2004);
	assert_int_equal(int_at(event, "severity_id"), 4);
	assert_string_equal(text_at(event, "finding_info.title"), "A root was replaced");
	assert_string_equal(text_at(event, "message"), "/srv/x\\x0a is another directory now");
	json_decref(event);
}

/* The n-th allocation of the JSON library fails, for every n. */
static size_t allocations_left;

static void *failing_malloc(size_t size)
{
	if (!allocations_left)
		return NULL;
	allocations_left--;
	return malloc(size);
}

static int render_all(void)
{
	struct decoded_event event = { .event = by_rule(OP_RENAME, FIXTURE_CONFIG),
				       .path = (char *)"/etc/train/a",
				       .path2 = (char *)"/b/c",
				       .exe = (char *)EXE };
	const struct alert_end end = { .end_ms = 1, .reason = "exited" };
	json_t *json[3] = { NULL };
	struct line *line = NULL;
	int err = ocsf_decision(&fixture_job, &event, 1, FIXTURE_BOOT_MS, &line);

	err = err ? err : ocsf_job_start(&fixture_job, 2, "lsm", NULL, &json[0]);
	err = err ? err : ocsf_job_end(&fixture_job, &end, 3, &json[1]);
	err = err ? err : ocsf_finding(&fixture_job, "title", "text", 1, 4, &json[2]);
	line_unref(line);
	for (size_t i = 0; i < ARRAY_SIZE(json); i++)
		json_decref(json[i]);
	return err;
}

static void test_out_of_memory(void **state)
{
	size_t n;
	int err = -ENOMEM;

	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	for (n = 0; n < 100000 && err; n++) {
		allocations_left = n;
		err = render_all();
		if (err)
			assert_int_equal(err, -ENOMEM);
	}
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(err, 0);
	assert_true(n > 300);
}

/* The page lists every built-in condition by its id. */
static void test_documented(void **state)
{
	_cleanup_file_ FILE *page = fopen("docs/alerts.md", "re");
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	(void)state;
	assert_non_null(page);
	assert_true(getdelim(&text, &size, '\0', page) > 0);
	for (unsigned int reason = REASON_DEFAULT; reason <= REASON_FOREIGN_SOCKET; reason++) {
		json_auto_t *event = render(&fixture_job, by_reason(OP_EXEC, reason), "/a", NULL,
					    EXE);

		assert_non_null(strstr(text, text_at(event, "firewall_rule.uid")));
	}
	for (unsigned int op = OP_OPEN_READ; op <= OP_QUOTA; op++)
		assert_non_null(strstr(text, op_info(op)->code));
}

static void test_valid(void **state)
{
	const char *check = getenv("JOBCAGE_OCSF_CHECK");
	_cleanup_free_ char *command = NULL;

	assert_int_equal(fflush(made), 0);
	assert_true(asprintf(&command, "'%s' '%s' >&2", check ? check : "tests/ocsf/check",
			     (const char *)*state) > 0);
	assert_int_equal(system(command), 0);
	free(command);
	assert_true(asprintf(&command, "tests/ocsf/check --self-test '%s' >&2",
			     (const char *)*state) > 0);
	if (!check)
		assert_int_equal(system(command), 0);
}

static char events_file[] = "/tmp/jobcage-ocsf-XXXXXX";

static int open_events(void **state)
{
	const char *file = getenv("JOBCAGE_OCSF_EVENTS");
	int fd;

	*state = (void *)(file ? file : events_file);
	if (file) {
		made = fopen(file, "we");
		return made ? 0 : -1;
	}
	fd = mkstemp(events_file);
	made = fd < 0 ? NULL : fdopen(fd, "w");
	return made ? 0 : -1;
}

static int close_events(void **state)
{
	(void)state;
	fclose(made);
	if (!getenv("JOBCAGE_OCSF_EVENTS"))
		unlink(events_file);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_combination),
		cmocka_unit_test(test_every_rule),
		cmocka_unit_test(test_every_socket),
		cmocka_unit_test(test_every_mode),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_actor),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_ancestry),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_job),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_documented),
		cmocka_unit_test(test_valid),
	};

	return cmocka_run_group_tests_name("ocsf", tests, open_events, close_events);
}
