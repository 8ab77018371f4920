// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who carries a job's label; see member.h. */
#include "kern/member.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/iter.h"
#include "kern/jobs.h"

/* A process that was killed may be seen until it has died. */
#define KILL_PASSES 10

/* Numbers of processes grow, so a look meets every chain of forks, unless they begin anew meanwhile. */
#define LOOKS 2

static int read_members(struct kern *kern, struct job_member **ret_members, size_t *ret_cnt)
{
	void *data;
	size_t len;
	int r = iter_read(kern, PROG_MEMBERS, ITER_ALL, ITER_UNBOUNDED, &data, &len);

	if (r)
		return r;
	*ret_members = data;
	*ret_cnt = len / sizeof(**ret_members);
	return 0;
}

static int find_member(struct kern *kern, struct job_label label, bool in_execve, bool *ret_any)
{
	_cleanup_free_ struct job_member *members = NULL;
	bool any = false;
	size_t cnt;
	int r = read_members(kern, &members, &cnt);

	if (r)
		return r;
	for (size_t i = 0; i < cnt; i++)
		any |= job_label_equal(members[i].label, label) &&
		       (members[i].in_execve || !in_execve);
	*ret_any = any;
	return 0;
}

int member_any(struct kern *kern, struct job_label label, bool *ret_any)
{
	int r = 0;

	*ret_any = false;
	for (int i = 0; !r && !*ret_any && i < LOOKS; i++)
		r = find_member(kern, label, false, ret_any);
	return r;
}

int member_any_in_execve(struct kern *kern, struct job_label label, bool *ret_any)
{
	return find_member(kern, label, true, ret_any);
}

static size_t keep_members(struct job_member *members, size_t cnt, struct job_label label)
{
	size_t kept = 0;

	for (size_t i = 0; i < cnt; i++)
		if (job_label_equal(members[i].label, label))
			members[kept++] = members[i];
	return kept;
}

static int by_tgid(const void *a, const void *b)
{
	const struct job_member *x = a, *y = b;

	return x->tgid < y->tgid ? -1 : x->tgid > y->tgid;
}

/* The kernel visits threads by their numbers: between those of one process others may come. */
int member_list(struct kern *kern, struct job_label label, pid_t **ret_pids, size_t *ret_cnt)
{
	_cleanup_free_ struct job_member *members = NULL;
	size_t cnt, pid_cnt = 0;
	pid_t *pids;
	int r = read_members(kern, &members, &cnt);

	if (r)
		return r;
	cnt = keep_members(members, cnt, label);
	qsort(members, cnt, sizeof(*members), by_tgid);
	pids = calloc(cnt + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < cnt; i++)
		if (!i || members[i].tgid != members[i - 1].tgid)
			pids[pid_cnt++] = members[i].tgid;
	*ret_pids = pids;
	*ret_cnt = pid_cnt;
	return 0;
}

static int by_files(const void *a, const void *b)
{
	const struct job_member *x = a, *y = b;

	return x->files < y->files ? -1 : x->files > y->files;
}

/* A table may have one task more for the moment in which one of the job's is being made. */
int member_any_shares_files(struct kern *kern, struct job_label label, bool *ret_any)
{
	_cleanup_free_ struct job_member *members = NULL;
	bool any = false;
	size_t cnt, own = 0;
	int r = read_members(kern, &members, &cnt);

	if (r)
		return r;
	cnt = keep_members(members, cnt, label);
	qsort(members, cnt, sizeof(*members), by_files);
	for (size_t i = 0; i < cnt; i++) {
		own = i && members[i].files == members[i - 1].files ? own + 1 : 1;
		if (i + 1 == cnt || members[i + 1].files != members[i].files)
			any |= members[i].files && members[i].files_cnt > own;
	}
	*ret_any = any;
	return 0;
}

/* The number may be another's by now; the label of what the pidfd stands for decides. */
static void kill_member(struct kern *kern, struct job_label label, pid_t tgid)
{
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, tgid, 0);
	struct job_label found;

	if (pidfd >= 0 && !job_of_pid(kern, pidfd, &found) && job_label_equal(found, label))
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* *ret_cnt: how many there were. */
static int kill_all(struct kern *kern, struct job_label label, size_t *ret_cnt)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t cnt;
	int r = member_list(kern, label, &pids, &cnt);

	if (r)
		return r;
	for (size_t i = 0; i < cnt; i++)
		kill_member(kern, label, pids[i]);
	*ret_cnt = cnt;
	return 0;
}

int member_kill(struct kern *kern, struct job_label label)
{
	size_t cnt = 1;
	int r = 0;

	for (int i = 0; !r && cnt && i < KILL_PASSES; i++)
		r = kill_all(kern, label, &cnt);
	return r;
}

/* --- of any job, by programs whose tables may be another build's ------------------------------- */

int member_any_job(struct kern *kern, bool *ret_any)
{
	bool any = false;

	for (int i = 0; !any && i < LOOKS; i++) {
		_cleanup_free_ void *data = NULL;
		size_t len;
		int r = iter_read(kern, PROG_MEMBERS, ITER_ALL, ITER_UNBOUNDED, &data, &len);

		if (r)
			return r;
		any = len;
	}
	*ret_any = any;
	return 0;
}

/* While the process lives, which the signal finds out, the number was its own. */
static int kill_if_member(struct kern *kern, pid_t tgid)
{
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, tgid, 0);
	_cleanup_free_ void *data = NULL;
	size_t len;
	int r;

	if (pidfd < 0)
		return 0;
	r = iter_read(kern, PROG_MEMBERS, tgid, ITER_UNBOUNDED, &data, &len);
	if (!r && len)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return r == -ESRCH ? 0 : r;
}

int member_kill_jobs(struct kern *kern)
{
	_cleanup_dir_ DIR *dir = opendir("/proc");
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (!r && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			r = kill_if_member(kern, atoi(entry->d_name));
	return r;
}
