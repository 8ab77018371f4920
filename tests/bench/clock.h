/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time, for the programs that measure.
 *
 * In a virtual machine with -icount shift=0 one instruction takes one nanosecond, of whatever
 * process and of the kernel too. So a difference of two readings is a number of instructions, plus
 * the time in which the processor had nothing to do. That time the kernel keeps count of itself, in
 * nanoseconds, and shows it in /proc/timer_list.
 */
#ifndef JOBCAGE_BENCH_CLOCK_H
#define JOBCAGE_BENCH_CLOCK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* How long the processors have idled since boot, waiting for a disk or not. */
static inline uint64_t idle_ns(void)
{
	FILE *list = fopen("/proc/timer_list", "re");
	uint64_t sum = 0, ns;
	char line[256];

	if (!list) {
		perror("/proc/timer_list");
		exit(1);
	}
	while (fgets(line, sizeof(line), list))
		if (sscanf(line, " .idle_sleeptime : %lu", &ns) == 1 ||
		    sscanf(line, " .iowait_sleeptime : %lu", &ns) == 1)
			sum += ns;
	fclose(list);
	return sum;
}

#endif
