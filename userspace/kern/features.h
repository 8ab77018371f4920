/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What jobcage needs of a kernel, one need at a time.
 *
 * Whatever can be tried is tried: programs are loaded, the probe is attached and must bite.
 * Versions and build options are not asked, because distributions patch the one and lock down the
 * other. All that was loaded or attached is gone on return.
 */
#ifndef JOBCAGE_KERN_FEATURES_H
#define JOBCAGE_KERN_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "kern/kern.h"
#include "kern/need.h"

struct features {
	struct need *needs;
	size_t cnt;
	enum backend backend; /* that would be used; 0: neither bites, or not tested */
};

/*
 * Finds out everything that concerns the kernel itself. What cannot be tested for want of rights
 * is NEED_UNTESTED, and the need for root is NEED_MISSING then. Returns 0, or -ENOMEM with nothing
 * to free. Free with features_free().
 */
int features_probe(struct features *ret_features);
void features_free(struct features *features);

/*
 * Adds a need that the caller looks into itself: required, and untested as yet. Returns it, or NULL
 * without memory; valid until the next is added.
 */
struct need *features_add(struct features *features, const char *name, const char *lost);

/* Required needs that are missing. */
size_t features_missing(const struct features *features);

/* Every required need is met, or could not be tested, and a backend bites. */
bool features_can_enforce(const struct features *features);

#endif
