// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Jobs of a build with another layout; see foreign.h. */
#include "daemon/foreign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "alert/record.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "job/content.h"
#include "kern/member.h"

/* How long what was killed may take to be gone; a monitor that has one of the jobs clears it away meanwhile. */
#define END_MS 10000
#define END_PAUSE_NS (50 * 1000 * 1000)

/* For the event that tells of an end. */
#define FLUSH_MS 500

static int open_cgroup(const json_t *content, struct cgroup *ret_cgroup)
{
	_cleanup_free_ char *path = content_to_bytes(json_object_get(content, "cgroup"));

	return path ? cgroup_open(path, NULL, ret_cgroup) : -EINVAL;
}

/* --- who lives -------------------------------------------------------------------------------- */

/* What cannot be looked at may live. */
static void look_at_cgroup(void *arg, const json_t *content)
{
	_cleanup_(cgroup_close) struct cgroup cgroup = CGROUP_NONE;
	bool *is_alive = arg, is_populated = true;
	int r = open_cgroup(content, &cgroup);

	if (!r)
		r = cgroup_is_populated(&cgroup, &is_populated);
	if (r != -ENOENT && r != -ENODEV && is_populated)
		*is_alive = true;
}

/*
 * Both are asked: who was moved out of a cgroup carries the label, and what is in one may have come
 * there when the kernel had no memory for a label.
 */
static int check_gone(struct kern *theirs)
{
	bool is_alive = false;
	int r = job_state_each(look_at_cgroup, &is_alive);

	if (!r && !is_alive)
		r = member_any_job(theirs, &is_alive);
	return r ? r : is_alive ? -EBUSY : 0;
}

static void kill_in_cgroup(void *arg, const json_t *content)
{
	_cleanup_(cgroup_close) struct cgroup cgroup = CGROUP_NONE;

	(void)arg;
	if (!open_cgroup(content, &cgroup))
		cgroup_kill(&cgroup);
}

/* --- the record ------------------------------------------------------------------------------- */

static int read_policy(const struct job_state *state, struct policy **ret_policy)
{
	_cleanup_free_ char *canonical = NULL;
	struct diag_list diags = { 0 };
	int r = job_state_get_policy(state, JOB_POLICY, NULL, &canonical);

	if (r)
		return r;
	r = policy_parse(canonical, strlen(canonical), "the job's policy", NULL, &diags,
			 ret_policy);
	diag_free(&diags);
	return r;
}

static int put_finding(struct sinks *sinks, const struct job *job, const struct policy *policy,
		       uint64_t sequence)
{
	struct alert_job about = watch_about(job, policy);
	struct sink *sink;
	json_auto_t *event = NULL;
	int r = sinks_use(sinks, job->alerts, NULL, &sink);

	if (r)
		return r;
	sinks_name_host(sinks, &about);
	r = ocsf_finding(&about, "End without an account",
			 "the job has ended under a build of jobcage that cannot read its tables: "
			 "its counts, and events that had not been written, are lost",
			 clock_ms(CLOCK_REALTIME), sequence, &event);
	if (!r)
		r = sinks_put(sinks, sink, NULL, event);
	sinks_flush(sinks, FLUSH_MS);
	sinks_release(sinks, sink);
	return r;
}

/* Continues the job's record, if it can be found and the file says as much as this build's do. */
static int tell_in_record(struct sinks *sinks, const struct job_state *state, const json_t *content)
{
	struct job *job = job_new(NULL);
	struct policy *policy = NULL;
	uint64_t last;
	int r = job ? content_read(job, content, NULL) : -ENOMEM;

	if (!r)
		r = record_last(job->alerts, job->id, job->start_ms, &last);
	if (!r)
		r = read_policy(state, &policy);
	if (!r)
		r = put_finding(sinks, job, policy, last + 1);
	policy_free(policy);
	job_free(job);
	return r;
}

/* --- the end ---------------------------------------------------------------------------------- */

static int leave_cgroup(struct kern *theirs, const json_t *content)
{
	_cleanup_(cgroup_close) struct cgroup cgroup = CGROUP_NONE;
	int r = open_cgroup(content, &cgroup);

	if (r)
		return r == -ENOENT ? 0 : r;
	if (!json_is_true(json_object_get(content, "is_attached")))
		return cgroup_remove(&cgroup);
	kern_detach_cgroup(theirs, cgroup.fd);
	return 0;
}

/* One that nobody looks after. */
static int end_job(struct sinks *sinks, struct kern *theirs, struct job_state *state,
		   const json_t *content)
{
	int r = leave_cgroup(theirs, content);

	if (r)
		return r;
	if (tell_in_record(sinks, state, content))
		fprintf(stderr,
			"jobcage: warning: job %s of another build has ended; its last events are lost\n",
			state->id);
	job_state_remove(state);
	return 0;
}

static int end_jobs(struct sinks *sinks, struct kern *theirs)
{
	int r;

	do {
		_cleanup_(job_state_close) struct job_state state = JOB_STATE_NONE;
		json_auto_t *content = NULL;

		r = job_state_adopt(NULL, &state, &content);
		if (r <= 0)
			break;
		r = end_job(sinks, theirs, &state, content);
	} while (!r);
	return r;
}

/* Once more at the end: until its cgroup was removed, somebody could still enter it. */
static int clear(struct controller *controller, struct kern *theirs)
{
	int r = check_gone(theirs);

	if (!r)
		r = end_jobs(controller->sinks, theirs);
	if (!r)
		r = job_state_any() ? -EBUSY : check_gone(theirs);
	return r ? r : kern_remove(NULL);
}

int foreign_clear(struct controller *controller)
{
	_cleanup_(cleanup_kern) struct kern *theirs = NULL;
	int r = kern_open_foreign(NULL, &theirs);

	return r > 0 ? clear(controller, theirs) : r;
}

static int kill_and_clear(struct controller *controller, struct kern *theirs, struct error *err)
{
	_cleanup_fd_ int lock = -1;
	int r = job_state_each(kill_in_cgroup, NULL);

	if (!r)
		r = member_kill_jobs(theirs);
	if (r)
		return r;
	lock = state_lock(err);
	return lock < 0 ? lock : clear(controller, theirs);
}

int foreign_end(struct controller *controller, struct error *err)
{
	_cleanup_(cleanup_kern) struct kern *theirs = NULL;
	const struct timespec pause = { .tv_nsec = END_PAUSE_NS };
	int64_t deadline = clock_ms(CLOCK_MONOTONIC) + END_MS;
	int r = kern_open_foreign(err, &theirs);

	if (r <= 0)
		return r;
	while ((r = kill_and_clear(controller, theirs, err)) == -EBUSY &&
	       clock_ms(CLOCK_MONOTONIC) < deadline)
		nanosleep(&pause, NULL);
	if (r == -EBUSY)
		return error_set(err, r,
				 "processes of jobs of another build live on, or a file of one in " STATE_ROOT
				 "/jobs cannot be read; its programs stay in force");
	return r ? error_errno(err, r, "cannot end the jobs of another build") : 0;
}
