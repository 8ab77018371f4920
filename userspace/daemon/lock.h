/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One daemon at a time: the lock that it holds as long as it lives. Its file says who it is.
 *
 * A lock of the open file, because that can be looked at without being taken.
 */
#ifndef JOBCAGE_DAEMON_LOCK_H
#define JOBCAGE_DAEMON_LOCK_H

#include <stdbool.h>

#include "base/error.h"

/* Returns a descriptor to keep open, -EBUSY (err names the holder), or another -errno. */
int lock_take(struct error *err);

bool lock_is_held(void);

/* Waits until nobody holds it. */
void lock_wait(void);

#endif
