/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Jobs whose controller died: found by their state files, which nobody holds.
 *
 * The caller holds the state lock.
 */
#ifndef JOBCAGE_DAEMON_ADOPT_H
#define JOBCAGE_DAEMON_ADOPT_H

#include "daemon/controller.h"

/* Takes over every orphan that can be; says of the others why not. */
void adopt_orphans(struct controller *controller);

#endif
