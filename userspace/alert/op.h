/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The operations a job can attempt, one line each: to which kind they belong, what they are called
 * in a sentence and in OCSF, and what a policy would have to say to allow them.
 */
#ifndef JOBCAGE_ALERT_OP_H
#define JOBCAGE_ALERT_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/event.h"
#include "abi/policy.h"

struct op_info {
	const char *name; /* "open for writing" */
	const char *code; /* metadata.event_code */
	enum event_kind kind;
	uint8_t activity;   /* OCSF activity_id of the class; EVENT_NET: see ocsf_decision.c */
	enum access access; /* EVENT_FILE: what allows it */
	bool is_entry; /* makes or removes a name: judged at the directory that holds the name */
	bool has_path2;
	bool is_unix;  /* EVENT_NET: the rules for Unix sockets, which have paths, may decide it */
	bool is_name;  /* EVENT_NET: about a name in DNS, which stands where others have a path */
	uint8_t file_type;  /* OCSF file.type_id of the object when its mode is not recorded */
	const char *before; /* the sentence: before path [between path2] after */
	const char *between;
	const char *after;
};

/* NULL for values that enum event_op does not have. */
const struct op_info *op_info(unsigned int op);

#endif
