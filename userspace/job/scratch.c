// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The job's scratch; see scratch.h. */
#include "job/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/environment.h"
#include "job/process.h"
#include "kern/jobs.h"
#include "kern/member.h"
#include "kern/mounts.h"

/* Of how many processes the mounts are looked at: those of a job usually have the same. */
#define PROCESSES_MAX 16

/* As struct super_block has it. */
#define MINOR_BITS 20

static __u32 to_kernel(dev_t dev)
{
	return major(dev) << MINOR_BITS | minor(dev);
}

static dev_t from_kernel(__u32 dev)
{
	return makedev(dev >> MINOR_BITS, dev & ((1U << MINOR_BITS) - 1));
}

int scratch_use(struct job *job, const struct job_request *request, struct error *err)
{
	dev_t dev;
	int r = environment_check_scratch(request->scratch_fd, request->asked_by, err, &dev);

	if (r)
		return r;
	job->scratch_fd = fcntl(request->scratch_fd, F_DUPFD_CLOEXEC, 0);
	if (job->scratch_fd < 0)
		return error_errno(err, -errno, "cannot hold the job's scratch");
	return job_set_scratch(job->rulesets->kern, job->label, to_kernel(dev), err);
}

/* --- adoption --------------------------------------------------------------------------------- */

/* Within what the process sees; no link of its leads elsewhere. */
static int open_place(int proc, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
	};
	_cleanup_fd_ int root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* Whoever asked for the job, or is its user, has made it, so nothing else is taken for it. */
static bool is_scratch(const struct job *job, int fd, dev_t dev)
{
	dev_t found;

	return (!environment_check_scratch(fd, job->asked_by, NULL, &found) ||
		!environment_check_scratch(fd, job->uid, NULL, &found)) &&
	       found == dev;
}

/* Returns a descriptor, or -1. */
static int find_at(const struct job *job, pid_t pid, dev_t dev)
{
	_cleanup_fd_ int proc = process_open(pid);
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	int found = -1;

	if (proc < 0 || mounts_read_of(proc, NULL, &mounts))
		return -1;
	for (size_t i = 0; i < mounts.cnt && found < 0; i++) {
		if (!mount_is_of(&mounts.items[i], dev))
			continue;
		found = open_place(proc, mounts.items[i].path);
		if (found >= 0 && !is_scratch(job, found, dev))
			close(TAKE_FD(found));
	}
	return found;
}

void scratch_find(struct job *job)
{
	struct kern *kern = job->rulesets->kern;
	__u32 dev = job_scratch(kern, job->label);
	_cleanup_free_ pid_t *pids = NULL;
	size_t cnt = 0;

	if (!dev)
		return;
	if (member_list(kern, job->label, &pids, &cnt))
		cnt = 0;
	for (size_t i = 0; i < cnt && i < PROCESSES_MAX && job->scratch_fd < 0; i++)
		job->scratch_fd = find_at(job, pids[i], from_kernel(dev));
	if (job->scratch_fd < 0)
		job_set_scratch(kern, job->label, 0, NULL);
}
