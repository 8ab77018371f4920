// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Jobs as the commands show them; see report.h. */
#include "daemon/report.h"

#include <errno.h>

#include "alert/ocsf.h"
#include "alert/text.h"
#include "base/cleanup.h"
#include "daemon/spent.h"
#include "job/content.h"
#include "job/state.h"
#include "kern/jobs.h"
#include "policy/value.h"

/* Takes the reference. */
static bool put(json_t *object, const char *key, json_t *value)
{
	return !json_object_set_new(object, key, value);
}

json_t *report_job(const struct watch *watch)
{
	const struct job *job = watch->job;
	const struct policy *policy = job->rules->policy;
	json_t *report =
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:o, s:b, s:b}",
			  "job", job->id, "policy", policy->name, "digest", policy->digest, "mode",
			  word_text(&mode_words, policy->mode), "command", text_json(job->command),
			  "user", job->user, "uid", (json_int_t)job->uid, "asked_by",
			  (json_int_t)job->asked_by, "pid", (json_int_t)job->pid, "start_ms",
			  (json_int_t)job->start_ms, "cgroup", text_json(job->cgroup_path),
			  "attached", job->is_attached, "adopted", job->is_adopted);

	return report;
}

static json_t *counts(const __u64 by_kind[static EVENT_KINDS])
{
	return json_pack("{s:I, s:I, s:I, s:I}", "file", (json_int_t)by_kind[EVENT_FILE], "exec",
			 (json_int_t)by_kind[EVENT_EXEC], "network",
			 (json_int_t)by_kind[EVENT_NET], "guard",
			 (json_int_t)by_kind[EVENT_GUARD]);
}

static json_t *record_state(const struct watch *watch, const struct job_stats *stats)
{
	const struct job_progress *progress = watch->job->state.progress;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "decisions", (json_int_t)stats->sequence,
			 "delivered", (json_int_t)progress->now.delivered, "lost",
			 (json_int_t)alert_sum(stats->lost), "folded", (json_int_t)stats->folded,
			 "malformed", (json_int_t)progress->now.malformed,
			 "write_failures", (json_int_t)progress->write_failures, "waiting",
			 (json_int_t)watch->tally->waiting, "events",
			 (json_int_t)progress->now.sequence);
}

json_t *report_status(const struct watch *watch)
{
	const struct policy *policy = watch->job->rules->policy;
	struct job_stats stats = { 0 };
	json_auto_t *report = report_job(watch);

	job_read_stats(watch->job->rulesets->kern, watch->job->label, &stats);
	if (!report || !put(report, "denied", counts(stats.denied)) ||
	    !put(report, "would_deny", counts(stats.would_deny)) ||
	    !put(report, "record", record_state(watch, &stats)) ||
	    !put(report, "kinds", kinds_report(&watch->kinds)) ||
	    !put(report, "budgets", spent_budgets(watch->job)) ||
	    !put(report, "names_lost", json_integer((json_int_t)stats.names_lost)) ||
	    !put(report, "connections_cut", json_integer((json_int_t)stats.cut)) ||
	    !put(report, "rules", json_integer(policy->rule_cnt)) ||
	    !put(report, "source",
		 watch->job->source ? text_json(watch->job->source) : json_null()) ||
	    !put(report, "alerts", text_json(watch->job->alerts)) ||
	    !put(report, "runtime_ms", json_integer(policy->limits.runtime_ms)) ||
	    !put(report, "backend",
		 json_string(backend_name(watch->job->rulesets->kern->backend))) ||
	    !put(report, "self_test",
		 watch->self_test ? json_incref(watch->self_test) : json_null()))
		return NULL;
	return json_incref(report);
}

/* --- jobs of others --------------------------------------------------------------------------- */

struct others {
	const struct controller *controller; /* NULL: none of the jobs is ours */
	json_t *jobs;
	int err;
};

/* Text stands in a state file as it is, of any bytes. NULL: this is neither that nor a number. */
static json_t *shown(json_t *value)
{
	_cleanup_free_ char *bytes = NULL;

	if (json_is_integer(value))
		return json_incref(value);
	bytes = content_to_bytes(value);
	return bytes ? text_json(bytes) : NULL;
}

static void add_other(void *arg, const json_t *content)
{
	static const char *const keys[] = { "policy",   "digest", "command",  "user",  "uid",
					    "asked_by", "pid",    "start_ms", "cgroup" };
	const char *id = json_string_value(json_object_get(content, "id"));
	struct others *others = arg;
	json_auto_t *report = NULL;

	if (!id || (others->controller && controller_find(others->controller, id)))
		return;
	report = json_pack("{s:s, s:b}", "job", id, "attached",
			   json_is_true(json_object_get(content, "is_attached")));
	for (size_t i = 0; report && i < ARRAY_SIZE(keys); i++) {
		json_t *value = shown(json_object_get(content, keys[i]));

		if (value && !put(report, keys[i], value))
			others->err = -ENOMEM;
	}
	if (!report || json_array_append(others->jobs, report))
		others->err = -ENOMEM;
}

int report_others(const struct controller *controller, json_t *jobs)
{
	struct others others = { .controller = controller, .jobs = jobs };
	int r = job_state_each(add_other, &others);

	return r ? r : others.err;
}
