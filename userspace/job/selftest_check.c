// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a self-test's result means, and what to do about it; see selftest.h. */
#include "job/selftest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_failure(const struct selftest_result *item)
{
	return item->outcome >= OUTCOME_NOT_REFUSED;
}

/*
 * The first that fails; of several rather one that says what is wrong: what cannot be proved may have been
 * refused, without a record, by a hook that misses what another should have noted.
 */
static const struct selftest_result *worst(const struct selftest *selftest)
{
	const struct selftest_result *found = NULL;

	for (size_t i = 0; i < selftest->cnt; i++) {
		const struct selftest_result *item = &selftest->items[i];

		if (is_failure(item) && item->outcome != OUTCOME_NOT_OURS)
			return item;
		if (is_failure(item) && !found)
			found = item;
	}
	return found;
}

/* What to do about a hook, a program of the cgroup, a rule that does not bite. */
static const char *advice(const struct selftest_result *item)
{
	if (item->target)
		return "see whether another directory is mounted or was moved there";
	if (strchr(item->hook ? item->hook : item->noted_by, '/'))
		return "see what else attaches programs to cgroups: bpftool cgroup tree";
	return "end all jobs, so that the next one loads the kernel programs anew";
}

/* What the policy allows, refused by us: audit mode only tells of it. */
static int explain_refused(const struct selftest_result *item, const char *act, struct error *err)
{
	char refused[128] = "would be refused";

	if (item->error)
		snprintf(refused, sizeof(refused), "was refused (%s)", strerror(-item->error));
	if (item->noted_by)
		return error_set(
			err, -EKEYREJECTED,
			"self-test: %s did not note that the job made what it uses: %s %s; the job "
			"is not started: %s",
			item->noted_by, act, refused, advice(item));
	return error_set(err, -EKEYREJECTED,
			 "self-test: %s, which the policy allows, %s; the job is not started", act,
			 refused);
}

static int explain(const struct selftest_result *item, struct error *err)
{
	const char *result = item->error ? strerror(-item->error) : "it succeeded";
	char act[ERROR_TEXT_MAX];

	snprintf(act, sizeof(act), "%s%s%s", item->what, item->target ? " " : "",
		 item->target ? item->target : "");
	if (item->outcome == OUTCOME_NOT_REFUSED)
		return error_set(
			err, -EKEYREJECTED,
			"self-test: %s did not refuse %s (%s); the job is not started: %s",
			item->hook, act, result, advice(item));
	if (item->outcome == OUTCOME_NOT_OURS)
		return error_set(
			err, -EKEYREJECTED,
			"self-test: %s cannot be proved: something else refused %s (%s); the job "
			"is not started: run jobcage where no other confinement holds it",
			item->hook, act, result);
	return explain_refused(item, act, err);
}

int selftest_check(const struct selftest *selftest, struct error *err)
{
	const struct selftest_result *item = worst(selftest);

	return item ? explain(item, err) : 0;
}

void selftest_free(struct selftest *selftest)
{
	for (size_t i = 0; i < selftest->cnt; i++)
		free(selftest->items[i].target);
	free(selftest->items);
	*selftest = (struct selftest){ 0 };
}
