// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Other rules for a job that runs; see replace.h and lifecycle.h. */
#include "job/replace.h"

#include <errno.h>

#include "base/cleanup.h"
#include "job/content.h"
#include "kern/budget.h"
#include "kern/jobs.h"
#include "kern/names.h"

int job_make_spent(struct job *job, const struct policy *policy, struct error *err)
{
	int r = spent_make(job->rulesets->kern, job->label, policy);

	return r ? error_errno(err, r, "cannot count what the job sends") : 0;
}

/* The file names both rule sets until the store, which decides, has been made. */
static int write_next(struct job *job, struct ruleset *rules, struct error *err)
{
	json_auto_t *content = NULL;
	int policy_fd = ruleset_policy_fd(rules, err), r;

	if (policy_fd < 0)
		return policy_fd;
	r = job_state_put_policy(&job->state, JOB_POLICY_NEXT, policy_fd, err);
	if (r)
		return r;
	job->next_policy_slot = rules->slot;
	content = content_of(job);
	return content ? job_state_update(&job->state, content, err)
		       : error_errno(err, -ENOMEM, "cannot write the job's state");
}

/* As far as it can be: an adopter looks at job_by_slot before it believes the file. */
static void try_update_state(struct job *job)
{
	json_auto_t *content = content_of(job);

	if (content)
		job_state_update(&job->state, content, NULL);
}

/* Nothing here may fail the replacement, which has happened. */
void job_settle_rules(struct job *job)
{
	int r = job_state_settle_policy(&job->state, NULL);

	job->next_policy_slot = POLICY_SLOTS;
	/* -ENOENT: a controller that died had come that far. */
	if (!r || r == -ENOENT)
		try_update_state(job);
}

/* The slot of rules that did not come into force is another policy's soon. */
void job_forget_next_rules(struct job *job)
{
	job->next_policy_slot = POLICY_SLOTS;
	try_update_state(job);
}

/* The first rules of a job's that have resolvers. In a cgroup that is gone nobody makes sockets. */
static int prepare_names(struct job *job, const struct ruleset *rules, struct error *err)
{
	struct kern *kern = job->rulesets->kern;
	int r;

	if (!names_are_in(kern, rules->slot) || names_are_in(kern, job->rules->slot))
		return 0;
	r = names_begin(kern, job->label, err);
	return r || job->cgroup.fd < 0 ? r : kern_attach_dns(kern, job->cgroup.fd, err);
}

int job_replace(struct job *job, struct ruleset *rules, struct error *err, struct ruleset **ret_old)
{
	int r = ruleset_publish(job->rulesets, rules, err);

	if (!r)
		r = write_next(job, rules, err);
	if (!r)
		r = prepare_names(job, rules, err);
	if (!r)
		r = job_make_spent(job, rules->policy, err);
	if (!r)
		r = job_replace_policy(job->rulesets->kern, job->label, rules->slot, err);
	if (r) {
		job_forget_next_rules(job);
		return r;
	}
	*ret_old = job->rules;
	job->rules = rules;
	job_settle_rules(job);
	return 0;
}

int job_refresh(struct job *job, struct error *err)
{
	return job_replace_policy(job->rulesets->kern, job->label, job->rules->slot, err);
}
