// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How far a job's record has come; see journal.h. */
#include "daemon/journal.h"

#include <stdatomic.h>

#include "alert/record.h"
#include "daemon/controller.h"
#include "kern/evidence.h"

/* A killed controller has made the stores before this one, and none of those behind it. */
static void in_order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static void set_state(struct job_progress *progress, enum step_state state)
{
	in_order();
	progress->step_state = state;
	in_order();
}

struct job_progress_step *journal_step(struct watch *watch)
{
	struct job_progress *progress = watch->job->state.progress;

	if (!watch->is_step_begun) {
		progress->next = progress->now;
		progress->next.fold = progress->next.fold_told = progress->next.waiting = 0;
		watch->is_step_begun = true;
	}
	return &progress->next;
}

/* May be interrupted at any point, and done again. */
static void take_step(struct watch *watch)
{
	struct job_progress *progress = watch->job->state.progress;
	const struct job_progress_step *next = &progress->next;

	set_state(progress, STEP_TAKING);
	if (next->fold && next->fold <= FOLDS && watch->folds.evidence)
		fold_told(&watch->folds.evidence->folds[next->fold - 1], next->fold_told);
	progress->now = *next;
	set_state(progress, STEP_NONE);
}

uint64_t journal_next(struct watch *watch)
{
	return journal_step(watch)->sequence + 1;
}

bool journal_put(struct watch *watch, struct line *line)
{
	if (!line || sinks_put_line(watch->controller->sinks, watch->sink, watch->tally, line)) {
		watch->job->state.progress->write_failures++;
		return false;
	}
	journal_step(watch)->sequence++;
	return true;
}

void journal_commit(struct watch *watch)
{
	struct job_progress_step *step = journal_step(watch);

	if (watch->ring)
		step->ring_position = ring_position(watch->ring);
	step->skip = watch->skip;
	set_state(watch->job->state.progress, STEP_WRITING);
	sinks_write(watch->sink);
	step->waiting = watch->tally->waiting;
	take_step(watch);
	watch->is_step_begun = false;
	if (watch->ring)
		ring_release(watch->ring);
}

/*
 * The end is the last event, so where any of those that waited is missing, it is: it is written
 * again, under its number.
 */
static void take_back_end(struct job_progress *progress, uint64_t *forgotten)
{
	if (!progress->now.is_ended || !*forgotten)
		return;
	progress->now.is_ended = 0;
	progress->now.sequence--;
	--*forgotten;
}

/*
 * The job's last event in the file has that number: of a step of several records becomes what is
 * written of it. Its number goes last into next, so that being killed here changes nothing.
 */
static void take_written(struct watch *watch, uint64_t last)
{
	struct job_progress *progress = watch->job->state.progress;
	struct job_progress_step *next = &progress->next, part = progress->now;

	if (last > progress->now.sequence && last < next->sequence) {
		part.delivered += last - part.sequence;
		part.skip += last - part.sequence;
		part.sequence = next->sequence;
		part.waiting = 0;
		*next = part;
		in_order();
		next->sequence = last;
	}
	if (last == next->sequence)
		take_step(watch);
}

/*
 * What a controller that is gone was about to write, and what waited for a sink in its memory: the
 * file says whether it was written.
 */
static void settle(struct watch *watch)
{
	const struct job *job = watch->job;
	struct job_progress *progress = job->state.progress;
	uint64_t last = 0, forgotten;
	int r;

	if (!progress->step_state && !progress->now.waiting)
		return;
	if (progress->step_state == STEP_TAKING)
		take_step(watch);
	r = record_last(job->alerts, job->id, job->start_ms, &last);
	if (!r && progress->step_state == STEP_WRITING)
		take_written(watch, last);
	forgotten = progress->now.waiting;
	if (!r && progress->now.sequence < last + forgotten)
		forgotten = progress->now.sequence > last ? progress->now.sequence - last : 0;
	take_back_end(progress, &forgotten);
	progress->write_failures += forgotten;
	progress->now.waiting = 0;
	set_state(progress, STEP_NONE);
}

void journal_adopt(struct watch *watch)
{
	const struct job_progress_step *now = &watch->job->state.progress->now;

	settle(watch);
	if (watch->ring)
		ring_skip_to(watch->ring, now->ring_position);
	watch->skip = now->skip;
}
