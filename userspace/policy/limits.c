// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A policy's limits. Of each, the last file that has it decides.
 *
 * What the job writes to directories of its own is the machine's memory, so that is never without
 * a limit.
 */
#include "policy/draft.h"
#include "policy/value.h"

enum { LIMITS_RUNTIME, LIMITS_PROCESSES, LIMITS_SCRATCH, LIMITS_EGRESS, LIMITS_FIELD_CNT };

static const struct field limits_fields[] = {
	[LIMITS_RUNTIME] = { "runtime", KIND_STRING },
	[LIMITS_PROCESSES] = { "processes", KIND_INTEGER },
	[LIMITS_SCRATCH] = { "scratch", KIND_STRING },
	[LIMITS_EGRESS] = { "egress_bytes", KIND_STRING },
};

const struct shape limits_shape = { "'limits'", FIELDS(limits_fields), NULL, 0 };

void read_limits(struct draft *draft, const struct cursor *at)
{
	const struct node *members[LIMITS_FIELD_CNT];
	struct limits *limits = &draft->policy->limits;
	struct cursor runtime, processes, scratch, egress;

	shape_members(&limits_shape, at, members);
	runtime = cursor_at(at, members[LIMITS_RUNTIME]);
	processes = cursor_at(at, members[LIMITS_PROCESSES]);
	scratch = cursor_at(at, members[LIMITS_SCRATCH]);
	egress = cursor_at(at, members[LIMITS_EGRESS]);
	if (runtime.node)
		value_duration(&runtime, LIMIT_RUNTIME_MS_MAX, &limits->runtime_ms);
	if (processes.node)
		value_count(&processes, LIMIT_PROCESSES_MAX, &limits->processes);
	if (egress.node)
		value_size(&egress, &limits->egress_bytes);
	if (scratch.node && value_size(&scratch, &limits->scratch_bytes))
		draft->scratch_limit = cursor_origin(&scratch);
}

static bool has_own_directory(const struct environment *environment)
{
	for (size_t i = 0; i < environment->path_cnt; i++) {
		if (environment->paths[i].kind != ENV_HIDDEN)
			return true;
	}
	return false;
}

void limits_settle(struct draft *draft)
{
	bool has_own = has_own_directory(&draft->policy->environment);
	struct limits *limits = &draft->policy->limits;

	if (has_own && !limits->scratch_bytes)
		limits->scratch_bytes = LIMIT_SCRATCH_DEFAULT;
	else if (!has_own && limits->scratch_bytes)
		diag_add(draft->diags, DIAG_WARNING, draft->scratch_limit,
			 "limits.scratch limits nothing: the environment has neither 'private' nor "
			 "'scratch'");
}
