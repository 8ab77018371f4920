// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What is said of a job as a whole: its start and end (1006) and findings about its record (2004);
 * see ocsf.h.
 */
#include <errno.h>
#include <stdio.h>

#include "alert/ocsf_common.h"
#include "alert/text.h"
#include "base/cleanup.h"
#include "policy/value.h"

uint64_t alert_sum(const __u64 by_kind[static EVENT_KINDS])
{
	uint64_t sum = 0;

	for (size_t i = 0; i < EVENT_KINDS; i++)
		sum += by_kind[i];
	return sum;
}

bool alert_end_complete(const struct alert_end *end)
{
	const struct job_stats *stats = &end->stats;

	return alert_sum(stats->lost) == 0 && end->malformed == 0 && end->write_failures == 0 &&
	       end->waiting == 0 && end->delivered == stats->emitted + stats->folded &&
	       stats->sequence == stats->emitted + stats->folded;
}

static json_t *new_actor(const struct alert_job *job)
{
	return json_pack("{s:o, s:o}", "process", ocsf_job_process(job), "user",
			 ocsf_user(job->uid, job->user));
}

static bool put_job(json_t *event, const struct alert_job *job, int run_state)
{
	return ocsf_put(event, "actor", new_actor(job)) &&
	       ocsf_put(event, "job", ocsf_job(job, run_state));
}

/* What the events have in common that leave the job running. */
static bool put_running(json_t *event, const struct alert_job *job, json_t *details)
{
	return ocsf_put_status(event, STATUS_SUCCESS, NULL, NULL) &&
	       put_job(event, job, RUN_STATE_RUNNING) &&
	       ocsf_put(event, "unmapped", json_pack("{s:O}", "jobcage", details));
}

/* A stream for a sentence that begins 'job ID does policy NAME'; *ret_err is what that came to. */
static FILE *open_sentence(const struct alert_job *job, const char *does, char **text, size_t *len,
			   int *ret_err)
{
	FILE *out = open_memstream(text, len);
	int r;

	if (!out)
		return NULL;
	fputs("job ", out);
	r = text_put(out, job->id);
	fprintf(out, " %s policy ", does);
	*ret_err = r ? r : text_put(out, job->policy->name ? job->policy->name : "");
	return out;
}

static char *start_message(const struct alert_job *job)
{
	char *text = NULL;
	size_t len;
	int err;
	FILE *out = open_sentence(job, "started under", &text, &len, &err);

	if (!out)
		return NULL;
	fputs(job->policy->mode == MODE_AUDIT ?
		      " in audit mode: violations are reported, not denied" :
		      " in enforce mode",
	      out);
	return text_finish(out, &text, err);
}

int ocsf_job_start(const struct alert_job *job, uint64_t sequence, const char *backend,
		   json_t *self_test, json_t **ret_event)
{
	_cleanup_free_ char *message = start_message(job);
	const struct ocsf_head head = {
		.class = CLASS_JOB,
		.activity = JOB_START,
		.code = "job_start",
		.message = message,
		.severity = SEVERITY_INFORMATIONAL,
		.time_ms = (int64_t)job->start_ms,
		.start_ms = (int64_t)job->start_ms,
		.sequence = sequence,
	};
	json_auto_t *event = message ? ocsf_event(job, &head) : NULL;
	json_auto_t *details = json_pack("{s:s, s:I}", "mode", word_text(&mode_words, job->policy->mode),
					 "asked_by", (json_int_t)job->asked_by);

	if (!event || !details || !ocsf_put_text(details, "backend", backend) ||
	    !ocsf_put_text(details, "cgroup", job->cgroup) ||
	    (self_test && !ocsf_put(details, "self_test", json_incref(self_test))) ||
	    !put_running(event, job, details))
		return -ENOMEM;
	*ret_event = json_incref(event);
	return 0;
}

static char *policy_message(const struct alert_job *job, const char *old)
{
	char *text = NULL;
	size_t len;
	int err;
	FILE *out = open_sentence(job, "obeys", &text, &len, &err);

	if (!out)
		return NULL;
	fprintf(out, " (%.12s) from now on, instead of %.12s", job->policy->digest, old);
	return text_finish(out, &text, err);
}

int ocsf_job_policy(const struct alert_job *job, const char *old, uint64_t time_ms,
		    uint64_t sequence, json_t **ret_event)
{
	_cleanup_free_ char *message = policy_message(job, old);
	const struct ocsf_head head = {
		.class = CLASS_JOB,
		.activity = JOB_UPDATE,
		.code = "job_policy",
		.message = message,
		.severity = SEVERITY_INFORMATIONAL,
		.time_ms = (int64_t)time_ms,
		.start_ms = (int64_t)time_ms,
		.sequence = sequence,
	};
	json_auto_t *event = message ? ocsf_event(job, &head) : NULL;
	json_auto_t *details = json_pack("{s:s, s:s, s:s}", "mode", word_text(&mode_words, job->policy->mode),
					 "old_digest", old, "new_digest", job->policy->digest);

	if (!event || !details || !put_running(event, job, details))
		return -ENOMEM;
	*ret_event = json_incref(event);
	return 0;
}

/* Says first what a reader wants to know: was anything denied, is anything missing. */
static char *end_message(const struct alert_job *job, const struct alert_end *end)
{
	const struct job_stats *stats = &end->stats;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int err;

	if (!out)
		return NULL;
	fputs("job ", out);
	err = text_put(out, job->id);
	fputs(" ended", out);
	if (end->reason)
		fprintf(out, " (%s)", end->reason);
	fprintf(out, ": %llu denied", (unsigned long long)alert_sum(stats->denied));
	if (alert_sum(stats->would_deny))
		fprintf(out, ", %llu would have been denied",
			(unsigned long long)alert_sum(stats->would_deny));
	if (alert_end_complete(end))
		fputs("; the record is complete", out);
	else
		fprintf(out,
			"; the record is INCOMPLETE: of %llu decisions to record, %llu were delivered, %llu did not fit "
			"the ring, %llu were malformed and %llu events could not be written; %llu wait",
			(unsigned long long)stats->sequence, (unsigned long long)end->delivered,
			(unsigned long long)alert_sum(stats->lost), (unsigned long long)end->malformed,
			(unsigned long long)end->write_failures, (unsigned long long)end->waiting);
	return text_finish(out, &text, err);
}

static json_t *new_counts(const __u64 counts[static EVENT_KINDS])
{
	return json_pack("{s:I, s:I, s:I, s:I}", "file", (json_int_t)counts[EVENT_FILE], "exec",
			 (json_int_t)counts[EVENT_EXEC], "network", (json_int_t)counts[EVENT_NET],
			 "guard", (json_int_t)counts[EVENT_GUARD]);
}

/* Only of a job whose policy counts. */
static bool put_spent(json_t *details, const char *key, json_t *spent)
{
	return !json_array_size(spent) || ocsf_put(details, key, json_incref(spent));
}

static json_t *new_end_details(const struct alert_end *end)
{
	const struct job_stats *stats = &end->stats;
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
		{ "decisions", stats->sequence },
		{ "emitted", stats->emitted },
		{ "folded", stats->folded },
		{ "delivered", end->delivered },
		{ "lost", alert_sum(stats->lost) },
		{ "malformed", end->malformed },
		{ "write_failures", end->write_failures },
		{ "waiting", end->waiting },
		{ "without_path", stats->path_failures },
		{ "fork_failures", stats->fork_failures },
		{ "names_lost", stats->names_lost },
		{ "connections_cut", stats->cut },
	};
	json_auto_t *details = json_pack("{s:b, s:b, s:o, s:o, s:o}", "complete", alert_end_complete(end),
					 "adopted", end->adopted, "denied", new_counts(stats->denied),
					 "would_deny", new_counts(stats->would_deny),
					 "lost_by_kind", new_counts(stats->lost));

	if (!details)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (!ocsf_put(details, counts[i].name, json_integer((json_int_t)counts[i].value)))
			return NULL;
	if (!put_spent(details, "budgets", end->budgets) ||
	    !put_spent(details, "destinations", end->destinations))
		return NULL;
	return json_incref(details);
}

static bool put_duration(json_t *event, const struct alert_job *job, const struct alert_end *end)
{
	if (!job->start_ms || end->end_ms < job->start_ms)
		return true;
	return ocsf_put(event, "duration", json_integer((json_int_t)(end->end_ms - job->start_ms)));
}

int ocsf_job_end(const struct alert_job *job, const struct alert_end *end, uint64_t sequence,
		 json_t **ret_event)
{
	_cleanup_free_ char *message = end_message(job, end);
	bool is_complete = alert_end_complete(end);
	const struct ocsf_head head = {
		.class = CLASS_JOB,
		.activity = ACTIVITY_OTHER,
		.activity_name = "End",
		.code = "job_end",
		.message = message,
		.severity = is_complete ? SEVERITY_INFORMATIONAL : SEVERITY_MEDIUM,
		.time_ms = (int64_t)end->end_ms,
		.start_ms = (int64_t)job->start_ms,
		.sequence = sequence,
	};
	json_auto_t *event = message ? ocsf_event(job, &head) : NULL;

	if (!event ||
	    !ocsf_put_status(event, is_complete ? STATUS_SUCCESS : STATUS_FAILURE,
			     is_complete ? "complete" : "incomplete", end->reason) ||
	    !put_duration(event, job, end) || !put_job(event, job, RUN_STATE_STOPPED) ||
	    !ocsf_put(event, "unmapped", json_pack("{s:o}", "jobcage", new_end_details(end))))
		return -ENOMEM;
	*ret_event = json_incref(event);
	return 0;
}

static json_t *new_finding_info(const struct alert_job *job, const struct ocsf_head *head,
				const char *title)
{
	_cleanup_free_ char *id = text_escape(job->id);

	if (!id)
		return NULL;
	return json_pack("{s:o, s:o, s:s, s:I}", "uid",
			 json_sprintf("%s:%llu", id, (unsigned long long)head->sequence), "title",
			 text_json(title), "desc", head->message, "created_time",
			 (json_int_t)head->time_ms);
}

static bool put_finding(json_t *event, const struct alert_job *job)
{
	return ocsf_put(event, "status_id", json_integer(FINDING_STATUS_NEW)) &&
	       ocsf_put(event, "status", json_string("New")) &&
	       ocsf_put(event, "is_alert", json_true()) &&
	       ocsf_put(event, "actor", new_actor(job)) &&
	       ocsf_put(event, "evidences",
			json_pack("[{s:o}]", "job", ocsf_job(job, RUN_STATE_UNKNOWN)));
}

int ocsf_finding(const struct alert_job *job, const char *title, const char *text, uint64_t time_ms,
		 uint64_t sequence, json_t **ret_event)
{
	_cleanup_free_ char *message = text_escape(text);
	const struct ocsf_head head = {
		.class = CLASS_FINDING,
		.activity = FINDING_CREATE,
		.code = "finding",
		.message = message,
		.severity = SEVERITY_HIGH,
		.time_ms = (int64_t)time_ms,
		.start_ms = (int64_t)time_ms,
		.sequence = sequence,
	};
	json_auto_t *event = message ? ocsf_event(job, &head) : NULL;

	if (!event || !put_finding(event, job) ||
	    !ocsf_put(event, "finding_info", new_finding_info(job, &head, title)))
		return -ENOMEM;
	*ret_event = json_incref(event);
	return 0;
}
