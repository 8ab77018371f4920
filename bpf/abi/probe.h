/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the probe object and its loader agree on.
 */
#ifndef JOBCAGE_ABI_PROBE_H
#define JOBCAGE_ABI_PROBE_H

/* EADV, "advertise error": no file system returns it. */
#define PROBE_ERRNO 68

/* The kernel's preempt_dynamic_mode. From PREEMPT_FULL on, kernel code may be preempted anywhere. */
enum preempt_mode {
	PREEMPT_UNKNOWN = -1,
	PREEMPT_NONE = 0,
	PREEMPT_VOLUNTARY = 1,
	PREEMPT_FULL = 2,
	PREEMPT_LAZY = 3,
};

#endif
