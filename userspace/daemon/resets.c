// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Connections that the kernel has cut; see resets.h. */
#include "daemon/resets.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fds.h"
#include "daemon/controller.h"
#include "kern/flows.h"
#include "kern/jobs.h"
#include "kern/member.h"

/* A job that makes more network namespaces than that has connections that time out. */
#define NAMESPACES_MAX 64

/* Whoever is not back by then is held up. */
#define PATIENCE_MS 10000

/* Where a job has connections: netlink sockets there. */
struct namespaces {
	ino_t seen[NAMESPACES_MAX]; /* the controller's own first */
	int fds[NAMESPACES_MAX];
	size_t cnt;
};

/* --- where ------------------------------------------------------------------------------------- */

static bool is_seen(const struct namespaces *namespaces, ino_t number)
{
	for (size_t i = 0; i < namespaces->cnt; i++)
		if (namespaces->seen[i] == number)
			return true;
	return false;
}

/* Returns 0, also for a process that is gone; or -errno. */
static int add_namespace(struct namespaces *namespaces, const char *path, int pidfd)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || is_seen(namespaces, st.st_ino))
		return 0;
	fd = flows_open(pidfd);
	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	namespaces->seen[namespaces->cnt] = st.st_ino;
	namespaces->fds[namespaces->cnt++] = fd;
	return 0;
}

static int add_namespace_of(struct namespaces *namespaces, pid_t pid)
{
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, pid, 0);
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return pidfd < 0 ? 0 : add_namespace(namespaces, path, pidfd);
}

/* The controller's own, and those of the job's processes. */
static int open_namespaces(struct watch *watch, struct namespaces *namespaces)
{
	struct kern *kern = watch->job->rulesets->kern;
	_cleanup_free_ pid_t *pids = NULL;
	size_t cnt;
	int r = add_namespace(namespaces, "/proc/thread-self/ns/net", -1);

	if (!r)
		r = member_list(kern, watch->job->label, &pids, &cnt);
	for (size_t i = 0; !r && i < cnt && namespaces->cnt < NAMESPACES_MAX; i++)
		r = add_namespace_of(namespaces, pids[i]);
	return r;
}

static void close_namespaces(struct namespaces *namespaces)
{
	for (size_t i = 0; i < namespaces->cnt; i++)
		close(namespaces->fds[i]);
}

/* --- who does it ------------------------------------------------------------------------------- */

/* Its exit status is an errno, or 0. */
static void resetter_main(const struct namespaces *namespaces, int mark_fd, struct job_label label,
			  const int *keep)
{
	int r;

	prctl(PR_SET_NAME, "jobcage-resets");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = fds_close_others(keep, namespaces->cnt + 1);
	for (size_t i = 0; !r && i < namespaces->cnt; i++)
		r = flows_reset(namespaces->fds[i], mark_fd, label);
	_exit(-r);
}

static int fork_resetter(struct controller *controller, const struct namespaces *namespaces,
			 struct job_label label)
{
	struct resets *resets = &controller->resets;
	int mark_fd = controller->kern->map_fd[MAP_MARK_BY_SOCK];
	int keep[NAMESPACES_MAX + 1];
	pid_t pid;

	memcpy(keep, namespaces->fds, sizeof(namespaces->fds));
	keep[namespaces->cnt] = mark_fd;
	fds_sort(keep, namespaces->cnt + 1);
	pid = fork();
	if (!pid)
		resetter_main(namespaces, mark_fd, label, keep);
	if (pid < 0)
		return -errno;
	resets->running[resets->cnt++] = (struct resetter){
		.pid = pid, .label = label, .begun_ms = clock_ms(CLOCK_MONOTONIC)
	};
	return 0;
}

static int begin(struct controller *controller, struct watch *watch)
{
	struct namespaces namespaces = { .cnt = 0 };
	int r = open_namespaces(watch, &namespaces);

	if (!r)
		r = fork_resetter(controller, &namespaces, watch->job->label);
	close_namespaces(&namespaces);
	return r;
}

/* --- what came of it --------------------------------------------------------------------------- */

static void tell_of_failure(struct watch *watch, int code)
{
	char text[200];

	snprintf(text, sizeof(text),
		 "connections whose packets are refused cannot be reset, they will time out: %s",
		 code == ENOENT	   ? "the kernel's module tcp_diag is missing" :
		 code == ETIMEDOUT ? "the job holds one of its sockets" :
				     strerror(code));
	if (!watch->is_reset_told)
		watch_tell(watch, "Connections not reset", text);
	watch->is_reset_told = true;
}

static struct watch *watch_of(struct controller *controller, struct job_label label)
{
	struct watch *watch = controller->watches;

	while (watch && !job_label_equal(watch->job->label, label))
		watch = watch->next;
	return watch;
}

/* 0: it was done; an errno; -1: it is not back. */
static int outcome(const struct resetter *resetter)
{
	int status;
	pid_t pid = waitpid(resetter->pid, &status, WNOHANG);

	if (!pid)
		return -1;
	return pid == resetter->pid && WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static void look_after_resetters(struct controller *controller)
{
	struct resets *resets = &controller->resets;
	int64_t late = clock_ms(CLOCK_MONOTONIC) - PATIENCE_MS;
	size_t kept = 0;

	for (size_t i = 0; i < resets->cnt; i++) {
		struct resetter resetter = resets->running[i];
		struct watch *watch = watch_of(controller, resetter.label);
		int code = outcome(&resetter);

		if (code < 0)
			resets->running[kept++] = resetter;
		if (code < 0 && resetter.begun_ms < late)
			code = ETIMEDOUT;
		if (code > 0 && watch)
			tell_of_failure(watch, code);
	}
	resets->cnt = kept;
}

static bool is_running(const struct resets *resets, struct job_label label)
{
	for (size_t i = 0; i < resets->cnt; i++)
		if (job_label_equal(resets->running[i].label, label))
			return true;
	return false;
}

/* Returns whether nothing of it is left for later. */
static bool make_for(struct controller *controller, struct watch *watch)
{
	struct job_stats stats;
	int r;

	if (job_read_stats(controller->kern, watch->job->label, &stats) || stats.cut == watch->cut)
		return true;
	if (controller->resets.cnt == RESETTERS_MAX ||
	    is_running(&controller->resets, watch->job->label))
		return false;
	r = begin(controller, watch);
	if (r)
		tell_of_failure(watch, -r);
	else
		watch->cut = stats.cut;
	return !r;
}

void resets_make(struct controller *controller, const struct kernel_stats *stats)
{
	bool is_all = true;

	look_after_resetters(controller);
	if (stats->cut == controller->resets.cut)
		return;
	for (struct watch *watch = controller->watches; watch; watch = watch->next)
		is_all &= make_for(controller, watch);
	if (is_all)
		controller->resets.cut = stats->cut;
}
