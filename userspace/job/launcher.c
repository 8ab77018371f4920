// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* May the launcher become the job? See launcher.h. */
#include "job/launcher.h"

#include <errno.h>

#include "job/inherited.h"
#include "job/process.h"
#include "kern/member.h"

/*
 * A user's launcher that has executed a set-user-ID program since it asked would have that do its
 * work under rules that the user chose. Under the label it can execute only what those allow.
 */
static int check_unraised(const struct job_request *request, struct error *err)
{
	int r = request->asked_by ? process_check_unraised(request->pid, request->pidfd,
							   request->asked_by, request->asked_by_gid)
				  : 0;

	if (r == -EPERM)
		return error_set(err, r,
				 "process %d has other rights than the one that asked: it has "
				 "executed a program that gives them",
				 request->pid);
	return r ? error_errno(err, r, "cannot look at process %d", request->pid) : 0;
}

/* r, any: of a look at all that carry the label. */
static int refuse_if(bool any, int r, const struct job_request *request, const char *why,
		     struct error *err)
{
	if (r)
		return error_errno(err, r, "cannot look at process %d", request->pid);
	return any ? error_set(err, -EPERM, "process %d %s", request->pid, why) : 0;
}

/* A program that it has begun to execute was judged when it was in no job, and its rights come last. */
static int check_not_executing(const struct job *job, const struct job_request *request,
			       struct error *err)
{
	bool any = false;
	int r = member_any_in_execve(job->rulesets->kern, job->label, &any);

	return refuse_if(any, r, request, "executes a program; it must wait for the answer first",
			 err);
}

/* A process outside could open in it what the job may not, at any time. */
static int check_own_files(const struct job *job, const struct job_request *request,
			   struct error *err)
{
	bool any = false;
	int r = member_any_shares_files(job->rulesets->kern, job->label, &any);

	return refuse_if(any, r, request,
			 "shares its table of descriptors with a process that is not to be in the "
			 "job; let it take one of its own first (unshare, CLONE_FILES)",
			 err);
}

int launcher_check(const struct job *job, const struct job_request *request, struct error *err)
{
	int r = check_not_executing(job, request, err);

	if (!r)
		r = check_unraised(request, err);
	if (!r)
		r = check_own_files(job, request, err);
	return r ? r : inherited_check(job, request, err);
}
