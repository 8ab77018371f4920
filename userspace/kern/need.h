/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One thing that jobcage needs of the machine: is it there, what is lost without it, what to do.
 */
#ifndef JOBCAGE_KERN_NEED_H
#define JOBCAGE_KERN_NEED_H

#include <stdbool.h>

#define NEED_NAME_MAX 48
#define NEED_TEXT_MAX 512

enum need_state {
	NEED_UNTESTED, /* could not be found out; detail says why */
	NEED_FOUND,
	NEED_MISSING,
};

struct need {
	char name[NEED_NAME_MAX];
	const char *lost; /* without it, in a few words; static */
	bool is_required; /* missing: nothing can be enforced here */
	enum need_state state;
	char detail[NEED_TEXT_MAX]; /* what was found */
	char advice[NEED_TEXT_MAX]; /* what to do if it is missing; may be empty */
};

/* Untested as yet, and required. */
void need_init(struct need *need, const char *name, const char *lost);

/* Settle a need. The text is what was found. */
void need_found(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void need_missing(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void need_untested(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What to do if it is missing. */
void need_advise(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
