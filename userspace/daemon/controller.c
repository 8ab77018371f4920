// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The controller; see controller.h. Orphans are in adopt.c, rules in renew.c, what is due with time in tick.c. */
#include "daemon/controller.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "daemon/adopt.h"
#include "daemon/foreign.h"
#include "daemon/lock.h"
#include "daemon/renew.h"
#include "daemon/tick.h"
#include "daemon/warn.h"
#include "job/state.h"
#include "kern/publish.h"

/* What a start waits for the record of the job before of that id. */
#define ID_FLUSH_MS 100

static void cleanup_controller(struct controller **controller)
{
	controller_free(*controller);
}

static void on_sinks(void *arg)
{
	struct controller *controller = arg;

	sinks_ready(controller->sinks);
}

int controller_new(bool is_daemon, struct error *err, struct controller **ret_controller)
{
	_cleanup_(cleanup_controller) struct controller *controller =
		calloc(1, sizeof(*controller));
	int r;

	if (!controller)
		return error_errno(err, -ENOMEM, "cannot start the controller");
	controller->is_daemon = is_daemon;
	controller->mounts_fd = -1;
	controller->mounts_source.fd = -1;
	controller->sinks_source.fd = -1;
	controller->loop_fd = loop_new();
	if (controller->loop_fd < 0)
		return error_errno(err, controller->loop_fd, "cannot start the controller");
	r = sinks_new(err, &controller->sinks);
	if (!r)
		r = loop_add(controller->loop_fd, &controller->sinks_source,
			     controller->sinks->epoll_fd, EPOLLIN, on_sinks, controller);
	if (r)
		return error_errno(err, r, "cannot start the controller");
	*ret_controller = TAKE_PTR(controller);
	return 0;
}

/* A file that is rotated is closed with its folder: the next one stands there too. */
static int close_sink_path(struct rulesets *rulesets, const struct sink_config *config)
{
	_cleanup_free_ char *path = NULL;
	char *slash;

	if (config->type != SINK_FILE)
		return 0;
	path = strdup(config->path);
	if (!path)
		return -ENOMEM;
	slash = strrchr(path, '/');
	if ((config->max_bytes || config->max_age_ms) && slash > path)
		*slash = '\0';
	return rulesets_close(rulesets, path);
}

int controller_set_site(struct controller *controller, const struct site *site, struct error *err)
{
	const struct site_audit none = { .interval_ms = HEAD_INTERVAL_MS };
	int r = sinks_set_site(controller->sinks, site ? site->sinks : NULL,
			       site ? site->sink_cnt : 0, site ? &site->audit : &none,
			       controller->is_daemon, err);

	if (r)
		return r;
	rulesets_reopen(&controller->rulesets);
	for (size_t i = 0; !r && site && i < site->sink_cnt; i++)
		r = close_sink_path(&controller->rulesets, &site->sinks[i]);
	if (!r && site && site->audit.key)
		r = rulesets_close(&controller->rulesets, site->audit.key);
	if (r == -ENOSPC)
		return error_set(err, r,
				 "the site's sinks and key are more than %d files, which is more than can "
				 "be closed to jobs; leave some out",
				 CLOSED_MAX);
	return r ? error_errno(err, r, "cannot close the sinks to jobs") : 0;
}

/* --- watching --------------------------------------------------------------------------------- */

static void remove_if_idle(struct controller *controller);

static void set_kern(struct controller *controller, struct kern *kern)
{
	controller->kern = kern;
	controller->rulesets.kern = kern;
}

static void forget_sources(struct controller *controller, struct watch *watch)
{
	loop_remove(controller->loop_fd, &watch->ring_source);
	loop_remove(controller->loop_fd, &watch->cgroup_source);
}

static void unlink_watch(struct controller *controller, struct watch *watch)
{
	struct watch **at = &controller->watches;

	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	controller->watch_cnt--;
	forget_sources(controller, watch);
}

/* A job that cannot be removed yet stays and is tried again at every tick. */
static void finish(struct controller *controller, struct watch *watch)
{
	struct error err = { 0 };
	int r;

	/* Of a cgroup that is gone, or is the job's no more, there are news for ever. */
	loop_remove(controller->loop_fd, &watch->cgroup_source);
	r = watch_finish(watch, &err);
	if (!r) {
		unlink_watch(controller, watch);
		watch_free(watch);
		controller->has_ended = true;
		return;
	}
	if (r == -EAGAIN)
		return;
	if (!watch->is_failing)
		warn(&err);
	watch->is_failing = true;
}

void controller_finish_if_over(struct controller *controller, struct watch *watch)
{
	_cleanup_fd_ int lock = -1;
	struct error err = { 0 };

	if (!watch_is_over(watch))
		return;
	lock = state_lock(&err);
	if (lock < 0) {
		warn(&err);
		return;
	}
	finish(controller, watch);
	remove_if_idle(controller);
}

static void on_ring(void *arg)
{
	watch_take(arg);
}

static void on_cgroup(void *arg)
{
	struct watch *watch = arg;

	controller_finish_if_over(watch->controller, watch);
}

int controller_add(struct controller *controller, struct job *job, struct sink *sink,
		   struct error *err, struct watch **ret_watch)
{
	struct watch *watch;
	int r;

	r = watch_new(controller, job, sink, err, &watch);
	if (r)
		return r;
	if (watch->ring)
		r = loop_add(controller->loop_fd, &watch->ring_source, ring_fd(watch->ring),
			     EPOLLIN, on_ring, watch);
	if (!r && job->cgroup.events_fd >= 0)
		r = loop_add(controller->loop_fd, &watch->cgroup_source, job->cgroup.events_fd,
			     EPOLLPRI, on_cgroup, watch);
	if (r) {
		forget_sources(controller, watch);
		watch_drop(watch);
		return error_errno(err, r, "cannot watch the job");
	}
	watch->next = controller->watches;
	controller->watches = watch;
	controller->watch_cnt++;
	*ret_watch = watch;
	return 0;
}

struct watch *controller_find(const struct controller *controller, const char *id)
{
	struct watch *watch = controller->watches;

	while (watch && strcmp(watch->job->id, id))
		watch = watch->next;
	return watch;
}

struct watch *controller_find_label(const struct controller *controller, struct job_label label)
{
	struct watch *watch = controller->watches;

	while (watch && !job_label_equal(watch->job->label, label))
		watch = watch->next;
	return watch;
}

/* --- programs --------------------------------------------------------------------------------- */

static void remove_programs(struct controller *controller)
{
	struct error err = { 0 };

	kern_close(controller->kern);
	set_kern(controller, NULL);
	if (kern_remove(&err))
		warn(&err);
}

/*
 * A daemon that runs keeps the programs, whoever ends the last job. The caller holds the state
 * lock.
 */
static void remove_if_idle(struct controller *controller)
{
	if (!controller->is_daemon && !job_state_any() && !lock_is_held())
		remove_programs(controller);
}

/*
 * What is pinned while no job has a file was left by a controller that died before or after its
 * only job.
 */
static int open_kernel(struct controller *controller, struct error *err)
{
	struct kern *kern;
	int r = job_state_any();

	if (controller->kern)
		return 0;
	if (r < 0)
		return error_errno(err, r, "cannot list the jobs");
	if (!r && (controller->is_daemon || !lock_is_held())) {
		r = kern_remove(err);
		if (r)
			return r;
	}
	r = kern_open(err, &kern);
	if (r == -EBUSY && !foreign_clear(controller))
		r = kern_open(err, &kern);
	if (!r) {
		set_kern(controller, kern);
		r = policy_withdraw_unused(kern, NULL, err);
	}
	return r;
}

int controller_open(struct controller *controller, struct error *err)
{
	_cleanup_fd_ int lock = state_lock(err);
	int r;

	if (lock < 0)
		return lock;
	r = open_kernel(controller, err);
	if (r)
		return r;
	adopt_orphans(controller);
	renew_watch_mounts(controller);
	return 0;
}

void controller_free(struct controller *controller)
{
	_cleanup_fd_ int lock = -1;

	if (!controller)
		return;
	while (controller->watches) {
		struct watch *watch = controller->watches;

		unlink_watch(controller, watch);
		watch_free(watch);
	}
	rulesets_forget(&controller->rulesets);
	rulesets_reopen(&controller->rulesets);
	loop_remove(controller->loop_fd, &controller->mounts_source);
	cleanup_fd(&controller->mounts_fd);
	loop_remove(controller->loop_fd, &controller->sinks_source);
	sinks_free(controller->sinks);
	cleanup_fd(&controller->loop_fd);
	if (controller->is_daemon && controller->kern) {
		lock = state_lock(NULL);
		if (lock >= 0 && !job_state_any())
			remove_programs(controller);
	}
	kern_close(controller->kern);
	free(controller);
}

/* --- starts ----------------------------------------------------------------------------------- */

/* With the job's state, so that whoever adopts the job can tell of it too. */
static int keep_self_test(struct watch *watch, const struct selftest *selftest, struct error *err)
{
	watch->self_test = selftest_json(selftest);
	return watch->self_test
		       ? job_state_put_self_test(&watch->job->state, watch->self_test, err)
		       : error_errno(err, -ENOMEM, "cannot keep what the self-test came to");
}

static int self_test(struct watch *watch, struct error *err)
{
	struct job *job = watch->job;
	_cleanup_(selftest_free) struct selftest selftest = { 0 };
	int r = selftest_run(job->rulesets->kern, job->label, &job->cgroup, watch->ring,
			     job->rules->policy, err, &selftest);

	if (!r)
		r = keep_self_test(watch, &selftest, err);
	return r ? r : selftest_check(&selftest, err);
}

/* Takes sink over if it succeeds. */
static int create_watched(struct controller *controller, const struct job_request *request,
			  struct sink *sink, struct error *err, struct watch **ret_watch)
{
	struct job *job;
	int r = job_create(&controller->rulesets, request, err, &job);

	if (r)
		return r;
	r = controller_add(controller, job, sink, err, ret_watch);
	if (r) {
		job_end(job, NULL);
		job_free(job);
	}
	return r;
}

/* Once the job is watched, a failure ends it like any other job: it is found empty. */
static int start_watched(struct controller *controller, const struct job_request *request,
			 bool is_self_tested, struct sink *sink, struct error *err,
			 struct watch **ret_watch)
{
	struct watch *watch;
	int r = create_watched(controller, request, sink, err, &watch);

	if (r) {
		sinks_release(controller->sinks, sink);
		return r;
	}
	r = is_self_tested ? self_test(watch, err) : 0;
	/* Before there can be a record of the job's own: the start is its first event. */
	watch_announce(watch);
	if (r)
		watch_tell(watch, "Self-test failed", err->text);
	else
		r = job_admit(watch->job, request, err);
	if (r) {
		finish(controller, watch);
		return r;
	}
	/* From now on a controller that comes later knows since when nobody looked. */
	watch_seen(watch);
	*ret_watch = watch;
	return 0;
}

/* Jobs that ended while nobody looked; their slots may look free. */
static void finish_all_over(struct controller *controller)
{
	struct watch *next;

	for (struct watch *watch = controller->watches; watch; watch = next) {
		next = watch->next;
		if (watch_is_over(watch))
			finish(controller, watch);
	}
}

/*
 * An id is free when the last process of its job is gone, and who waited for that process knows
 * before the loop has been told.
 */
static void free_id(struct controller *controller, const char *id)
{
	struct watch *watch = id ? controller_find(controller, id) : NULL;

	if (!watch || !watch_is_over(watch))
		return;
	if (watch->tally->waiting)
		sinks_flush(controller->sinks, ID_FLUSH_MS);
	finish(controller, watch);
}

static int start_locked(struct controller *controller, const struct job_request *request,
			bool is_self_tested, struct sink *sink, struct error *err,
			struct watch **ret_watch)
{
	int r = open_kernel(controller, err);

	if (r) {
		sinks_release(controller->sinks, sink);
		places_free(request->places);
		return r;
	}
	if (!controller->is_daemon) {
		adopt_orphans(controller);
		finish_all_over(controller);
	}
	free_id(controller, request->id);
	return start_watched(controller, request, is_self_tested, sink, err, ret_watch);
}

int controller_start(struct controller *controller, const struct job_request *request,
		     bool is_self_tested, struct error *err, struct watch **ret_watch)
{
	_cleanup_fd_ int lock = -1;
	struct sink *sink = NULL;
	int r;

	r = sinks_use(controller->sinks, request->alerts, err, &sink);
	if (!r) {
		lock = state_lock(err);
		r = lock < 0 ? lock : 0;
	}
	if (r) {
		sinks_release(controller->sinks, sink);
		places_free(request->places);
		return r;
	}
	r = start_locked(controller, request, is_self_tested, sink, err, ret_watch);
	if (r)
		remove_if_idle(controller);
	else
		renew_watch_mounts(controller);
	return r;
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
	while (!is_done(controller, until)) {
		int r = loop_step(controller->loop_fd, controller_tick(controller));

		if (r)
			return error_errno(err, r, "cannot wait for what the jobs do");
	}
	return 0;
}
