/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the bytes of a ring record to a struct whose every field has been checked.
 *
 * The kernel side is ours, but the ring is the one place where a job's names (any bytes) meet the
 * controller, so nothing is believed: lengths, enums and string layout are verified, and a record
 * that fails is refused whole.
 */
#ifndef JOBCAGE_ALERT_DECODE_H
#define JOBCAGE_ALERT_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"

/* A process above the one that acted, as it was when its record was read. */
struct ancestor {
	uint32_t pid;
	uint64_t start_ns;  /* CLOCK_BOOTTIME, to a hundredth of a second */
	char name[64];      /* any bytes, like the path */
	char program[256];  /* "": not known */
};

/*
 * A decoded record. Strings are owned by it, absolute paths as raw bytes without NUL; NULL where
 * the record has none.
 */
struct decoded_event {
	struct event event; /* checked: kind, verdict, reason and op are known values */
	char *path;         /* '/'-joined from the root; "..." stands for components cut off:
			       ".../deep/file" */
	char *path2;
	char *exe;
	/* Whoever reads counts sets these; else one act, at event.time_ns. */
	bool is_fold;      /* repeats of the record, counted; event.time_ns: of the last one */
	uint64_t cnt;      /* acts */
	uint64_t start_ns; /* CLOCK_BOOTTIME of the first one */
	/* Whoever looks them up sets these; the nearest first. Borrowed. */
	const struct ancestor *ancestors;
	size_t ancestor_cnt;
};

/* Returns 0, -EBADMSG if the record is malformed, -ENOMEM. Free with decoded_event_free(). */
int decode_event(const void *data, size_t len, struct decoded_event *ret_event);
void decoded_event_free(struct decoded_event *event);

/* The word of an operation as it stands in messages: "open for writing", "rename". */
const char *event_op_name(enum event_op op);

#endif
