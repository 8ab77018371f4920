// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A job from its first trace to its last; see lifecycle.h. */
#include "job/lifecycle.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "job/content.h"
#include "job/launcher.h"
#include "job/origin.h"
#include "job/replace.h"
#include "job/scratch.h"
#include "job/selftest.h"
#include "kern/jobs.h"
#include "kern/member.h"
#include "kern/names.h"

/* How long to wait for killed processes to be gone. What takes longer is tried again later. */
#define REAP_TRIES 50
#define REAP_PAUSE_NS (2 * 1000 * 1000)

/* Passes over a frozen cgroup until everything in it has the label: a fork that was under way when
 * it froze may need a second one. */
#define LABEL_PASSES 100

static void cleanup_job(struct job **job)
{
	job_free(*job);
}

struct job *job_new(struct rulesets *rulesets)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->rulesets = rulesets;
	job->scratch_fd = -1;
	job->next_policy_slot = POLICY_SLOTS;
	job->cgroup = (struct cgroup)CGROUP_NONE;
	job->state = (struct job_state)JOB_STATE_NONE;
	return job;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	cgroup_close(&job->cgroup);
	job_state_close(&job->state);
	cleanup_fd(&job->scratch_fd);
	free(job->cgroup_path);
	free(job->id);
	free(job->command);
	free(job->user);
	free(job->alerts);
	free(job->source);
	json_decref(job->origin);
	free(job);
}

/* --- start ------------------------------------------------------------------------------------ */

static int fill_job(struct job *job, const struct job_request *request, struct error *err)
{
	job->id = strdup(request->id);
	job->command = strdup(request->command);
	job->user = strdup(request->user);
	job->alerts = strdup(request->alerts);
	job->source = request->source ? strdup(request->source) : NULL;
	job->origin = origin_check(request->origin);
	job->cgroup_path = request->cgroup ? strdup(request->cgroup) : NULL;
	job->is_attached = request->cgroup;
	job->uid = request->uid;
	job->asked_by = request->asked_by;
	job->pid = request->pid;
	job->start_ms = clock_ms(CLOCK_REALTIME);
	job->start_boot_ms = clock_ms(CLOCK_BOOTTIME);
	if (!job->id || !job->command || !job->user || !job->alerts ||
	    (request->source && !job->source) || (request->cgroup && !job->cgroup_path))
		return error_errno(err, -ENOMEM, "cannot start the job");
	return 0;
}

static int choose_places(struct job *job, const struct job_request *request, struct error *err)
{
	int r = job->is_attached ? 0 : cgroup_plan(request->pid, job->id, err, &job->cgroup_path);

	return r ? r : job_choose_slot(job->rulesets->kern, err, &job->label);
}

static int write_state(struct job *job, struct error *err)
{
	json_auto_t *content = content_of(job);
	int policy_fd = ruleset_policy_fd(job->rules, err);

	if (!content)
		return error_errno(err, -ENOMEM, "cannot write the job's state");
	if (policy_fd < 0)
		return policy_fd;
	return job_state_create(job->id, content, policy_fd, err, &job->state);
}

/* All that comes before the first trace in the kernel. */
static int plan(struct job *job, const struct job_request *request, struct error *err)
{
	int r = fill_job(job, request, err);

	if (!r)
		r = choose_places(job, request, err);
	if (!r)
		r = write_state(job, err);
	return r;
}

static int make_cgroup(struct job *job, struct error *err)
{
	struct kern *kern = job->rulesets->kern;
	int r = job->is_attached ? cgroup_open(job->cgroup_path, err, &job->cgroup)
				 : cgroup_create(job->cgroup_path, err, &job->cgroup);

	if (!r)
		r = kern_attach_cgroup(kern, job->cgroup.fd, job->cgroup.id, job->label, err);
	if (!r && names_are_in(kern, job->rules->slot))
		r = kern_attach_dns(kern, job->cgroup.fd, err);
	if (!r)
		r = job_label_cgroup(kern, job->cgroup.id, job->label, err);
	return r;
}

static int put_in_force(struct job *job, struct error *err)
{
	struct kern *kern = job->rulesets->kern;
	int r = job_make_ring(kern, job->label, err);

	if (!r)
		r = ruleset_publish(job->rulesets, job->rules, err);
	if (!r && names_are_in(kern, job->rules->slot))
		r = names_begin(kern, job->label, err);
	if (!r)
		r = job_make_spent(job, job->rules->policy, err);
	if (!r)
		r = job_publish(kern, job->label, job->rules->slot, 0, err);
	if (!r)
		r = make_cgroup(job, err);
	return r;
}

int job_create(struct rulesets *rulesets, const struct job_request *request, struct error *err,
	       struct job **ret_job)
{
	_cleanup_(cleanup_job) struct job *job = job_new(rulesets);
	int r;

	if (!job) {
		places_free(request->places);
		return error_errno(err, -ENOMEM, "cannot start the job");
	}
	r = ruleset_get(rulesets, request->places, request->alerts, err, &job->rules);
	if (r)
		return r;
	r = plan(job, request, err);
	if (r) {
		ruleset_put(rulesets, job->rules);
		return r;
	}
	r = put_in_force(job, err);
	if (r) {
		job_end(job, NULL);
		return r;
	}
	*ret_job = TAKE_PTR(job);
	return 0;
}

/* --- admission -------------------------------------------------------------------------------- */

int job_limit_processes(struct job *job, struct error *err)
{
	uint64_t max = job->rules->policy->limits.processes;

	if (!max)
		return 0;
	return job->is_attached ? cgroup_tighten_processes(&job->cgroup, max, err) :
				  cgroup_limit_processes(&job->cgroup, max, err);
}

bool job_is_limited(const struct job *job)
{
	uint64_t max = job->rules->policy->limits.processes;
	bool is_populated = false;

	if (!max || !job->state.progress->is_admitted)
		return true;
	/* What is empty may be removed already. */
	if (cgroup_is_populated(&job->cgroup, &is_populated) || !is_populated)
		return true;
	return cgroup_is_limited(&job->cgroup, max);
}

/*
 * Back to where it came from, so that it lives to say why the job does not start; or, if it died,
 * whoever got its number and was moved in its place. What it has forked since it was labelled would
 * be in a job that is none.
 */
static void leave(struct job *job, const struct job_request *request)
{
	struct kern *kern = job->rulesets->kern;

	job_unlabel_members(kern, job->label, request->pid);
	cgroup_leave(&job->cgroup, request->pid, request->pidfd);
	job_set_ending(kern, job->label);
	member_kill(kern, job->label);
}

/*
 * Label first: were it the other way round, a failure would leave a process in the cgroup that is
 * not under the policy. The limit comes last, because the kernel wants the parent empty for it.
 */
static int admit_process(struct job *job, const struct job_request *request, struct error *err)
{
	int r = request->scratch_fd >= 0 ? scratch_use(job, request, err) : 0;

	if (!r)
		r = job_label_task(job->rulesets->kern, request->pidfd, job->label, err);
	if (r)
		return r;
	r = cgroup_enter(&job->cgroup, request->pid, request->pidfd, err);
	if (!r)
		r = launcher_check(job, request, err);
	if (!r)
		r = job_limit_processes(job, err);
	if (r)
		leave(job, request);
	return r;
}

int job_label_cgroup_members(struct job *job, struct error *err, size_t *ret_cnt)
{
	size_t all = 0, cnt = 1;
	int r = 0;

	if (job->cgroup.fd < 0)
		cnt = 0;
	for (int i = 0; !r && cnt && i < LABEL_PASSES; i++) {
		r = job_label_members(job->rulesets->kern, job->label, err, &cnt);
		all += r ? 0 : cnt;
	}
	if (!r && cnt)
		r = error_set(err, -EAGAIN, "processes keep appearing in %s", job->cgroup.path);
	if (!r)
		*ret_cnt = all;
	return r;
}

/*
 * What is likeliest to fail comes first, because labels stay. Frozen, nothing in the cgroup can fork
 * behind our back.
 */
static int admit_cgroup(struct job *job, struct error *err)
{
	size_t cnt;
	int r = job_limit_processes(job, err);

	if (!r)
		r = cgroup_freeze(&job->cgroup, true, err);
	if (!r)
		r = job_label_cgroup_members(job, err, &cnt);
	cgroup_freeze(&job->cgroup, false, NULL);
	return r;
}

int job_admit(struct job *job, const struct job_request *request, struct error *err)
{
	int r;

	job->state.progress->is_tested = 1;
	r = job->is_attached ? admit_cgroup(job, err) : admit_process(job, request, err);
	if (!r)
		job->state.progress->is_admitted = 1;
	return r;
}

/* --- adoption --------------------------------------------------------------------------------- */

/* What is in its cgroup, and who was moved out of it. */
static int kill_all(struct job *job)
{
	int r = 0;

	job_set_ending(job->rulesets->kern, job->label);
	if (job->cgroup.fd >= 0)
		r = cgroup_kill(&job->cgroup);
	return member_kill(job->rulesets->kern, job->label) ?: r;
}

/*
 * What holds is what job_by_slot says; the file may name two policies, if its controller died while
 * it replaced one. A job that is not in force has no slot, and a number that no other job has.
 */
static enum job_policy policy_in_force(const struct job *job, __u32 *ret_slot)
{
	if (job_policy_slot(job->rulesets->kern, job->label, ret_slot)) {
		*ret_slot = POLICY_SLOTS + job->label.slot;
		return JOB_POLICY;
	}
	return *ret_slot == job->next_policy_slot ? JOB_POLICY_NEXT : JOB_POLICY;
}

static int adopt_rules(struct job *job, struct error *err)
{
	__u32 slot;
	enum job_policy which = policy_in_force(job, &slot);
	_cleanup_free_ char *canonical = NULL;
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	int r = job_state_get_policy(&job->state, which, err, &canonical);

	/* Its controller died when the next policy had taken the other's place already. */
	if (r == -ENOENT && which == JOB_POLICY_NEXT)
		r = job_state_get_policy(&job->state, JOB_POLICY, err, &canonical);
	if (r)
		return r;
	r = policy_parse(canonical, strlen(canonical), "the job's policy", NULL, &diags, &policy);
	if (r) {
		diag_error(&diags, r, "its policy", err);
		error_prefix(err, "job %s cannot be adopted", job->id);
	}
	diag_free(&diags);
	if (!r) {
		policy->owner = job->source ? 0 : job->asked_by;
		r = ruleset_adopt(job->rulesets, policy, job->alerts, slot, err, &job->rules);
	}
	if (r || job->next_policy_slot >= POLICY_SLOTS)
		return r;
	if (which == JOB_POLICY_NEXT)
		job_settle_rules(job);
	else
		job_forget_next_rules(job);
	return 0;
}

/* Its name stays: events tell it. */
void job_let_cgroup_go(struct job *job)
{
	struct kern *kern = job->rulesets->kern;
	bool is_open = job->cgroup.fd >= 0;

	if (!job->is_attached)
		return;
	if (is_open) {
		kern_detach_cgroup(kern, job->cgroup.fd);
		cgroup_loosen_processes(&job->cgroup);
	}
	job_forget_cgroup(kern, job->label);
	if (is_open || !job->state.progress->is_admitted)
		job_unlabel_members(kern, job->label, 0);
	cgroup_let_go(&job->cgroup);
}

/*
 * The controller of an attached job died before it had labelled all that is in the cgroup, which it
 * may have left frozen. If its rules were seen to bite, that is done now; else the cgroup is let go.
 */
static void finish_attaching(struct job *job)
{
	if (job->cgroup.fd < 0 || job->state.progress->is_admitted)
		return;
	if (job->state.progress->is_tested && !admit_cgroup(job, NULL)) {
		job->state.progress->is_admitted = 1;
		return;
	}
	cgroup_freeze(&job->cgroup, false, NULL);
	/* What came in meanwhile would keep the job from its end, and could do nothing. */
	job_let_cgroup_go(job);
}

/*
 * The controller died while it moved the launcher in: what that holds open may not have been looked at,
 * and it was not told that the policy is in force. It does not become the job.
 */
static void end_launcher(struct job *job)
{
	if (!job->state.progress->is_admitted)
		kill_all(job);
}

/*
 * The cgroup was removed when it was empty, and somebody has made another one of its name: what is in
 * that is none of the job's. One that has no label yet was made when the controller died.
 */
static void leave_namesake(struct job *job)
{
	uint64_t id = job_cgroup_id(job->rulesets->kern, job->label);

	if (job->cgroup.fd >= 0 && id != job->cgroup.id && (id || job->state.progress->is_admitted))
		cgroup_close(&job->cgroup);
}

int job_adopt(struct rulesets *rulesets, struct job_state *state, const json_t *content,
	      struct error *err, struct job **ret_job)
{
	_cleanup_(cleanup_job) struct job *job = job_new(rulesets);
	int r;

	if (!job)
		return error_errno(err, -ENOMEM, "cannot adopt the job");
	r = content_read(job, content, err);
	if (r)
		return r;
	/* Gone if the controller died before it was made, or if someone removed it when it was empty. */
	r = cgroup_open(job->cgroup_path, err, &job->cgroup);
	if (r && r != -ENOENT)
		return r;
	job->is_adopted = true;
	job->state = *state;
	r = adopt_rules(job, err);
	if (r) {
		job->state = (struct job_state)JOB_STATE_NONE;
		return r;
	}
	*state = (struct job_state)JOB_STATE_NONE;
	leave_namesake(job);
	if (job->is_attached)
		finish_attaching(job);
	else
		end_launcher(job);
	scratch_find(job);
	*ret_job = TAKE_PTR(job);
	return 0;
}

int job_look(struct rulesets *rulesets, const json_t *content, struct error *err,
	     struct job **ret_job)
{
	_cleanup_(cleanup_job) struct job *job = job_new(rulesets);
	int r = job ? content_read(job, content, err)
		    : error_errno(err, -ENOMEM, "cannot look at a job");

	if (!r)
		r = job_state_look(job->id, err, &job->state);
	if (r)
		return r;
	r = cgroup_open(job->cgroup_path, err, &job->cgroup);
	if (r && r != -ENOENT)
		return r;
	leave_namesake(job);
	/* Nobody is in the middle of attaching it: it was let go, and who is in it is in no job. */
	if (job->is_attached && !job->state.progress->is_admitted)
		cgroup_close(&job->cgroup);
	*ret_job = TAKE_PTR(job);
	return 0;
}

/* --- end -------------------------------------------------------------------------------------- */

int job_kill(struct job *job, enum end_cause cause)
{
	struct job_progress *progress = job->state.progress;

	if (!progress->end_cause)
		progress->end_cause = cause;
	return kill_all(job);
}

static int kill_and_remove_cgroup(struct job *job)
{
	struct timespec pause = { .tv_nsec = REAP_PAUSE_NS };
	int r = -EBUSY;

	for (int i = 0; i < REAP_TRIES && r == -EBUSY; i++) {
		if (i)
			nanosleep(&pause, NULL);
		cgroup_kill(&job->cgroup);
		r = cgroup_remove(&job->cgroup);
	}
	return r;
}

int job_leave_cgroup(struct job *job, struct error *err)
{
	int r;

	if (job->is_attached)
		return 0;
	if (job->cgroup.fd < 0) {
		cgroup_forget(job->cgroup_path);
		return 0;
	}
	r = kill_and_remove_cgroup(job);
	return r ? error_errno(err, r, "cannot remove cgroup %s of job %s", job->cgroup.path,
			       job->id)
		 : 0;
}

int job_end(struct job *job, struct error *err)
{
	struct kern *kern = job->rulesets->kern;
	int r = job_leave_cgroup(job, err);

	if (r)
		return r;
	job_let_cgroup_go(job);
	job_forget_cgroup(kern, job->label);
	job_withdraw(kern, job->label);
	ruleset_put(job->rulesets, TAKE_PTR(job->rules));
	selftest_sweep(job->label);
	job_state_remove(&job->state);
	return 0;
}
