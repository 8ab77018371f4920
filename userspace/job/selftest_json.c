// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The self-test's result for the job's record; see selftest.h. */
#include "job/selftest.h"

#include <string.h>

static const char *const outcome_names[] = {
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_ALLOWED] = "allowed",
	[OUTCOME_NOT_DENIED] = "not denied by the policy",
	[OUTCOME_IMPOSSIBLE] = "not possible here",
	[OUTCOME_MOUNT] = "refused by the mount",
	[OUTCOME_ELSEWHERE] = "refused elsewhere",
	[OUTCOME_NOT_REFUSED] = "not refused",
	[OUTCOME_NOT_OURS] = "not refused by jobcage",
	[OUTCOME_NOT_ALLOWED] = "not allowed",
};

static json_t *item_json(const struct selftest_result *item)
{
	const char *error = item->error ? strerrorname_np(-item->error) : NULL;
	/* A path may be any bytes; one that is no text is left out. */
	json_t *target = item->target ? json_string(item->target) : NULL;

	return json_pack("{s:s, s:s*, s:o*, s:s, s:s*, s:b}", "name", item->name, "hook",
			 item->hook, "target", target, "outcome", outcome_names[item->outcome],
			 "errno", error, "recorded", item->is_recorded);
}

static size_t count(const struct selftest *selftest, enum selftest_outcome outcome)
{
	size_t cnt = 0;

	for (size_t i = 0; i < selftest->cnt; i++)
		cnt += selftest->items[i].outcome == outcome;
	return cnt;
}

json_t *selftest_json(const struct selftest *selftest)
{
	json_t *attempts = json_array();

	for (size_t i = 0; attempts && i < selftest->cnt; i++) {
		const struct selftest_result *item = &selftest->items[i];

		if (item->outcome <= OUTCOME_ALLOWED)
			continue;
		if (json_array_append_new(attempts, item_json(item))) {
			json_decref(attempts);
			return NULL;
		}
	}
	return json_pack("{s:b, s:I, s:I, s:I, s:o}", "passed", !selftest_check(selftest, NULL),
			 "duration_us", (json_int_t)selftest->duration_us, "refused",
			 (json_int_t)count(selftest, OUTCOME_REFUSED), "allowed",
			 (json_int_t)count(selftest, OUTCOME_ALLOWED), "attempts", attempts);
}
