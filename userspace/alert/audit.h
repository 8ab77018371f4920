/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Proving a log: every line is as it was written, in its place, and none is missing.
 */
#ifndef JOBCAGE_ALERT_AUDIT_H
#define JOBCAGE_ALERT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/head.h"
#include "base/error.h"

/* Heads that other sinks hold, or that came from elsewhere. */
struct audit_heads {
	struct head *items;
	size_t cnt;
	const char *of; /* the log's name: those that name another are passed over. NULL: none is. Borrowed */
};

/* "SEQUENCE:HASH", or a file of events (lines with anything in front of the JSON) with heads in it. */
int audit_heads_add(struct audit_heads *heads, const char *text, struct error *err);
/* Is any of that name, or of another one (which one)? */
bool audit_heads_are_of(const struct audit_heads *heads, const char *name);
const char *audit_heads_other(const struct audit_heads *heads, const char *name);
void audit_heads_free(struct audit_heads *heads);

struct audit_result {
	uint64_t lines;       /* of the chain */
	uint64_t first, last; /* their numbers */
	char hash[CHAIN_HASH_SIZE]; /* of the last one */
	size_t heads;               /* that were compared */
	size_t signatures;          /* of them, verified */
	uint64_t signed_to;         /* the last line that a verified one speaks of; 0: none */
	char of[HEAD_OF_SIZE];      /* what those in the log itself call it; "": nothing */
	size_t others;              /* heads that call theirs another name */
	size_t torn;                /* fragments that the line after them accounts for */
	bool is_sound;
	/* !is_sound: the first thing that is wrong */
	char *file;         /* NULL: it is about no line in particular */
	uint64_t line;      /* in the file, from 1; 0: about no line in particular */
	char fault[256];
};

/*
 * Verifies the files as one chain, in the order of their first lines' numbers. key: to verify
 * signatures with, one at least, or NULL. Returns 0 and a result (audit_result_free()), or -errno if a file
 * cannot be read.
 */
int audit_verify(char *const *files, size_t cnt, const struct audit_heads *heads,
		 const struct head_key *key, struct error *err, struct audit_result *ret_result);
void audit_result_free(struct audit_result *result);

#endif
