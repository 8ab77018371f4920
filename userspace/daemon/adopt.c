// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Jobs whose controller died; see adopt.h. */
#include "daemon/adopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "daemon/warn.h"
#include "job/content.h"
#include "kern/publish.h"

static int use_sink(struct sinks *sinks, const struct job *job, struct error *err,
		    struct sink **ret_sink)
{
	if (strcmp(job->alerts, "-") && !sinks_use(sinks, job->alerts, err, ret_sink))
		return 0;
	/* However bad it looks: a job that nobody looks after is worse. */
	if (!sinks_use(sinks, DEFAULT_ALERTS, err, ret_sink))
		return 0;
	return sinks_expect(sinks, DEFAULT_ALERTS, err, ret_sink);
}

static int watch_orphan(struct controller *controller, struct job *job, struct error *err)
{
	struct sink *sink = NULL;
	struct watch *watch;
	int r = use_sink(controller->sinks, job, err, &sink);

	if (!r)
		r = controller_add(controller, job, sink, err, &watch);
	if (r) {
		sinks_release(controller->sinks, sink);
		return r;
	}
	/* Its controller may have died before the start, or a change of policy, was written. */
	watch_announce(watch);
	watch_tell_policy(watch);
	watch_tell_absence(watch);
	watch_seen(watch);
	/* Or before it had killed what was to be killed, which makes no more processes as it is. */
	if (job->state.progress->end_cause)
		watch_kill(watch, job->state.progress->end_cause);
	return 0;
}

static int adopt_one(struct controller *controller, struct job_state *state, const json_t *content,
		     struct error *err)
{
	struct job *job;
	int r = job_adopt(&controller->rulesets, state, content, err, &job);

	if (r)
		return r;
	r = watch_orphan(controller, job, err);
	if (!r)
		return 0;
	*state = job->state;
	job->state = (struct job_state)JOB_STATE_NONE;
	ruleset_forget(&controller->rulesets, job->rules);
	job_free(job);
	return r;
}

/* Orphans that could not be adopted. Held until all are seen, so that the search passes over them. */
struct failed {
	struct job_state *items;
	size_t cnt;
};

static void failed_free(struct failed *failed)
{
	for (size_t i = 0; i < failed->cnt; i++)
		job_state_close(&failed->items[i]);
	free(failed->items);
}

/* Takes the state. Returns false if it could not be held. */
static bool hold(struct failed *failed, struct job_state *state)
{
	struct job_state *items =
		realloc(failed->items, (failed->cnt + 1) * sizeof(*failed->items));

	if (!items) {
		job_state_close(state);
		return false;
	}
	failed->items = items;
	failed->items[failed->cnt++] = *state;
	return true;
}

/* Returns whether there may be more. */
static bool adopt_next(struct controller *controller, struct failed *failed)
{
	struct job_state state = JOB_STATE_NONE;
	json_auto_t *content = NULL;
	struct error err = { 0 };
	int r = job_state_adopt(&err, &state, &content);
	bool is_found = r > 0;

	if (is_found)
		r = adopt_one(controller, &state, content, &err);
	if (r < 0)
		warn(&err);
	return is_found && (!r || hold(failed, &state));
}

/*
 * Who left orphans may have died between publishing a policy and using it. Rules of our own that no
 * job obeys yet, or any more, are not that.
 */
static void withdraw_leftovers(struct controller *controller)
{
	_cleanup_free_ bool *is_kept = calloc(POLICY_SLOTS, sizeof(*is_kept));
	struct error err = { 0 };

	if (!is_kept)
		return;
	for (const struct ruleset *r = controller->rulesets.first; r; r = r->next) {
		if (r->slot < POLICY_SLOTS)
			is_kept[r->slot] = true;
		if (r->old_slot < POLICY_SLOTS)
			is_kept[r->old_slot] = true;
	}
	if (policy_withdraw_unused(controller->kern, is_kept, &err))
		warn(&err);
}

/* Trouble with one orphan must not keep others, or a new job, from being looked after. */
void adopt_orphans(struct controller *controller)
{
	_cleanup_(failed_free) struct failed failed = { 0 };
	size_t before = controller->watch_cnt;

	while (adopt_next(controller, &failed))
		;
	if (controller->watch_cnt > before)
		withdraw_leftovers(controller);
}

/* The end of an orphan of another build: its ring cannot be read by this one. */
static int end_foreign(struct job_state *state, const json_t *content)
{
	_cleanup_free_ char *path = content_to_bytes(json_object_get(content, "cgroup"));
	bool is_attached = json_is_true(json_object_get(content, "is_attached"));
	struct cgroup cgroup = CGROUP_NONE;
	bool populated = true;
	int r = path ? cgroup_open(path, NULL, &cgroup) : -ENOMEM;

	if (r == -ENOENT)
		populated = false;
	else if (!r)
		r = cgroup_is_populated(&cgroup, &populated);
	if (!populated) {
		if (!r && !is_attached)
			cgroup_remove(&cgroup);
		fprintf(stderr,
			"jobcage: warning: job %s of another build has ended; its last events are lost\n",
			state->id);
		job_state_remove(state);
	}
	cgroup_close(&cgroup);
	return populated ? -EBUSY : 0;
}

int adopt_clear_other_build(void)
{
	for (;;) {
		_cleanup_(job_state_close) struct job_state state = JOB_STATE_NONE;
		json_auto_t *content = NULL;
		int r = job_state_adopt(NULL, &state, &content);

		if (r <= 0)
			break;
		r = end_foreign(&state, content);
		if (r)
			return r;
	}
	return job_state_any() ? -EBUSY : kern_remove(NULL);
}
