// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reading the site and the policies of running jobs again; see reload.h. */
#include "daemon/reload.h"

#include <errno.h>
#include <string.h>

#include "daemon/prepare.h"
#include "daemon/renew.h"

struct reload {
	struct daemon *daemon;
	const char *job_id;
	struct error *err; /* of the first that failed */
	size_t unchanged, failed;
};

/* The environment was made at the job's start and cannot be made again. */
static int check_environment(const struct job *job, const struct policy *policy, struct error *err)
{
	if (policy->environment.is_present == job->rules->policy->environment.is_present)
		return 0;
	return error_set(err, -EINVAL,
			 "policy \"%s\" has %s environment now, which a running job cannot follow",
			 policy->name, policy->environment.is_present ? "an" : "no");
}

static int load(struct reload *reload, const struct job *job, struct policy **ret_policy)
{
	struct error *err = reload->failed ? NULL : reload->err;
	struct policy *policy;
	int r = prepare_load_policy(reload->daemon->site, job->source, err, &policy);

	if (r)
		return r;
	r = check_environment(job, policy, err);
	if (r)
		policy_free(policy);
	else
		*ret_policy = policy;
	return r;
}

static struct policy *choose(void *arg, const struct job *job)
{
	struct reload *reload = arg;
	struct policy *policy = NULL;

	if (reload->job_id && strcmp(reload->job_id, job->id))
		return NULL;
	if (job->source && load(reload, job, &policy)) {
		reload->failed++;
		return NULL;
	}
	if (policy && strcmp(policy->digest, job->rules->policy->digest))
		return policy;
	reload->unchanged++;
	policy_free(policy);
	return NULL;
}

int daemon_reload(struct daemon *daemon, const char *job_id, struct error *err,
		  size_t *ret_unchanged)
{
	struct reload reload = { .daemon = daemon, .job_id = job_id, .err = err };
	int r = daemon_load_site(daemon, err);

	if (r)
		return r;
	r = renew_policies(daemon->controller, choose, &reload, err);
	if (r < 0)
		return r;
	if (reload.failed) {
		error_prefix(err, "%zu of the jobs keep their rules", reload.failed);
		return err->code;
	}
	if (ret_unchanged)
		*ret_unchanged = reload.unchanged;
	return r;
}
