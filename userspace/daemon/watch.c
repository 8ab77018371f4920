// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One job under a controller's eyes; see watch.h. */
#include "daemon/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alert/ocsf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/controller.h"
#include "daemon/journal.h"
#include "daemon/spent.h"
#include "daemon/tell.h"
#include "kern/jobs.h"
#include "kern/member.h"
#include "kern/publish.h"

/* What one job's ring gets of the loop's time before it is another's turn; and what is written in one go. */
#define TURN_RECORDS 64
/* Who is quicker than the controller shall not keep it for ever: as many as a ring can hold at once. */
#define DRAIN_RECORDS (RING_SIZE / sizeof(struct event) + 1)

/* How long the end of a job waits for its record to be written: with nobody else to look after, and
 * beside other jobs. */
#define LAST_FLUSH_MS 1000
#define END_WAIT_MS 10000

/* --- who and where, for every event ----------------------------------------------------------- */

struct alert_job watch_about(const struct job *job, const struct policy *policy)
{
	return (struct alert_job){
		.id = job->id,
		.policy = policy,
		.cgroup = job->cgroup.name ? job->cgroup.name : job->cgroup_path,
		.command = job->command,
		.origin = job->origin,
		.user = job->user,
		.uid = job->uid,
		.asked_by = job->asked_by,
		.pid = job->pid,
		.start_ms = job->start_ms,
	};
}

static void fill_about(struct watch *watch)
{
	watch->about = watch_about(watch->job, watch->job->rules->policy);
	sinks_name_host(watch->controller->sinks, &watch->about);
}

/* --- events ----------------------------------------------------------------------------------- */

/* What the sink has told since: lines that waited may be written by now. */
static void book(struct watch *watch)
{
	watch->job->state.progress->now.waiting = watch->tally->waiting;
}

/* Takes the reference. */
static void write_event(struct watch *watch, int built, json_t *event)
{
	struct line *line = NULL;

	if (!built && line_new(event, &line))
		line = NULL;
	journal_put(watch, line);
	journal_commit(watch);
	if (!built)
		json_decref(event);
}

/* What the record has been told of its policy. */
static void set_told(struct watch *watch)
{
	struct job_progress_step *step = journal_step(watch);

	snprintf(step->told_digest, sizeof(step->told_digest), "%s", watch->about.policy->digest);
}

void watch_tell_policy(struct watch *watch)
{
	const char *told = watch->job->state.progress->now.told_digest;
	json_t *event = NULL;
	int r;

	if (!strcmp(told, watch->about.policy->digest))
		return;
	r = ocsf_job_policy(&watch->about, told, clock_ms(CLOCK_REALTIME), journal_next(watch),
			    &event);
	set_told(watch);
	write_event(watch, r, event);
}

void watch_announce(struct watch *watch)
{
	json_t *event = NULL;
	int r;

	if (watch->job->state.progress->now.sequence)
		return;
	r = ocsf_job_start(&watch->about, journal_next(watch),
			   backend_name(watch->job->rulesets->kern->backend), watch->self_test,
			   &event);
	set_told(watch);
	write_event(watch, r, event);
}

void watch_tell(struct watch *watch, const char *title, const char *text)
{
	json_t *event = NULL;
	int r = ocsf_finding(&watch->about, title, text, clock_ms(CLOCK_REALTIME),
			     journal_next(watch), &event);

	write_event(watch, r, event);
}

void watch_seen(struct watch *watch)
{
	watch->job->state.progress->seen_ms = clock_ms(CLOCK_REALTIME);
	book(watch);
}

void watch_tell_absence(struct watch *watch)
{
	const struct job_progress *progress = watch->job->state.progress;
	struct job_stats stats = { 0 };
	char text[256];

	if (!progress->is_admitted || progress->now.is_ended || !progress->seen_ms || !watch->ring)
		return;
	job_read_stats(watch->job->rulesets->kern, watch->job->label, &stats);
	snprintf(text, sizeof(text),
		 "for %.1f s no controller looked after the job; its rules stayed in force, %llu "
		 "records waited, and %llu of all so far did not fit the ring",
		 (clock_ms(CLOCK_REALTIME) - (int64_t)progress->seen_ms) / 1000.0,
		 (unsigned long long)(stats.emitted + stats.folded - progress->now.delivered -
				      progress->now.malformed),
		 (unsigned long long)alert_sum(stats.lost));
	watch_tell(watch, "Controller was away", text);
}

/* A record is explained by the rules it was decided by. */
static struct alert_job about_record(const struct watch *watch, const struct event *event)
{
	struct alert_job about = watch->about;

	if (watch->previous && event->policy == watch->previous->slot)
		about.policy = watch->previous->policy;
	return about;
}

/* One event for a record, or for what a fold has counted. Returns whether it will be written. */
static bool put_decision(struct watch *watch, const struct decoded_event *decoded)
{
	struct alert_job about = about_record(watch, &decoded->event);
	struct line *line = NULL;
	const char *first = NULL;

	if (!ocsf_decision(&about, decoded, journal_next(watch),
			   clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME), &line))
		first = kinds_count(&watch->kinds, &decoded->event, decoded->cnt, line);
	if (first && watch->tell_fd >= 0)
		tell_line(watch->tell_fd, first);
	journal_step(watch)->delivered += decoded->cnt;
	return journal_put(watch, line);
}

/*
 * Before the rules were seen to bite nothing is under them but the canary, and what comes into a cgroup
 * that is being attached. What they have left when their controller was killed is no act of the job.
 */
static bool is_of_canary(const struct watch *watch)
{
	return !watch->job->state.progress->is_tested;
}

/*
 * Only records that become events one after the other share a step: whoever adopts the job tells by
 * how many events are in the file which of them did.
 */
static void on_record(void *arg, const void *data, size_t len)
{
	struct watch *watch = arg;
	struct decoded_event decoded = { 0 };

	if (is_of_canary(watch))
		return;
	if (decode_event(data, len, &decoded)) {
		journal_step(watch)->malformed++;
		journal_commit(watch);
		return;
	}
	folds_see(&watch->folds, data, len);
	ancestry_find(&watch->controller->ancestry, &decoded);
	if (watch->skip)
		watch->skip--;
	else if (!put_decision(watch, &decoded))
		journal_commit(watch);
	decoded_event_free(&decoded);
}

/* Returns whether there may be more. */
static bool take_records(struct watch *watch)
{
	size_t cnt = watch->ring ? ring_take(watch->ring, TURN_RECORDS) : 0;

	journal_commit(watch);
	return cnt == TURN_RECORDS;
}

/* A step of its own: it is taken or not by whether its one event is in the file. */
static void take_fold(struct watch *watch, size_t i, bool is_drained)
{
	struct decoded_event decoded = { 0 };
	struct fold_reading reading;
	int r = folds_next(&watch->folds, i, is_drained, &decoded, &reading);

	if (r <= 0 && r != -EBADMSG)
		return;
	journal_step(watch)->fold = i + 1;
	journal_step(watch)->fold_told = reading.counted;
	if (r == -EBADMSG)
		journal_step(watch)->malformed += reading.cnt;
	else
		put_decision(watch, &decoded);
	journal_commit(watch);
	decoded_event_free(&decoded);
}

static void take_folds(struct watch *watch, bool is_drained)
{
	for (size_t i = 0; !is_of_canary(watch) && i < FOLDS; i++)
		take_fold(watch, i, is_drained);
}

void watch_drain(struct watch *watch)
{
	size_t cnt = 0;

	while (take_records(watch) && cnt < DRAIN_RECORDS)
		cnt += TURN_RECORDS;
	take_folds(watch, true);
}

void watch_take(struct watch *watch)
{
	take_records(watch);
}

void watch_take_repeats(struct watch *watch)
{
	bool has_more = take_records(watch);

	take_folds(watch, !has_more);
}

/* --- life ------------------------------------------------------------------------------------- */

static int open_ring(struct watch *watch, struct error *err)
{
	const struct job *job = watch->job;
	int r = ring_open(job->rulesets->kern, job->label, on_record, watch, err, &watch->ring);

	/* Its controller died before the job got that far. */
	if (r == -ENOENT && job->is_adopted)
		return 0;
	if (!r)
		r = folds_open(&watch->folds, job->rulesets->kern, job->label);
	return r;
}

void watch_drop(struct watch *watch)
{
	folds_close(&watch->folds);
	ring_close(watch->ring);
	tally_unref(watch->tally);
	kinds_free(&watch->kinds);
	cleanup_fd(&watch->tell_fd);
	free(watch);
}

int watch_new(struct controller *controller, struct job *job, struct sink *sink, struct error *err,
	      struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return error_errno(err, -ENOMEM, "cannot watch the job");
	watch->controller = controller;
	watch->job = job;
	watch->tell_fd = -1;
	fill_about(watch);
	watch->tally = tally_new();
	r = watch->tally ? open_ring(watch, err) : error_errno(err, -ENOMEM, "cannot watch the job");
	if (r) {
		watch_drop(watch);
		return r;
	}
	watch->sink = sink;
	journal_adopt(watch);
	watch->ring_source.fd = -1;
	watch->cgroup_source.fd = -1;
	*ret_watch = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	sinks_release(watch->controller->sinks, watch->sink);
	json_decref(watch->self_test);
	job_free(watch->job);
	watch_drop(watch);
}

/* A task that was moved out of the cgroup is still the job's, and still under its policy. */
static bool has_strays(struct watch *watch)
{
	bool any = true;

	watch->has_strays = member_any(watch->job->rulesets->kern, watch->job->label, &any) || any;
	return watch->has_strays;
}

bool watch_is_over(struct watch *watch)
{
	bool populated = true;
	int r = -ENODEV;

	/* Removed by someone else, which the kernel allows only when it is empty: ENODEV. */
	if (watch->job->cgroup.fd >= 0)
		r = cgroup_is_populated(&watch->job->cgroup, &populated);
	watch->has_strays = false;
	return (r == -ENODEV || !populated) && !has_strays(watch);
}

/* --- other rules ------------------------------------------------------------------------------ */

int watch_replace(struct watch *watch, struct ruleset *rules, struct error *err)
{
	int r;

	watch_drain(watch);
	r = job_replace(watch->job, rules, err, &watch->previous);
	if (r)
		return r;
	watch->about.policy = rules->policy;
	/* Now, or it would be taken for one that somebody has lifted; if it fails, it is tried again. */
	job_limit_processes(watch->job, NULL);
	return 0;
}

void watch_settle(struct watch *watch)
{
	struct ruleset *previous = watch->previous;

	if (!previous)
		return;
	watch_drain(watch);
	watch->previous = NULL;
	watch_tell_policy(watch);
	ruleset_put(watch->job->rulesets, previous);
}

/* --- the end ---------------------------------------------------------------------------------- */

void watch_kill_again(struct watch *watch)
{
	if (watch->job->state.progress->end_cause)
		job_kill(watch->job, watch->job->state.progress->end_cause);
}

void watch_stop_at_loss(struct watch *watch)
{
	const struct job_progress *progress = watch->job->state.progress;
	struct job_stats stats = { 0 };
	uint64_t lost;
	char text[256];

	if (watch->job->rules->policy->on_audit_loss != AUDIT_LOSS_STOP || !progress->is_admitted ||
	    progress->end_cause)
		return;
	job_read_stats(watch->job->rulesets->kern, watch->job->label, &stats);
	lost = alert_sum(stats.lost) + progress->now.malformed + progress->write_failures;
	if (!lost)
		return;
	snprintf(text, sizeof(text),
		 "%" PRIu64 " events of the job are missing in its record; it is killed, because "
		 "the policy's on_audit_loss is \"stop\"", lost);
	watch_tell(watch, "Evidence lost", text);
	job_kill(watch->job, END_BY_LOSS);
}

static const char *end_reason(const struct job_progress *progress)
{
	if (!progress->is_admitted)
		return "it was not started";
	switch ((enum end_cause)progress->end_cause) {
	case END_BY_RUNTIME: return "killed: it ran as long as limits.runtime allows";
	case END_BY_KILL: return "killed by request";
	case END_BY_LOSS: return "killed: its record is incomplete, and on_audit_loss is \"stop\"";
	case END_BY_ITSELF: break;
	}
	return "its last process is gone";
}

/*
 * Sockets outlive the processes that had them, and send what they still have: until the job is over,
 * which it is from here on. So what is told is the last count.
 */
static void read_spent(struct watch *watch, struct alert_end *end)
{
	struct kern *kern = watch->job->rulesets->kern;

	if (!watch->job->state.progress->is_admitted || !spent_is_counted(watch->job))
		return;
	job_suspend(kern, watch->job->label);
	policy_barrier(NULL);
	end->budgets = spent_budgets(watch->job);
	end->destinations = spent_by_destination(watch->job);
}

static void write_end(struct watch *watch, const struct job_stats *stats)
{
	const struct job_progress *progress = watch->job->state.progress;
	struct alert_end end = {
		.end_ms = clock_ms(CLOCK_REALTIME),
		.stats = *stats,
		.delivered = progress->now.delivered,
		.malformed = progress->now.malformed,
		.write_failures = progress->write_failures,
		.waiting = watch->tally->waiting,
		.adopted = watch->job->is_adopted,
		.reason = end_reason(progress),
	};
	json_t *event = NULL;
	int r;

	/* By a controller that could not remove the job then. */
	if (progress->now.is_ended)
		return;
	read_spent(watch, &end);
	r = ocsf_job_end(&watch->about, &end, journal_next(watch), &event);
	json_decref(end.budgets);
	json_decref(end.destinations);
	journal_step(watch)->is_ended = 1;
	write_event(watch, r, event);
}

/*
 * The job's files say that an end is owed: they stay until it stands in the record. Not for ever,
 * because a sink may be dead; what waits longer is lost only with this process.
 */
static bool is_end_owed(struct watch *watch)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (!watch->end_due_ms)
		watch->end_due_ms = now + END_WAIT_MS;
	watch->is_end_owed = watch->tally->waiting && watch->controller->is_daemon &&
			     now < watch->end_due_ms;
	return watch->is_end_owed;
}

int watch_finish(struct watch *watch, struct error *err)
{
	struct job_stats stats = { 0 };

	job_let_cgroup_go(watch->job);
	watch_drain(watch);
	/* Nobody else waits for a controller of one job, and a reader may just be slow. */
	if (watch->tally->waiting && !watch->controller->is_daemon)
		sinks_flush(watch->controller->sinks, LAST_FLUSH_MS);
	if (watch->ring && !is_of_canary(watch))
		job_read_stats(watch->job->rulesets->kern, watch->job->label, &stats);
	write_end(watch, &stats);
	if (is_end_owed(watch))
		return job_leave_cgroup(watch->job, err) ?: -EAGAIN;
	return job_end(watch->job, err);
}
