// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a policy says of capabilities and user namespaces, and what an alert says of an act on the machine
 * or on another process: its advice is what the policy understands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ocsf/fixture.h"
#include "alert/cause.h"
#include "alert/decode.h"
#include "alert/message.h"
#include "alert/op.h"
#include "base/cleanup.h"
#include "policy/value.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\",\n"

static void capabilities_are_bits(void **state)
{
	struct policy *policy = parse_good(HEAD "\"capabilities\": [\"CAP_SYS_ADMIN\", \"CAP_CHOWN\", "
					   "\"CAP_CHECKPOINT_RESTORE\"], \"user_namespaces\": true}", NULL);
	struct policy *again;

	(void)state;
	assert_true(policy->capabilities ==
		    (1ULL << CAP_SYS_ADMIN | 1ULL << CAP_CHOWN | 1ULL << CAP_CHECKPOINT_RESTORE));
	assert_true(policy->user_namespaces);
	again = parse_good(policy->canonical, NULL);
	assert_string_equal(again->digest, policy->digest);
	policy_free(again);
	policy_free(policy);
}

static void nothing_is_granted_by_default(void **state)
{
	struct policy *silent = parse_good(HEAD "\"mode\": \"enforce\"}", NULL);
	struct policy *empty = parse_good(HEAD "\"capabilities\": [], \"user_namespaces\": false}", NULL);

	(void)state;
	assert_true(!silent->capabilities && !silent->user_namespaces);
	assert_string_equal(silent->digest, empty->digest);
	policy_free(silent);
	policy_free(empty);
}

static void every_capability_has_a_word(void **state)
{
	(void)state;
	assert_int_equal(capability_words.word_cnt, CAP_LAST_CAP + 1);
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		assert_non_null(word_text(&capability_words, (uint8_t)cap));
}

static void expect(struct event header, const char *text)
{
	struct decoded_event event = { .event = header };
	struct cause cause = cause_of(&fixture_policy, &event.event);
	_cleanup_free_ char *message = fixture_message(&event, &cause);

	assert_string_equal(message, text);
}

static void alerts_say_what_to_add(void **state)
{
	(void)state;
	expect(fixture_event(OP_CAPABILITY),
	       "python3 (pid 812) was denied using CAP_SYS_ADMIN: no rule names it, and capabilities.default is "
	       "\"deny\". To allow it, add to the policy: {\"capabilities\": [\"CAP_SYS_ADMIN\"]}");
	expect(fixture_event(OP_USER_NAMESPACE),
	       "python3 (pid 812) was denied making a user namespace: no rule names it, and "
	       "user_namespaces.default is \"deny\". To allow it, add to the policy: {\"user_namespaces\": true}");
	expect(fixture_event(OP_SIGNAL),
	       "python3 (pid 812) was denied sending a signal to process 21 (signal 9): a job reaches its own "
	       "processes only, and this one is not of the job. No policy entry can allow it.");
	expect(fixture_event(OP_BPF),
	       "python3 (pid 812) was denied calling bpf() (bpf command 21): bpf() could take jobcage's own programs "
	       "out of the kernel, so it is closed to every job. No policy entry can allow it.");
	expect(by_reason(OP_SIGNAL, REASON_OWNER),
	       "python3 (pid 812) was denied sending a signal to whom a descriptor signals (signal 9): a descriptor may "
	       "signal none but the process that asks for it. No policy entry can allow it: use F_SETOWN with the "
	       "process's own id.");
	expect(fixture_event(OP_KEY_REQUEST),
	       "python3 (pid 812) was denied having the kernel fetch a key: the kernel would start a program outside "
	       "the job, with words of the job's. No policy entry can allow it: use keys that are there already.");
	expect(fixture_event(OP_IPC),
	       "python3 (pid 812) was denied using, changing or removing System V object 21: what a job makes is its own, "
	       "and what was made outside, or by another job, is not for it. No policy entry can allow it: make and use "
	       "it in one job.");
	expect(fixture_event(OP_KEY_USE),
	       "python3 (pid 812) was denied reading, changing or linking key 21: what a job makes is its own, and what "
	       "was made outside, or by another job, is not for it. No policy entry can allow it: make and use it in one "
	       "job.");
	expect(fixture_event(OP_QUOTA_SYNC),
	       "python3 (pid 812) was denied having the quotas of all file systems written: every file system of the "
	       "machine would write its quotas. No policy entry can allow it: name one file system.");
}

static void a_capability_of_a_newer_kernel_has_a_number(void **state)
{
	struct event header = fixture_event(OP_CAPABILITY);

	(void)state;
	header.guard.number = 60;
	expect(header, "python3 (pid 812) was denied using capability 60: no rule names it, and capabilities.default "
		       "is \"deny\". No policy entry can allow it.");
}

/* A record whose reason does not belong to its operation is none. */
static void reasons_belong_to_operations(void **state)
{
	static const enum event_op ops[] = { OP_CAPABILITY, OP_USER_NAMESPACE, OP_TRACE, OP_SIGNAL,
					     OP_CONTROL, OP_BPF, OP_KEY_REQUEST, OP_QUOTA_SYNC,
					     OP_IPC, OP_KEY_USE,
					     OP_QUOTA, OP_EXEC, OP_CONNECT };
	static const enum event_reason reasons[] = { REASON_CAPABILITY, REASON_USER_NAMESPACE,
						     REASON_OUTSIDE, REASON_BPF, REASON_HELPER,
						     REASON_ALL_QUOTAS, REASON_OBJECT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		for (size_t j = 0; j < ARRAY_SIZE(reasons); j++) {
			struct event header = by_reason(ops[i], reasons[j]);
			struct decoded_event event;
			bool is_good = fixture_event(ops[i]).reason == reasons[j];

			assert_int_equal(!decode_event(&header, sizeof(header), &event), is_good);
			if (is_good)
				decoded_event_free(&event);
		}
}

static void docs_have_every_operation(void **state)
{
	_cleanup_file_ FILE *page = fopen("docs/alerts.md", "re");
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	(void)state;
	assert_non_null(page);
	assert_true(getdelim(&text, &size, '\0', page) > 0);
	for (unsigned int op = OP_CAPABILITY; op <= OP_KEY_USE; op++)
		assert_non_null(strstr(text, op_info(op)->code));
	assert_non_null(strstr(text, "builtin:outside-process"));
	assert_non_null(strstr(text, "builtin:bpf"));
}

/* --- devices ------------------------------------------------------------------------------------ */

static void devices_are_bits(void **state)
{
	struct policy *policy = parse_good(HEAD "\"devices\": [\"rdma\", \"gpu\", \"gpu\"]}", NULL);
	struct policy *silent = parse_good(HEAD "\"devices\": []}", NULL), *again;

	(void)state;
	assert_int_equal(policy->devices, 1 << DEVICE_GPU | 1 << DEVICE_RDMA);
	assert_non_null(strstr(policy->canonical, "\"devices\":[\"gpu\",\"rdma\"]"));
	again = parse_good(policy->canonical, NULL);
	assert_string_equal(again->digest, policy->digest);
	assert_false(silent->devices);
	assert_null(strstr(silent->canonical, "devices"));
	expect_parse_errors(HEAD "\"devices\": [\"gpus\"]}", NULL,
			    "p.json:2:13: error: unknown group of devices 'gpus'; did you mean 'gpu'? (one of: gpu, rdma, "
			    "kvm, fuse)\n");
	policy_free(policy);
	policy_free(silent);
	policy_free(again);
}

static void every_group_has_a_word(void **state)
{
	(void)state;
	for (uint8_t group = DEVICE_GPU; group < DEVICE_GROUPS; group++)
		assert_non_null(word_text(&device_words, group));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_bits),	      cmocka_unit_test(every_group_has_a_word),
		cmocka_unit_test(capabilities_are_bits),
		cmocka_unit_test(nothing_is_granted_by_default),
		cmocka_unit_test(every_capability_has_a_word),
		cmocka_unit_test(alerts_say_what_to_add),
		cmocka_unit_test(a_capability_of_a_newer_kernel_has_a_number),
		cmocka_unit_test(reasons_belong_to_operations),
		cmocka_unit_test(docs_have_every_operation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
