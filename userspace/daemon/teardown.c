// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The end of all jobs; see teardown.h. */
#include "daemon/teardown.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/foreign.h"
#include "daemon/limits.h"
#include "daemon/lock.h"
#include "daemon/tick.h"
#include "daemon/warn.h"

/* How long jobs that were killed may take to be gone, and their last events to be written. */
#define END_MS 20000

/* What monitors do is seen by nothing but a look. */
#define LOOK_MS 50

/* How long a daemon that does not come to run may hold its lock. */
#define LOCK_MS 5000

static void kill_job(void *arg, const json_t *content)
{
	struct controller *controller = arg;
	struct error err = { 0 };
	struct job *job;

	if (job_look(&controller->rulesets, content, &err, &job)) {
		warn(&err);
		return;
	}
	if (job_kill(job, END_BY_KILL))
		fprintf(stderr, "jobcage: warning: job %s cannot be killed whole\n", job->id);
	job_free(job);
}

/* Under the lock no job is half-way through its start. */
static int kill_jobs(struct controller *controller, struct error *err)
{
	_cleanup_fd_ int lock = state_lock(err);
	int r;

	if (lock < 0)
		return lock;
	r = job_state_each(kill_job, controller);
	return r ? error_errno(err, r, "cannot list the jobs") : 0;
}

/* Those that nobody looked after are ours now; the others are ended by their monitors. */
static int end_jobs(struct controller *controller, struct error *err)
{
	int64_t deadline = clock_ms(CLOCK_MONOTONIC) + END_MS;
	int r = controller_open(controller, err);

	if (!r)
		r = kill_jobs(controller, err);
	while (!r && job_state_any() > 0 && clock_ms(CLOCK_MONOTONIC) < deadline) {
		int next = controller_tick(controller);

		r = loop_step(controller->loop_fd, next < LOOK_MS ? next : LOOK_MS);
		if (r)
			error_errno(err, r, "cannot wait for the jobs' end");
	}
	return r;
}

static int remove_programs(struct error *err)
{
	_cleanup_fd_ int lock = state_lock(err);
	int r;

	if (lock < 0)
		return lock;
	r = job_state_any();
	if (r < 0)
		return error_errno(err, r, "cannot list the jobs");
	if (r)
		return error_set(err, -EBUSY,
				 "a job is left whose processes do not end, or whose file in " STATE_ROOT
				 "/jobs cannot be read; its programs stay in force");
	return kern_remove(err);
}

static int end_all(struct controller *controller, struct error *err)
{
	int r = foreign_end(controller, err);

	if (!r && job_state_any() > 0)
		r = end_jobs(controller, err);
	return r ? r : remove_programs(err);
}

/* The site's sinks are told of the ends. A site that cannot be read keeps no job from its end. */
static int end_all_and_tell(struct error *err)
{
	struct daemon daemon = { .site_lock = PTHREAD_MUTEX_INITIALIZER };
	struct error site_err = { 0 };
	int r = controller_new(true, err, &daemon.controller);

	if (r)
		return r;
	if (daemon_load_site(&daemon, &site_err))
		warn(&site_err);
	r = end_all(daemon.controller, err);
	controller_free(daemon.controller);
	daemon_let_site_go(&daemon, daemon.held);
	return r;
}

/*
 * The service manager starts a daemon of another layout again and again, and each has the lock until it
 * is refused.
 */
static int take_lock(struct error *err)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000 * 1000 };
	int64_t deadline = clock_ms(CLOCK_MONOTONIC) + LOCK_MS;
	int lock;

	while ((lock = lock_take(err)) == -EBUSY && clock_ms(CLOCK_MONOTONIC) < deadline)
		nanosleep(&pause, NULL);
	return lock;
}

/* Where no job is left, nothing is opened, or loaded, to be removed again. */
int teardown_rest(struct error *err)
{
	_cleanup_fd_ int lock = take_lock(err);

	if (lock < 0)
		return lock;
	limits_lift();
	signal(SIGPIPE, SIG_IGN);
	return job_state_any() ? end_all_and_tell(err) : remove_programs(err);
}
