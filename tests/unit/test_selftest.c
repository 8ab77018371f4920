// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The self-test, as far as it needs no kernel of its own: that no hook is without an act, the choice
 * of a denied destination against an oracle, the verdict and its sentence, and that no act on a
 * dataset changes it where nothing refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "job/attempt.h"
#include "job/selftest.h"
#include "kern/hooks.h"
#include "policy_fixture.h"

#define ARGS_MAX 4096

/* --- coverage --------------------------------------------------------------------------------- */

static bool is_tried(const struct act *acts, size_t cnt, const char *hook)
{
	for (size_t i = 0; i < cnt; i++)
		if (!strcmp(acts[i].hook, hook))
			return true;
	return false;
}

static bool is_hook_tried(const char *hook)
{
	return is_tried(hook_acts, hook_act_cnt, hook) ||
	       is_tried(attr_acts, attr_act_cnt, hook) ||
	       is_tried(mount_acts, mount_act_cnt, hook) ||
	       is_tried(net_acts, net_act_cnt, hook) ||
	       is_tried(object_acts, object_act_cnt, hook) ||
	       is_tried(guard_acts, guard_act_cnt, hook) || is_tried(&capability_act, 1, hook) ||
	       is_tried(&user_namespace_act, 1, hook) ||
	       is_tried(&family_act, 1, hook) ||
	       is_tried(socket_acts, socket_act_cnt, hook) ||
	       is_tried(unix_acts, unix_act_cnt, hook) ||
	       is_tried(&receive_socket_act, 1, hook) ||
	       is_tried(&moved_socket_act, 1, hook) ||
	       is_tried(&packet_out_act, 1, hook) || is_tried(&packet_in_act, 1, hook) ||
	       is_tried(&exec_act, 1, hook) || is_tried(map_acts, map_act_cnt, hook) ||
	       is_tried(&chroot_act, 1, hook);
}

static void every_hook_has_an_act(void **state)
{
	static const char *const cgroup_hooks[] = { "cgroup/connect4", "cgroup/connect6",
						    "cgroup/sendmsg4", "cgroup/sendmsg6",
						    "cgroup_skb/egress", "cgroup_skb/ingress" };
	size_t untried = 0;

	(void)state;
	for (size_t i = 0; i < hook_cnt; i++) {
		untried += !hooks[i].lsm;
		if (hooks[i].lsm && !is_hook_tried(hooks[i].lsm))
			fail_msg("the self-test has no act that only %s refuses", hooks[i].lsm);
	}
	/*
	 * What refuses nothing: one is proved by the canary's label, two kill who fails to fork, one notes whose objects
	 * are, three that they are gone, and two whose memory a capability is asked for.
	 */
	assert_int_equal(untried, 9);
	for (size_t i = 0; i < ARRAY_SIZE(cgroup_hooks); i++)
		assert_true(is_hook_tried(cgroup_hooks[i]));
	assert_false(is_hook_tried("file_close"));
}

/* --- what is lifted ---------------------------------------------------------------------------- */

static uint64_t lifted_by(const struct act *acts, size_t cnt)
{
	uint64_t lifted = 0;

	for (size_t i = 0; i < cnt; i++)
		lifted |= acts[i].capabilities;
	return lifted;
}

/* The ceiling is tried on a capability that no act lifts, or nothing would refuse it. */
static void the_ceiling_itself_stays(void **state)
{
	uint64_t lifted = lifted_by(hook_acts, hook_act_cnt) | lifted_by(attr_acts, attr_act_cnt) |
			  lifted_by(mount_acts, mount_act_cnt) | lifted_by(net_acts, net_act_cnt) |
			  lifted_by(guard_acts, guard_act_cnt) | lifted_by(unix_acts, unix_act_cnt) |
			  exec_act.capabilities | exec_rule_act.capabilities | chroot_act.capabilities |
			  dataset_write_act.capabilities | dataset_read_act.capabilities;

	(void)state;
	assert_true(lifted & 1ULL << CAP_SYS_ADMIN);
	assert_false(lifted & 1ULL << CAP_SYS_RESOURCE);
	assert_int_equal(capability_act.capabilities, 0);
}

/* --- destinations ----------------------------------------------------------------------------- */

static struct policy *egress_policy(const char *egress)
{
	char text[ARGS_MAX];

	snprintf(text, sizeof(text), "{\"version\": 1, \"name\": \"p\", \"egress\": %s}", egress);
	return parse_good(text, NULL);
}

static bool is_longest_match(const struct net_key *key, const struct net_key *best,
			     const uint8_t addr[16])
{
	for (uint32_t bit = 0; bit < key->prefixlen; bit++)
		if ((key->addr[bit / 8] ^ addr[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return !best || key->prefixlen > best->prefixlen;
}

/* As the kernel judges: by longest match in the compiled tables. */
static bool is_open(const struct policy *policy, const struct destination *to, uint8_t protocol)
{
	struct egress_tables tables;
	const struct net_key *best = NULL;
	const struct net_value *span = NULL;
	bool found = false;

	assert_int_equal(egress_compile(policy, &tables), 0);
	for (size_t i = 0; i < tables.net_cnt; i++) {
		if (!is_longest_match(&tables.net_keys[i], best, to->addr))
			continue;
		best = &tables.net_keys[i];
		span = &tables.net_values[i];
	}
	for (size_t i = 0; span && i < span->cnt; i++) {
		const struct port_range *range = &tables.ports[span->first + i];

		found |= range->protocol == protocol && range->lo <= to->port &&
			 to->port <= range->hi;
	}
	egress_tables_free(&tables);
	return found;
}

/* What is found for each kind of destination, as "tcp4 udp4 tcp6 udp6", with the ports. */
static void expect_denied(const char *egress, const char *want)
{
	static const struct {
		const char *name;
		struct destination_kind kind;
	} kinds[] = { { "tcp4", { AF_INET, IPPROTO_TCP } },
		      { "udp4", { AF_INET, IPPROTO_UDP } },
		      { "tcp6", { AF_INET6, IPPROTO_TCP } },
		      { "udp6", { AF_INET6, IPPROTO_UDP } } };
	struct policy *policy = egress_policy(egress);
	char got[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(got);
		struct destination to;

		if (destination_find_denied(policy, kinds[i].kind, &to))
			continue;
		assert_false(is_open(policy, &to, kinds[i].kind.protocol));
		snprintf(got + len, sizeof(got) - len, "%s%s:%u", len ? " " : "", kinds[i].name,
			 to.port);
	}
	assert_string_equal(got, want);
	policy_free(policy);
}

static void finds_what_is_denied(void **state)
{
	(void)state;
	expect_denied("{\"default\": \"deny\"}", "tcp4:9 udp4:9 tcp6:9 udp6:9");
	expect_denied("{\"default\": \"allow\"}", "");
	expect_denied("{\"allow\": [{\"cidr\": \"0.0.0.0/0\", \"protocol\": \"tcp\", \"ports\": "
		      "[\"1-65535\"]}]}",
		      "udp4:9 tcp6:9 udp6:9");
	expect_denied("{\"allow\": [{\"cidr\": \"::/0\", \"protocol\": \"any\", \"ports\": "
		      "[\"1-65535\"]}]}",
		      "tcp4:9 udp4:9");
}

static void finds_gaps_between_ports(void **state)
{
	(void)state;
	/* Two rules that take turns, and a gap that only both leave. */
	expect_denied("{\"allow\": ["
		      "{\"cidr\": \"0.0.0.0/0\", \"protocol\": \"tcp\", \"ports\": [\"1-99\", "
		      "\"200-299\"]},"
		      "{\"cidr\": \"128.0.0.0/1\", \"protocol\": \"any\", \"ports\": "
		      "[\"100-199\", \"300-399\"]}]}",
		      "tcp4:400 udp4:9 tcp6:9 udp6:9");
	/* Below the port that is tried first. */
	expect_denied("{\"allow\": [{\"cidr\": \"0.0.0.0/0\", \"protocol\": \"tcp\", \"ports\": "
		      "[\"1-4\", \"6-65535\"]}]}",
		      "tcp4:5 udp4:9 tcp6:9 udp6:9");
}

static void finds_another_address(void **state)
{
	struct policy *policy = egress_policy(
		"{\"allow\": [{\"cidr\": \"128.0.0.0/1\", \"protocol\": \"tcp\", \"ports\": "
		"[\"1-65535\"]}]}");
	const struct destination_kind kind = { AF_INET, IPPROTO_TCP };
	struct destination to;

	(void)state;
	assert_int_equal(destination_find_denied(policy, kind, &to), 0);
	assert_true(to.addr[12] < 128);
	assert_false(is_open(policy, &to, IPPROTO_TCP));
	policy_free(policy);
}

/* --- datasets are not harmed ------------------------------------------------------------------ */

static struct attempt_result run_on(const struct act *act, const char *path)
{
	struct rule rule = { .path = (char *)path };
	struct attempt attempt = { .act = act, .rule = &rule };
	struct attempt_result result = { .state = ATTEMPT_STARTED };

	result.error = act->run(&attempt, &result);
	return result;
}

static void make_link(const char *target, const char *name)
{
	assert_int_equal(symlink(target, name), 0);
}

/* Outside any job the act goes through, and the file is as it was. */
static void opens_a_file_and_leaves_it(void **state)
{
	struct attempt_result result;
	struct stat before, after;

	(void)state;
	assert_int_equal(mkdir("set", 0700) | mkdir("set/below", 0700), 0);
	assert_int_equal(mkfifo("set/fifo", 0600), 0);
	write_file("outside", "outside\n");
	make_link("../outside", "set/link");
	write_file("set/below/f", "content\n");
	assert_int_equal(stat("set/below/f", &before), 0);
	result = run_on(&dataset_write_act, "set");
	assert_int_equal(result.error, 0);
	assert_int_equal(result.state, ATTEMPT_STARTED);
	assert_string_equal(result.target, "set/below/f");
	assert_int_equal(stat("set/below/f", &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
}

static void finds_nothing_to_open(void **state)
{
	struct attempt_result result;

	(void)state;
	assert_int_equal(mkdir("set", 0700), 0);
	assert_int_equal(mkfifo("set/fifo", 0600), 0);
	make_link(".", "set/loop");
	result = run_on(&dataset_write_act, "set");
	assert_int_equal(result.state, ATTEMPT_IMPOSSIBLE);
	result = run_on(&dataset_write_act, "set/fifo");
	assert_int_equal(result.state, ATTEMPT_IMPOSSIBLE);
}

static void search_is_bounded(void **state)
{
	char name[64];

	(void)state;
	assert_int_equal(mkdir("set", 0700), 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "set/link%d", i);
		make_link(".", name);
	}
	assert_int_equal(mkdir("set/a", 0700), 0);
	write_file("set/a/f", "");
	/* It may be met early or not at all, but never after more than the bound. */
	run_on(&dataset_write_act, "set");
	assert_int_equal(run_on(&dataset_write_act, "set/a").error, 0);
}

static void a_dataset_may_be_a_file(void **state)
{
	struct attempt_result result;

	(void)state;
	write_file("set", "content\n");
	result = run_on(&dataset_write_act, "set");
	assert_int_equal(result.error, 0);
	assert_string_equal(result.target, "set");
	assert_int_equal(run_on(&dataset_read_act, "set").error, 0);
	assert_int_equal(run_on(&dataset_read_act, "absent").error, -ENOENT);
}

/* --- verdict and sentence --------------------------------------------------------------------- */

static void expect_sentence_before(struct selftest_result item, enum selftest_outcome later,
				   const char *want)
{
	struct selftest_result items[] = {
		{ .name = "file_open",
		  .hook = "file_open",
		  .what = "x",
		  .outcome = OUTCOME_REFUSED },
		{ .name = "udp v6", .hook = "x", .what = "x", .outcome = OUTCOME_IMPOSSIBLE },
		item,
		{ .name = "later", .hook = "later", .what = "x", .outcome = later },
	};
	struct selftest selftest = { .items = items, .cnt = ARRAY_SIZE(items) };
	struct error err = { 0 };

	assert_int_equal(selftest_check(&selftest, &err), -EKEYREJECTED);
	assert_string_equal(err.text, want);
}

static void expect_sentence(struct selftest_result item, const char *want)
{
	expect_sentence_before(item, item.outcome, want);
}

static void sentences_name_what_is_certain(void **state)
{
	struct selftest_result unproved = { .hook = "key_alloc", .what = "x", .outcome = OUTCOME_NOT_OURS };

	(void)state;
	expect_sentence_before(unproved, OUTCOME_NOT_REFUSED,
			       "self-test: later did not refuse x (it succeeded); the job is not "
			       "started: end all jobs, so that the next one loads the kernel "
			       "programs anew");
}

static void sentences_name_the_first_failure(void **state)
{
	(void)state;
	expect_sentence(
		(struct selftest_result){ .hook = "path_unlink",
					  .what = "unlink() of a file",
					  .outcome = OUTCOME_NOT_REFUSED },
		"self-test: path_unlink did not refuse unlink() of a file (it succeeded); the "
		"job is not started: end all jobs, so that the next one loads the kernel "
		"programs anew");
	expect_sentence(
		(struct selftest_result){ .hook = "cgroup/connect4",
					  .what = "TCP",
					  .outcome = OUTCOME_NOT_REFUSED,
					  .error = -ENETUNREACH },
		"self-test: cgroup/connect4 did not refuse TCP (Network is unreachable); the "
		"job is not started: see what else attaches programs to cgroups: bpftool "
		"cgroup tree");
	expect_sentence(
		(struct selftest_result){ .hook = "path_chmod",
					  .what = "chmod()",
					  .outcome = OUTCOME_NOT_OURS,
					  .error = -EPERM },
		"self-test: path_chmod cannot be proved: something else refused chmod() "
		"(Operation not permitted); the job is not started: run jobcage where no other "
		"confinement holds it");
	expect_sentence(
		(struct selftest_result){ .what = "open()",
					  .target = (char *)"/srv/d",
					  .outcome = OUTCOME_NOT_ALLOWED,
					  .error = -EACCES },
		"self-test: open() /srv/d, which the policy allows, was refused (Permission "
		"denied); the job is not started");
	expect_sentence((struct selftest_result){ .what = "shmat()",
						  .noted_by = "ipc_addid",
						  .outcome = OUTCOME_NOT_ALLOWED },
			"self-test: ipc_addid did not note that the job made what it uses: shmat() "
			"would be refused; the job is not started: end all jobs, so that the next "
			"one loads the kernel programs anew");
	expect_sentence((struct selftest_result){ .what = "sendto()",
						  .noted_by = "cgroup/sock_create",
						  .outcome = OUTCOME_NOT_ALLOWED,
						  .error = -EPERM },
			"self-test: cgroup/sock_create did not note that the job made what it uses: "
			"sendto() was refused (Operation not permitted); the job is not started: "
			"see what else attaches programs to cgroups: bpftool cgroup tree");
}

static void result_as_json(void **state)
{
	struct selftest_result items[] = {
		{ .name = "file_open",
		  .hook = "file_open",
		  .outcome = OUTCOME_REFUSED,
		  .error = -EACCES,
		  .is_recorded = true },
		{ .name = "dataset write",
		  .hook = "file_open",
		  .target = (char *)"/srv/d/f",
		  .outcome = OUTCOME_MOUNT,
		  .error = -EROFS },
		{ .name = "dataset read",
		  .hook = "file_open",
		  .target = (char *)"/srv/\xff",
		  .outcome = OUTCOME_ELSEWHERE,
		  .error = -EACCES },
		{ .name = "allowed nameless", .outcome = OUTCOME_ALLOWED },
	};
	struct selftest selftest = { .items = items, .cnt = ARRAY_SIZE(items), .duration_us = 7 };
	json_t *json = selftest_json(&selftest);
	_cleanup_free_ char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);

	(void)state;
	assert_string_equal(text,
			    "{\"allowed\":1,\"attempts\":[{\"errno\":\"EROFS\",\"hook\":"
			    "\"file_open\",\"name\":\"dataset write\",\"outcome\":\"refused by "
			    "the mount\",\"recorded\":false,\"target\":\"/srv/d/f\"},{\"errno\":"
			    "\"EACCES\",\"hook\":\"file_open\",\"name\":\"dataset read\","
			    "\"outcome\":\"refused elsewhere\",\"recorded\":false}],"
			    "\"duration_us\":7,\"passed\":true,\"refused\":1}");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hook_has_an_act),
		cmocka_unit_test(the_ceiling_itself_stays),
		cmocka_unit_test(finds_what_is_denied),
		cmocka_unit_test(finds_gaps_between_ports),
		cmocka_unit_test(finds_another_address),
		cmocka_unit_test_setup_teardown(opens_a_file_and_leaves_it, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(finds_nothing_to_open, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(search_is_bounded, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(a_dataset_may_be_a_file, enter_folder,
						leave_folder),
		cmocka_unit_test(sentences_name_the_first_failure),
		cmocka_unit_test(sentences_name_what_is_certain),
		cmocka_unit_test(result_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
