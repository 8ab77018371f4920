// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Descriptors that a job would inherit; see inherited.h. */
#include "job/inherited.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/identify.h"

/*
 * A launcher's, in all tables of its threads. jobcage's own has a few; one that does not close what it
 * has open is refused: all others wait while each is judged, and a user may have millions.
 */
#define FILES_MAX 1024

static const char *why_not(const struct identity *id)
{
	if (id->access == ACCESS_NONE)
		return "which the policy closes";
	if (id->is_writable && id->access == ACCESS_READ)
		return "open for writing, which the policy lets the job only read";
	if (id->is_writable && id->is_linked)
		return "open for writing, which has another name (hard link) that may be in a dataset";
	return NULL;
}

static bool is_open(pid_t pid, int fd)
{
	char link[64];
	struct stat st;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
	return !lstat(link, &st);
}

static int refuse(const struct job *job, const struct job_request *request, int fd,
		  const struct identity *id, const char *why, struct error *err)
{
	const struct rule *rule = id ? policy_rule(job->rules->policy, id->rule) : NULL;
	char link[64], path[512];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", request->pid, fd);
	len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	return error_set(err, -EPERM,
			 "descriptor %d is %s, %s (rule \"%s\"); redirect it elsewhere", fd, path,
			 why, rule ? rule->id : "none");
}

static bool is_kept(const struct job_request *request, int fd)
{
	for (size_t i = 0; i < request->inherit_cnt; i++)
		if (request->inherit[i] == fd)
			return true;
	return !request->inherit_cnt;
}

/* A network socket belongs to the cgroup that it was made in: what it sends is not judged. */
static int refuse_socket(int fd, struct error *err)
{
	return error_set(err, -EPERM,
			 "descriptor %d is a network socket made outside the job, which the policy "
			 "could not govern; redirect it elsewhere",
			 fd);
}

/* It holds files and sockets of its maker's, which it reads and writes where no hook is asked. */
static int refuse_ring(int fd, struct error *err)
{
	return error_set(err, -EPERM,
			 "descriptor %d is an io_uring made outside the job, which no policy could "
			 "govern; close it, the job can make its own",
			 fd);
}

static int check_descriptor(const struct job *job, const struct job_request *request,
			    const struct identity *id, struct error *err)
{
	const char *why = why_not(id);

	if (why)
		return refuse(job, request, id->fd, id, why, err);
	if (id->family && id->family != AF_UNIX &&
	    !policy_leaves_egress_open(job->rules->policy))
		return refuse_socket(id->fd, err);
	return id->is_ring ? refuse_ring(id->fd, err) : 0;
}

/* What the kernel gave no identity for cannot be judged. */
static int check_unnamed(const struct job *job, const struct job_request *request,
			 const struct identity *ids, size_t cnt, struct error *err)
{
	for (size_t i = 0; i < request->inherit_cnt; i++) {
		int fd = request->inherit[i];

		if (!identity_of_fd(ids, cnt, fd) && is_open(request->pid, fd))
			return refuse(job, request, fd, NULL, "which the kernel does not name",
				      err);
	}
	return 0;
}

int inherited_check(const struct job *job, const struct job_request *request, struct error *err)
{
	_cleanup_free_ struct identity *ids = NULL;
	size_t cnt = 0;
	int r = identify_files(job->rulesets->kern, request->pid, job->rules->slot, FILES_MAX, err,
			       &ids, &cnt);

	for (size_t i = 0; !r && i < cnt; i++)
		if (is_kept(request, ids[i].fd))
			r = check_descriptor(job, request, &ids[i], err);
	return r ? r : check_unnamed(job, request, ids, cnt, err);
}
