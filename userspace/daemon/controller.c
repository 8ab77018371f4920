// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The controller; see controller.h. */
#include "daemon/controller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "daemon/watch.h"
#include "job/selftest.h"
#include "job/state.h"

#define EVENTS 64

/* How soon to look again at a job that could not be ended, or that has tasks outside its cgroup. */
#define RETRY_MS 10000
#define STRAYS_MS 100

struct controller {
	int epoll_fd;
	struct kern *kern;     /* while there are jobs */
	struct watch *watches; /* linked */
};

static void cleanup_controller(struct controller **controller)
{
	controller_free(*controller);
}

static void cleanup_sink(struct sink **sink)
{
	sink_close(*sink);
}

static void warn(const struct error *err)
{
	fprintf(stderr, "jobcage: warning: %s\n", err->text);
}

int controller_new(struct error *err, struct controller **ret_controller)
{
	_cleanup_(cleanup_controller) struct controller *controller =
		calloc(1, sizeof(*controller));

	if (!controller)
		return error_errno(err, -ENOMEM, "cannot start the controller");
	controller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (controller->epoll_fd < 0)
		return error_errno(err, -errno, "cannot start the controller");
	*ret_controller = TAKE_PTR(controller);
	return 0;
}

void controller_free(struct controller *controller)
{
	if (!controller)
		return;
	while (controller->watches) {
		struct watch *watch = controller->watches;

		controller->watches = watch->next;
		watch_free(watch);
	}
	cleanup_fd(&controller->epoll_fd);
	kern_close(controller->kern);
	free(controller);
}

static int poll_add(struct controller *controller, int fd, uint32_t events, struct watch *watch)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(controller->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void cleanup_job(struct job **job)
{
	job_free(*job);
}

/* Before the ring is read for events: the canary's records are none of the job's. */
static int prove(const struct watch *watch, struct error *err)
{
	_cleanup_(selftest_free) struct selftest selftest = { 0 };
	const struct job *job = watch->job;
	int r = selftest_run(job->kern, job->label, &job->cgroup, watch->ring, job->policy, err,
			     &selftest);

	return r ? r : selftest_check(&selftest, err);
}

static int poll_watch(struct controller *controller, struct watch *watch, struct error *err)
{
	int r = 0;

	if (watch->ring)
		r = poll_add(controller, ring_fd(watch->ring), EPOLLIN, watch);
	if (!r && watch->job->cgroup.events_fd >= 0)
		r = poll_add(controller, watch->job->cgroup.events_fd, EPOLLPRI, watch);
	if (r)
		return error_errno(err, r, "cannot watch the job");
	return 0;
}

/* Watches the job, and takes it and the sink over if it succeeds. */
static int add_watch(struct controller *controller, struct job *job, struct sink *sink,
		     struct error *err)
{
	struct watch *watch;
	int r;

	r = watch_new(job, sink, err, &watch);
	if (r)
		return r;
	if (!job->is_adopted)
		r = prove(watch, err);
	if (!r)
		r = poll_watch(controller, watch, err);
	if (r) {
		watch_drop(watch);
		return r;
	}
	/* Before there can be a record: the start is the job's first event. */
	watch_announce(watch);
	watch->next = controller->watches;
	controller->watches = watch;
	return 0;
}

/* --- orphans ---------------------------------------------------------------------------------- */

static int open_orphan_sink(const struct job *job, struct error *err, struct sink **ret_sink)
{
	if (strcmp(job->alerts, "-") && !watch_open_sink(job->alerts, err, ret_sink))
		return 0;
	return watch_open_sink(DEFAULT_ALERTS, err, ret_sink);
}

static int adopt_one(struct controller *controller, struct job_state *state, const json_t *content,
		     struct error *err)
{
	_cleanup_(cleanup_sink) struct sink *sink = NULL;
	_cleanup_(cleanup_job) struct job *job = NULL;
	int r;

	r = job_adopt(controller->kern, state, content, err, &job);
	if (!r)
		r = open_orphan_sink(job, err, &sink);
	if (!r)
		r = add_watch(controller, job, sink, err);
	if (!r) {
		job = NULL;
		sink = NULL;
	}
	return r;
}

/*
 * Trouble with one orphan must not keep others, or a new job, from being looked after. Those that
 * failed are held until all are seen, so that the search passes over them.
 */
static void adopt_orphans(struct controller *controller)
{
	struct job_state *failed = NULL;
	size_t failed_cnt = 0;

	for (;;) {
		struct job_state state = JOB_STATE_NONE, *grown;
		struct error err = { 0 };
		json_t *content = NULL;
		int r = job_state_adopt(&err, &state, &content);

		if (r > 0) {
			r = adopt_one(controller, &state, content, &err);
			json_decref(content);
			if (!r)
				continue;
		}
		if (r < 0)
			warn(&err);
		grown = state.fd < 0 ? NULL : realloc(failed, (failed_cnt + 1) * sizeof(*failed));
		if (!grown) {
			job_state_close(&state);
			break;
		}
		failed = grown;
		failed[failed_cnt++] = state;
	}
	for (size_t i = 0; i < failed_cnt; i++)
		job_state_close(&failed[i]);
	free(failed);
}

/* --- ends ------------------------------------------------------------------------------------- */

/* With the last job the programs go too. */
static void remove_if_idle(struct controller *controller)
{
	struct error err = { 0 };

	if (job_state_any())
		return;
	kern_close(TAKE_PTR(controller->kern));
	if (kern_remove(&err))
		warn(&err);
}

static void finish(struct watch **at)
{
	struct watch *watch = *at;
	struct error err = { 0 };

	*at = watch->next;
	if (watch_finish(watch, &err))
		warn(&err);
	watch_free(watch);
}

static bool any_over(struct controller *controller)
{
	for (struct watch *watch = controller->watches; watch; watch = watch->next)
		if (watch_is_over(watch))
			return true;
	return false;
}

/* The caller holds the state lock. */
static void finish_over_locked(struct controller *controller)
{
	struct watch **at = &controller->watches;

	while (*at) {
		if (watch_is_over(*at))
			finish(at);
		else
			at = &(*at)->next;
	}
}

static void finish_over(struct controller *controller)
{
	_cleanup_fd_ int lock = -1;
	struct error err = { 0 };

	if (!any_over(controller))
		return;
	lock = state_lock(&err);
	if (lock < 0) {
		warn(&err);
		return;
	}
	finish_over_locked(controller);
	remove_if_idle(controller);
}

/* --- starts ----------------------------------------------------------------------------------- */

/* The end of an orphan of another build: its ring cannot be read by this one. */
static int end_foreign(struct job_state *state, const json_t *content)
{
	struct cgroup cgroup = CGROUP_NONE;
	struct error err = { 0 };
	bool populated = true;
	int r = cgroup_open(json_string_value(json_object_get(content, "cgroup")) ?: "", &err,
			    &cgroup);

	if (r == -ENOENT)
		populated = false;
	else if (!r)
		r = cgroup_is_populated(&cgroup, &populated);
	if (!populated) {
		if (!r)
			cgroup_remove(&cgroup);
		fprintf(stderr,
			"jobcage: warning: job %s of another build has ended; its last events are lost\n",
			state->id);
		job_state_remove(state);
	}
	cgroup_close(&cgroup);
	return populated ? -EBUSY : 0;
}

/*
 * Jobs of another build that have ended without a controller must not keep that build in force for
 * ever.
 */
static int clear_other_build(struct error *err)
{
	for (;;) {
		_cleanup_(job_state_close) struct job_state state = JOB_STATE_NONE;
		json_t *content = NULL;
		int r = job_state_adopt(NULL, &state, &content);

		if (r <= 0)
			break;
		r = end_foreign(&state, content);
		json_decref(content);
		if (r)
			return r;
	}
	return job_state_any() ? -EBUSY : kern_remove(err);
}

/*
 * What is pinned while no job has a file was left by a controller that died before or after its
 * only job.
 */
static int open_kernel(struct controller *controller, struct error *err)
{
	int r = job_state_any();

	if (r < 0)
		return error_errno(err, r, "cannot list the jobs");
	if (!r) {
		r = kern_remove(err);
		if (r)
			return r;
	}
	r = kern_open(err, &controller->kern);
	if (r == -EBUSY && !clear_other_build(NULL))
		r = kern_open(err, &controller->kern);
	return r;
}

/* Once the job is watched, a failure ends it like any other job: finish_over() finds it empty. */
static int start_watched(struct controller *controller, const struct job_request *request,
			 struct sink *sink, struct error *err)
{
	struct job *job;
	int r;

	r = job_create(controller->kern, request, err, &job);
	if (r) {
		sink_close(sink);
		return r;
	}
	r = add_watch(controller, job, sink, err);
	if (r) {
		job_end(job, NULL);
		job_free(job);
		sink_close(sink);
		return r;
	}
	return job_admit(job, request, err);
}

int controller_start(struct controller *controller, const struct job_request *request,
		     struct error *err)
{
	_cleanup_(cleanup_sink) struct sink *sink = NULL;
	_cleanup_fd_ int lock = -1;
	int r;

	r = watch_open_sink(request->alerts, err, &sink);
	if (r)
		return r;
	lock = state_lock(err);
	if (lock < 0)
		return lock;
	r = open_kernel(controller, err);
	if (!r) {
		adopt_orphans(controller);
		/* First, because their slots may look free: a job that was never published. */
		finish_over_locked(controller);
		r = start_watched(controller, request, TAKE_PTR(sink), err);
	}
	if (r)
		remove_if_idle(controller);
	return r;
}

/* No descriptor tells when the last task outside a cgroup goes. */
static int patience_ms(const struct controller *controller)
{
	for (const struct watch *watch = controller->watches; watch; watch = watch->next)
		if (watch->has_strays)
			return STRAYS_MS;
	return RETRY_MS;
}

static bool is_done(const struct controller *controller, enum run_until until)
{
	for (const struct watch *watch = controller->watches; watch; watch = watch->next)
		if (until == UNTIL_ALL_ENDED || !watch->job->is_adopted)
			return false;
	return true;
}

int controller_run(struct controller *controller, enum run_until until, struct error *err)
{
	struct epoll_event events[EVENTS];

	finish_over(controller);
	while (!is_done(controller, until)) {
		int n = epoll_wait(controller->epoll_fd, events, EVENTS, patience_ms(controller));

		if (n < 0 && errno != EINTR)
			return error_errno(err, -errno, "epoll_wait");
		for (int i = 0; i < n; i++)
			watch_drain(events[i].data.ptr);
		finish_over(controller);
	}
	return 0;
}
