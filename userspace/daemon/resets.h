/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that the kernel has cut, because rules or a budget refuse what they send: whoever waits
 * for one is told by a reset.
 *
 * Each job's are reset by a process of its own, which nobody waits for: the kernel lets it wait for a
 * socket that is being used, and a job can use one for ever. It has nothing open but what it needs.
 */
#ifndef JOBCAGE_DAEMON_RESETS_H
#define JOBCAGE_DAEMON_RESETS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/job.h"

struct controller;

/* So many at a time; other jobs' connections wait for their turn. */
#define RESETTERS_MAX 32

struct resetter {
	pid_t pid;
	struct job_label label;
	int64_t begun_ms; /* CLOCK_MONOTONIC */
};

struct resets {
	struct resetter running[RESETTERS_MAX];
	size_t cnt;
	uint64_t cut; /* of kernel_stats, as far as they were looked for */
};

/*
 * Has those of all jobs reset, of which the kernel has cut any since the last call. Nothing is let through
 * or refused by it, so what fails is told of once, and the connections then run into their own timeouts.
 */
void resets_make(struct controller *controller, const struct kernel_stats *stats);

#endif
