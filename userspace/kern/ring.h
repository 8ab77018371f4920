/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a job's ring.
 */
#ifndef JOBCAGE_KERN_RING_H
#define JOBCAGE_KERN_RING_H

#include <stddef.h>

#include "abi/job.h"
#include "base/error.h"
#include "kern/kern.h"

struct ring;

/* Called with one record of the job; the data is gone when it returns. */
typedef void (*ring_record_fn)(void *arg, const void *data, size_t len);

/*
 * Opens the ring that the job's slot holds. Returns 0 or -errno; -ENOENT: the job has no slot, or
 * none with a ring.
 */
int ring_open(struct kern *kern, struct job_label label, ring_record_fn fn, void *arg,
	      struct error *err, struct ring **ret_ring);
void ring_close(struct ring *ring);

/* Becomes readable when there are records; owned by the ring. */
int ring_fd(const struct ring *ring);

/* Hands on all records that are there when it is called. Returns 0 or -errno. */
int ring_drain(struct ring *ring);

/* Hands on at most so many records, at least 1. Returns 0: all that there were, 1, or -errno. */
int ring_take(struct ring *ring, size_t max);

/* The same, to somebody else this once. */
int ring_drain_to(struct ring *ring, ring_record_fn fn, void *arg);

#endif
