/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How often has anything moved? Every rename takes the kernel's rename_lock for writing.
 */
#ifndef JOBCAGE_RENAMES_BPF_H
#define JOBCAGE_RENAMES_BPF_H

/* Odd, like the sequence while something is being moved. */
#define RENAMES_UNKNOWN 1

/* The sequence of the lock: even, and larger after each rename; odd while there is one. */
extern __hidden __u32 renames(void);

#endif
