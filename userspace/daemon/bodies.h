/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bytes of the requests' bodies that are in memory: parsing takes a multiple of that.
 */
#ifndef JOBCAGE_DAEMON_BODIES_H
#define JOBCAGE_DAEMON_BODIES_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Takes room for a body of that user's; waits for it a while, until others' are through. Root's are
 * not counted. Returns 0 or -errno. Give back with bodies_return().
 */
int bodies_take(uid_t uid, size_t len, struct error *err);
void bodies_return(uid_t uid, size_t len);

#endif
