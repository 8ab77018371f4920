/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lines that wait for a sink: first in, first out, but what was sent in vain can be put back in
 * front.
 *
 * It knows how much of them is each job's, so that one that floods leaves room for the others.
 */
#ifndef JOBCAGE_ALERT_QUEUE_H
#define JOBCAGE_ALERT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/line.h"

struct queued {
	struct line *line; /* a reference */
	bool is_record;    /* what becomes of it is booked in its job's tally */
	uint64_t end;      /* sent: bytes of the connection up to its end */
	int64_t sent_ms;   /* sent: CLOCK_MONOTONIC */
};

/* What waits of one job's lines. */
struct queue_share {
	const struct tally *owner; /* the lines have references; NULL: lines about no job */
	size_t cnt, bytes;
};

struct queue {
	struct queued *items; /* a ring */
	size_t room, first, cnt;
	size_t bytes;               /* of all lines */
	struct queue_share *shares; /* of those who have any, in no order */
	size_t share_room, share_cnt;
};

/*
 * May one more line wait in a queue that is to hold so many bytes? With its decisions a job has never
 * more than what is left free: n jobs that flood have bound / (n + 1) bytes each, and so much there is
 * for all others, and for what the controller has to say of those.
 */
bool queue_has_room(const struct queue *queue, const struct line *line, size_t bound);

/* Take the reference over if they succeed. Return 0 or -ENOMEM. */
int queue_push(struct queue *queue, struct queued item);
int queue_push_front(struct queue *queue, struct queued item);

/* The oldest or the newest, still in the queue; NULL if it is empty. */
struct queued *queue_first(const struct queue *queue);
struct queued *queue_last(const struct queue *queue);

/* The i-th oldest. There are more than i. */
const struct queued *queue_at(const struct queue *queue, size_t i);

/* Removes one and hands it on. The queue is not empty. */
struct queued queue_pop(struct queue *queue);
struct queued queue_pop_last(struct queue *queue);

void queue_free(struct queue *queue);

#endif
