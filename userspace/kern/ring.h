/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a job's ring.
 */
#ifndef JOBCAGE_KERN_RING_H
#define JOBCAGE_KERN_RING_H

#include <stddef.h>
#include <stdint.h>

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

/* Becomes readable when there are records that were not released; owned by the ring. */
int ring_fd(const struct ring *ring);

/*
 * Hands on at most so many records, and returns how many. They stay in the ring, for whoever opens
 * it next, until ring_release() gives back the room of all that were handed on.
 */
size_t ring_take(struct ring *ring, size_t max);
void ring_release(struct ring *ring);

/* Where the records end that were handed on, the one of now included: counted for all the ring's life. */
uint64_t ring_position(const struct ring *ring);

/* What stands before that position was handed on by another reader. Nothing if the ring has no such. */
void ring_skip_to(struct ring *ring, uint64_t position);

/* Hands on all records that are there to somebody else, and releases them. */
void ring_drain_to(struct ring *ring, ring_record_fn fn, void *arg);

#endif
