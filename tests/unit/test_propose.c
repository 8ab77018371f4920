// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `jobcage policy propose`: pieces become one policy; what is missing is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/policy_propose.c" /* the whole command, as the libraries hold none */
#include "policy_fixture.h"

#define EVENT(job, verdict, more) \
	"{\"message\": \"m-" job "\", \"policy\": {\"name\": \"tried\"}, \"metadata\": {\"correlation_uid\": \"" job "\"}, " \
	"\"unmapped\": {\"jobcage\": {\"verdict\": \"" verdict "\"" more "}}}\n"
#define ADVICE(json) ", \"advice\": " json
#define END(job, complete) \
	"{\"metadata\": {\"correlation_uid\": \"" job "\"}, \"unmapped\": {\"jobcage\": {\"complete\": " complete "}}}\n"

static void expect_sum(const char *sum, const char *const *pieces)
{
	json_auto_t *proposal = json_object(), *expected = json_loads(sum, 0, NULL);

	for (; *pieces; pieces++) {
		json_auto_t *piece = json_loads(*pieces, 0, NULL);

		assert_non_null(piece);
		assert_int_equal(proposal_add(proposal, piece), 0);
	}
	assert_true(json_equal(proposal, expected));
}

#define EXPECT_SUM(sum, ...) expect_sum(sum, (const char *const[]){ __VA_ARGS__, NULL })

static void pieces_are_said_once(void **state)
{
	(void)state;
	EXPECT_SUM("{\"exec\": {\"allow\": [\"/a\", \"/b\"]}}", "{\"exec\": {\"allow\": [\"/a\"]}}",
		   "{\"exec\": {\"allow\": [\"/b\"]}}", "{\"exec\": {\"allow\": [\"/a\"]}}");
	EXPECT_SUM("{\"mounts\": \"allow\", \"sockets\": [\"raw\"]}", "{\"sockets\": [\"raw\"]}", "{\"mounts\": \"allow\"}",
		   "{\"mounts\": \"allow\"}");
}

static void the_most_access_stays(void **state)
{
	static const char read[] = "{\"filesystem\": {\"rules\": [{\"path\": \"/a\", \"access\": \"read\"}]}}";
	static const char write[] = "{\"filesystem\": {\"rules\": [{\"path\": \"/a\", \"access\": \"write\"}]}}";

	(void)state;
	EXPECT_SUM(write, read, write);
	EXPECT_SUM(write, write, read);
	EXPECT_SUM(read, read, read);
	EXPECT_SUM("{\"datasets\": [{\"name\": \"d\", \"access\": \"write\"}, {\"name\": \"e\", \"access\": \"read\"}]}",
		   "{\"datasets\": [{\"name\": \"d\", \"access\": \"write\"}]}", "{\"datasets\": [{\"name\": \"e\", \"access\": \"read\"}]}",
		   "{\"datasets\": [{\"name\": \"d\", \"access\": \"read\"}]}");
}

#define ALLOW(cidr, protocol, ports) \
	"{\"egress\": {\"allow\": [{\"cidr\": \"" cidr "\", \"protocol\": \"" protocol "\", \"ports\": [" ports "]}]}}"

static void ports_of_one_network_come_together(void **state)
{
	(void)state;
	EXPECT_SUM(ALLOW("192.0.2.1/32", "tcp", "22, 80, 443"), ALLOW("192.0.2.1/32", "tcp", "80"), ALLOW("192.0.2.1/32", "tcp", "443"),
		   ALLOW("192.0.2.1/32", "tcp", "22"), ALLOW("192.0.2.1/32", "tcp", "80"));
	EXPECT_SUM("{\"egress\": {\"allow\": [{\"cidr\": \"::1/128\", \"protocol\": \"tcp\", \"ports\": [1]}, "
		   "{\"cidr\": \"::1/128\", \"protocol\": \"udp\", \"ports\": [1]}]}}",
		   ALLOW("::1/128", "tcp", "1"), ALLOW("::1/128", "udp", "1"));
}

static void pieces_that_do_not_fit(void **state)
{
	json_auto_t *proposal = json_loads("{\"exec\": {\"allow\": []}}", 0, NULL), *piece = json_loads("{\"exec\": []}", 0, NULL);

	(void)state;
	assert_int_equal(proposal_add(proposal, piece), -EINVAL);
}

/* --- the command ------------------------------------------------------------------------------ */

static int run(const char *log, const char *job, json_t **ret_policy)
{
	char *argv[] = { (char *)"propose", (char *)"log", NULL, NULL, NULL, NULL, NULL };
	int argc = 2, status, saved = dup(STDOUT_FILENO);

	write_file("log", log);
	write_file("policy.json", "{}");
	argv[argc++] = (char *)"--extends";
	argv[argc++] = (char *)"policy.json";
	if (job) {
		argv[argc++] = (char *)"--job";
		argv[argc++] = (char *)job;
	}
	fflush(stdout);
	assert_non_null(freopen("out", "w", stdout));
	status = cmd_policy_propose(argc, argv);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	*ret_policy = json_load_file("out", 0, NULL);
	return status;
}

static void a_log_becomes_a_policy(void **state)
{
	static const char log[] = EVENT("a", "would-deny", ADVICE("{\"exec\": {\"allow\": [\"/a\"]}}"))
		EVENT("b", "deny", ADVICE("{\"exec\": {\"allow\": [\"/b\"]}}")) EVENT("a", "allow", ADVICE("{\"mounts\": \"allow\"}"))
		END("a", "true");
	json_t *policy;

	(void)state;
	assert_int_equal(run(log, NULL, &policy), STATUS_WHOLE);
	assert_string_equal(json_string_value(json_object_get(policy, "name")), "tried");
	assert_string_equal(json_string_value(json_object_get(policy, "mode")), "enforce");
	assert_int_equal(json_array_size(json_object_get(json_object_get(policy, "exec"), "allow")), 2);
	assert_null(json_object_get(policy, "mounts"));
	assert_non_null(strstr(json_string_value(json_array_get(json_object_get(policy, "extends"), 0)), "/policy.json"));
	json_decref(policy);
	assert_int_equal(run(log, "b", &policy), STATUS_WHOLE);
	assert_int_equal(json_array_size(json_object_get(json_object_get(policy, "exec"), "allow")), 1);
	json_decref(policy);
}

static void what_is_missing_is_said(void **state)
{
	json_t *policy;

	(void)state;
	assert_int_equal(run(EVENT("a", "deny", ""), NULL, &policy), STATUS_PART);
	json_decref(policy);
	assert_int_equal(run(EVENT("a", "deny", ADVICE("{}")) END("a", "false"), NULL, &policy), STATUS_PART);
	json_decref(policy);
	assert_int_equal(run(EVENT("a", "deny", ADVICE("{}")) END("b", "false"), "a", &policy), STATUS_WHOLE);
	json_decref(policy);
}

static void what_is_no_log(void **state)
{
	json_t *policy;

	(void)state;
	assert_int_equal(run("{\n", NULL, &policy), STATUS_ERROR);
	assert_null(policy);
	assert_int_equal(run(END("a", "true"), NULL, &policy), STATUS_ERROR);
	assert_null(policy);
	assert_int_equal(run(EVENT("a", "deny", ADVICE("{\"exec\": {}}")) EVENT("a", "deny", ADVICE("{\"exec\": []}")), NULL, &policy),
			 STATUS_ERROR);
	assert_null(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_said_once),	  cmocka_unit_test(the_most_access_stays),
		cmocka_unit_test(ports_of_one_network_come_together), cmocka_unit_test(pieces_that_do_not_fit),
		cmocka_unit_test_setup_teardown(a_log_becomes_a_policy, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(what_is_missing_is_said, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(what_is_no_log, enter_folder, leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
