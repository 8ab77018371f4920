/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that the kernel has cut, because rules or a budget refuse what they send: whoever waits
 * for one is told by a reset.
 */
#ifndef JOBCAGE_DAEMON_RESETS_H
#define JOBCAGE_DAEMON_RESETS_H

#include "daemon/controller.h"

/*
 * Resets those of all jobs, if the kernel has cut any since the last call. Nothing is let through or
 * refused by it, so what fails is told of once, and the connections then run into their own timeouts.
 */
void resets_make(struct controller *controller, const struct kernel_stats *stats);

#endif
