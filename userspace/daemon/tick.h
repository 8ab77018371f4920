/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a controller does because it is time, not because it was told.
 */
#ifndef JOBCAGE_DAEMON_TICK_H
#define JOBCAGE_DAEMON_TICK_H

#include "daemon/controller.h"

/*
 * Does what is due now: limits, strays, labels, connections to reset, roots, orphans, memory to give back. Returns ms until
 * it wants to be called again.
 */
int controller_tick(struct controller *controller);

#endif
