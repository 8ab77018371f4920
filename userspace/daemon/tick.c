// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is due with time; see tick.h. */
#include "daemon/tick.h"

#include <malloc.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/adopt.h"
#include "daemon/lock.h"
#include "daemon/renew.h"
#include "daemon/resets.h"
#include "job/state.h"

/* How often jobs are looked after; and while one waits for what no descriptor tells: the end of tasks
 * outside its cgroup, and its last event's way into the record. */
#define TICK_MS 1000
#define HURRY_MS 100

/* How often orphans are looked for, and memory is given back. */
#define ORPHANS_MS 10000

/* By the clock that nobody sets. */
static bool is_out_of_time(const struct watch *watch)
{
	uint64_t limit = watch->job->rules->policy->limits.runtime_ms;

	return limit && watch->job->start_boot_ms + limit <= (uint64_t)clock_ms(CLOCK_BOOTTIME);
}

/*
 * Whoever owns the cgroup above switches the controller off in a moment, and may do so again and
 * again, so that is told of once.
 */
static void mend_limit(struct watch *watch)
{
	_cleanup_fd_ int lock = -1;
	struct error err = { 0 };
	int r;

	if (job_is_limited(watch->job))
		return;
	lock = state_lock(NULL);
	if (lock < 0)
		return;
	r = job_limit_processes(watch->job, &err);
	if (!watch->is_limit_told)
		watch_tell(watch, "Limit on processes lifted",
			   r ? err.text
			     : "pids.max of the job's cgroup was not what limits.processes says; it "
			       "was set again");
	watch->is_limit_told = true;
}

static void look_after(struct controller *controller)
{
	struct watch *next;

	for (struct watch *watch = controller->watches; watch; watch = next) {
		next = watch->next;
		watch_seen(watch);
		watch_take_repeats(watch);
		if (is_out_of_time(watch))
			job_kill(watch->job, END_BY_RUNTIME);
		else
			watch_kill_again(watch);
		watch_stop_at_loss(watch);
		mend_limit(watch);
		/* Killing is not the end: that comes when the cgroup is empty. */
		controller_finish_if_over(controller, watch);
	}
}

/* Returns 0 if all that is in the job's cgroup has a label now. A failure is told of once. */
static int mend_labels_of(struct watch *watch, bool is_told)
{
	struct error err = { 0 };
	size_t cnt = 0;
	int r = job_label_cgroup_members(watch->job, &err, &cnt);

	if (r && !is_told)
		watch_tell(watch, "Processes without a label", err.text);
	else if (!r && cnt)
		watch_tell(watch, "Processes without a label",
			   "processes entered the job's cgroup while the kernel had no memory for their "
			   "label; they have it now");
	return r;
}

/*
 * Tasks that came into a job's cgroup while the kernel had no memory for a label: they are under no
 * rules until they get it here, so that is tried at every tick until it is done.
 */
static void mend_labels(struct controller *controller, const struct kernel_stats *stats)
{
	_cleanup_fd_ int lock = -1;
	bool is_failing = false;

	if (stats->enter_failures == controller->enter_failures)
		return;
	lock = state_lock(NULL);
	if (lock < 0)
		return;
	for (struct watch *watch = controller->watches; watch; watch = watch->next)
		if (mend_labels_of(watch, controller->is_mending))
			is_failing = true;
	controller->is_mending = is_failing;
	if (!is_failing)
		controller->enter_failures = stats->enter_failures;
}

static void look_at_counts(struct controller *controller)
{
	struct kernel_stats stats;

	if (!controller->watches || kern_read_stats(controller->kern, &stats))
		return;
	mend_labels(controller, &stats);
	resets_make(controller, &stats);
}

static void look_for_orphans(struct controller *controller)
{
	_cleanup_fd_ int lock = state_lock(NULL);

	if (lock >= 0)
		adopt_orphans(controller);
}

/* What ended jobs had lies between what others have: by itself the allocator keeps all of it. */
static void give_memory_back(struct controller *controller)
{
	if (controller->has_ended)
		malloc_trim(0);
	controller->has_ended = false;
}

static bool is_hurried(const struct controller *controller)
{
	for (const struct watch *watch = controller->watches; watch; watch = watch->next)
		if (watch->has_strays || watch->is_end_owed)
			return true;
	return false;
}

/* Is it time? Then sets the next one. */
static bool is_due(int64_t now, int64_t *due_ms, int64_t every_ms)
{
	if (now < *due_ms)
		return false;
	*due_ms = now + every_ms;
	return true;
}

int controller_tick(struct controller *controller)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC), every = is_hurried(controller) ? HURRY_MS : TICK_MS;
	int64_t next, sinks;

	if (controller->tick_ms > now + every)
		controller->tick_ms = now + every;
	if (is_due(now, &controller->tick_ms, every)) {
		look_after(controller);
		look_at_counts(controller);
	}
	if (controller->watches && is_due(now, &controller->roots_ms, RENEW_MS))
		renew_roots(controller);
	if (controller->is_daemon && is_due(now, &controller->orphans_ms, ORPHANS_MS)) {
		look_for_orphans(controller);
		give_memory_back(controller);
	}
	next = controller->tick_ms;
	if (controller->watches && controller->roots_ms < next)
		next = controller->roots_ms;
	next = next > now ? next - now : 0;
	sinks = sinks_tick(controller->sinks);
	return sinks < next ? sinks : next;
}
