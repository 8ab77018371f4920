// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What pids.max of a cgroup says, and that of one that somebody else made; see cgroup.h.
 *
 * What was there before us is kept beside it until it is given back, so whoever looks after the job
 * by then knows it, and another limit of the job's is held against that, not against our own.
 */
#include "job/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "base/file.h"

#define LIMIT_FILE "pids.max"

/* On a cgroup that somebody else made: what its pids.max was. */
#define LIMIT_MARK "trusted.jobcage.pids.max"

/* "max" or a number, and the line's end. */
#define LIMIT_LEN 32

/* "max" is no number. */
static bool is_within(const char *limit, uint64_t max)
{
	char *end;
	unsigned long long found = strtoull(limit, &end, 10);

	return end != limit && found <= max;
}

bool cgroup_is_limited(const struct cgroup *cgroup, uint64_t max)
{
	_cleanup_free_ char *limit = NULL;

	return !file_read_at(cgroup->fd, LIMIT_FILE, LIMIT_LEN, &limit, NULL) &&
	       is_within(limit, max);
}

/* Returns its length, 0 if nothing is kept, or -errno. */
static int read_kept(const struct cgroup *cgroup, char *room, size_t size)
{
	ssize_t n = fgetxattr(cgroup->fd, LIMIT_MARK, room, size - 1);

	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	room[n] = '\0';
	return n;
}

/*
 * What was there before us, which is kept from now on. Returns 0; 1: it is no laxer, and stays; or
 * -errno.
 */
static int find_before(const struct cgroup *cgroup, uint64_t max, char *room, size_t size)
{
	_cleanup_free_ char *now = NULL;
	int n = read_kept(cgroup, room, size), r;

	if (n)
		return n < 0 ? n : 0;
	r = file_read_at(cgroup->fd, LIMIT_FILE, size - 1, &now, NULL);
	if (r)
		return r;
	if (is_within(now, max))
		return 1;
	snprintf(room, size, "%s", now);
	return fsetxattr(cgroup->fd, LIMIT_MARK, room, strlen(room), 0) ? -errno : 0;
}

int cgroup_tighten_processes(const struct cgroup *cgroup, uint64_t max, struct error *err)
{
	char before[LIMIT_LEN], own[LIMIT_LEN];
	int r = find_before(cgroup, max, before, sizeof(before));

	if (r > 0)
		return 0;
	if (r == -ENOENT)
		return error_set(err, r,
				 "limits.processes cannot be enforced: cgroup %s has no pids "
				 "controller; whoever made it switches it on above it",
				 cgroup->path);
	snprintf(own, sizeof(own), "%llu", (unsigned long long)max);
	if (!r)
		r = file_write_at(cgroup->fd, LIMIT_FILE, is_within(before, max) ? before : own);
	return r ? error_errno(err, r, "cannot limit the processes of cgroup %s", cgroup->path) : 0;
}

void cgroup_loosen_processes(const struct cgroup *cgroup)
{
	char before[LIMIT_LEN];

	if (read_kept(cgroup, before, sizeof(before)) > 0 &&
	    !file_write_at(cgroup->fd, LIMIT_FILE, before))
		fremovexattr(cgroup->fd, LIMIT_MARK);
}
