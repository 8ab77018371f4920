/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom a descriptor signals when something comes: F_SETSIG makes that any signal, and the kernel sends it
 * later, when nobody knows any more on whose behalf. So a job may name only the process that asks.
 */
#ifndef JOBCAGE_OWNER_BPF_H
#define JOBCAGE_OWNER_BPF_H

#include "lib/emit.bpf.h"

#define SIGIO 29 /* include/uapi/asm-generic/signal.h */

static __noinline int refuse_owner(void)
{
	struct decision d = { .kind = EVENT_GUARD, .op = OP_SIGNAL, .reason = REASON_OWNER };
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	d.guard.detail = SIGIO;
	return lsm_refuse(&job, &d);
}

#endif
