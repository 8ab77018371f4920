/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How far a job's record has come, noted so that no event is lost or told twice when its controller is
 * killed: see struct job_progress.
 *
 * Events are put, many for one step, and then committed: written in one go, then noted, and only then do
 * the records they were made from leave the ring. What a step becomes is written before it, so whoever
 * adopts the job sees in the file how far it came.
 */
#ifndef JOBCAGE_DAEMON_JOURNAL_H
#define JOBCAGE_DAEMON_JOURNAL_H

#include "daemon/watch.h"

/* What the progress becomes with the events that are being put together; nobody else looks at it yet. */
struct job_progress_step *journal_step(struct watch *watch);

/* The number of the next event. */
uint64_t journal_next(struct watch *watch);

/*
 * Takes the line over; NULL: there was no memory for it. A number is used up only by an event that will
 * be written, or waits for it. Returns whether it is; if not, the step must be committed before more is put.
 */
bool journal_put(struct watch *watch, struct line *line);

/* Writes what was put, notes it, and lets go of the records that were taken. */
void journal_commit(struct watch *watch);

/* Goes on where the controller that is gone had come to. */
void journal_adopt(struct watch *watch);

#endif
