/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The page that a job's evidence has in kernel memory, see abi/evidence.h: making it, and reading what
 * repeats have been counted in it.
 */
#ifndef JOBCAGE_KERN_EVIDENCE_H
#define JOBCAGE_KERN_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "abi/evidence.h"
#include "kern/kern.h"

/* Makes the pages of the slot's group, unless they are there. The caller holds the state lock. */
int evidence_make(struct kern *kern, __u32 slot);

/* Frees them, if no slot of the group is taken. The caller holds the state lock. */
void evidence_release(struct kern *kern, __u32 slot);

/* Zeroes the page and makes it the job's. Nothing of the job may be running. */
int evidence_reset(struct kern *kern, struct job_label label);

/* Maps the page of the job's slot. NULL: errno says why. Unmap with evidence_unmap(). */
struct evidence *evidence_map(struct kern *kern, struct job_label label);
void evidence_unmap(struct evidence *evidence);

/* What a fold has counted. */
struct fold_reading {
	struct event head;      /* without its strings */
	__u64 cnt;              /* acts that no event has told of */
	__u64 counted;          /* acts since it was opened; for fold_told() */
	__u64 start_ns, end_ns; /* CLOCK_BOOTTIME: of the first and the last of cnt */
	__u64 word;             /* for fold_close() */
};

/* False: it is not open. Several readers would tell things twice: only the job's controller reads. */
bool fold_read(const struct fold *fold, struct fold_reading *ret_reading);

/* Events tell of so many of the acts that it has counted. */
void fold_told(struct fold *fold, __u64 counted);

/* Frees it for another kind, unless something has been counted since it was read. */
void fold_close(struct fold *fold, const struct fold_reading *reading);

#endif
