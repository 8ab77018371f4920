/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Waiting until no kernel program still uses what it read before.
 */
#ifndef JOBCAGE_KERN_BARRIER_H
#define JOBCAGE_KERN_BARRIER_H

#include "base/error.h"

/*
 * Returns 0 when every program that was running at the time of the call has returned; some
 * milliseconds. -errno: nothing is known.
 */
int barrier_wait(struct error *err);

#endif
