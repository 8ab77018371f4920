/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a job was denied, by kind: its first sentence and a count of each, for the job's owner, who
 * sees "Permission denied" and wants to know which rule that was. The log is not his to read.
 *
 * A kind is an operation and why it was decided so. The first ones stay, whatever comes later; what
 * has no room is counted together. Not kept for the next controller.
 */
#ifndef JOBCAGE_DAEMON_KINDS_H
#define JOBCAGE_DAEMON_KINDS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"
#include "alert/line.h"

#define KINDS_MAX 16

struct kind {
	__u32 policy, rule; /* slot, number */
	__u8 op, reason;
	char *message; /* of the first one */
	uint64_t cnt;
};

struct kinds {
	struct kind *items; /* KINDS_MAX of them, or NULL before the first */
	size_t cnt;
	uint64_t others;
};

/* line: the OCSF event, which tells of cnt acts. Returns its sentence if it is the first of a kind, else NULL. */
const char *kinds_count(struct kinds *kinds, const struct event *event, uint64_t cnt,
			const struct line *line);

/* [{"message", "count"}, ..., {"count"}]: a new reference, or NULL. */
json_t *kinds_report(const struct kinds *kinds);
void kinds_free(struct kinds *kinds);

#endif
