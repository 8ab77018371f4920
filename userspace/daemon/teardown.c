// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The end of all jobs; see teardown.h. */
#include "daemon/teardown.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/foreign.h"
#include "daemon/limits.h"
#include "daemon/lock.h"
#include "daemon/warn.h"

/* How long jobs that were killed may take to be gone, and their last events to be written. */
#define END_MS 20000

/* What monitors do is seen by nothing but a look. */
#define LOOK_MS 50

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
	int r = lock < 0 ? lock : job_state_each(kill_job, controller);

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
	int r = lock < 0 ? lock : job_state_any();

	if (!r)
		return kern_remove(err);
	return r < 0 ? error_errno(err, r, "cannot list the jobs")
		     : error_set(err, -EBUSY,
				 "a job is left whose processes do not end, or whose file in " STATE_ROOT
				 "/jobs cannot be read; its programs stay in force");
}

static int end_all(struct controller *controller, struct error *err)
{
	int r = foreign_end(controller, err);

	if (!r && job_state_any() > 0)
		r = end_jobs(controller, err);
	return r ? r : remove_programs(err);
}

/* With the site, whose sinks are told of the ends. However bad that is: jobs are ended all the same. */
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

/* Where no job is left, nothing is opened, or loaded, to be removed again. */
int teardown_rest(struct error *err)
{
	_cleanup_fd_ int lock = lock_take(err);

	if (lock < 0)
		return lock;
	limits_lift();
	signal(SIGPIPE, SIG_IGN);
	return job_state_any() ? end_all_and_tell(err) : remove_programs(err);
}
