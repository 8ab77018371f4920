/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What jobcage needs of a kernel, one need at a time: is it there, what is lost without it, and what to do.
 *
 * Whatever can be tried is tried: programs are loaded, the probe is attached and must bite. Versions and build options are
 * not asked, because distributions patch the one and lock down the other. All that is loaded is gone on return.
 */
#ifndef JOBCAGE_KERN_FEATURES_H
#define JOBCAGE_KERN_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "kern/kern.h"

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
	char advice[NEED_TEXT_MAX]; /* what to do about it; empty when there is nothing to do */
};

struct features {
	struct need *needs;
	size_t cnt;
	enum backend backend; /* that would be used; 0: neither bites, or not tested */
};

/*
 * Finds out everything that concerns the kernel itself. Returns 0, or -ENOMEM with nothing to free. Free with features_free().
 * What cannot be tested for want of rights is NEED_UNTESTED, and the need for root is NEED_MISSING.
 */
int features_probe(struct features *ret_features);
void features_free(struct features *features);

/* Adds a need that the caller looks into itself. Returns it, untested as yet, or NULL without memory; valid until the next. */
struct need *features_add(struct features *features, const char *name, bool is_required, const char *lost);

/* Settle a need. The text is what was found. */
void need_found(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void need_missing(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void need_untested(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What to do about it; for a need that was found it is not shown. */
void need_advise(struct need *need, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Required needs that are missing. */
size_t features_missing(const struct features *features);

/* Every required need is met and a backend bites. */
bool features_can_enforce(const struct features *features);

#endif
