// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Connections that the kernel has cut; see resets.h. */
#include "daemon/resets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "kern/flows.h"
#include "kern/jobs.h"
#include "kern/member.h"

/* A look takes as long as there are sockets: between two of them, so many times as long goes to others. */
#define REST 10

/* A job that makes more network namespaces than that has connections that time out. */
#define NAMESPACES_MAX 64

struct namespaces {
	ino_t seen[NAMESPACES_MAX]; /* the controller's own first */
	size_t cnt;
};

/* Is it one to look into? Then it is seen. */
static bool is_another(struct namespaces *namespaces, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	for (size_t i = 0; i < namespaces->cnt; i++)
		if (namespaces->seen[i] == st.st_ino)
			return false;
	if (namespaces->cnt == NAMESPACES_MAX)
		return false;
	namespaces->seen[namespaces->cnt++] = st.st_ino;
	return true;
}

static int reset_of(struct kern *kern, pid_t pid, struct namespaces *namespaces)
{
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, pid, 0);
	char path[32];
	size_t cnt = 0;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (pidfd < 0 || !is_another(namespaces, path))
		return 0;
	return flows_reset_of(kern, pidfd, &cnt);
}

/* Where the job's processes have networks of their own. */
static int reset_elsewhere(struct watch *watch, struct namespaces *namespaces)
{
	struct kern *kern = watch->job->rulesets->kern;
	_cleanup_free_ pid_t *pids = NULL;
	size_t cnt;
	int r = member_list(kern, watch->job->label, &pids, &cnt);

	for (size_t i = 0; !r && i < cnt; i++)
		r = reset_of(kern, pids[i], namespaces);
	return r;
}

static void tell_of_failure(struct watch *watch, int r)
{
	char text[160];

	snprintf(text, sizeof(text),
		 "connections whose packets are refused cannot be reset, they will time out: %s%s",
		 strerror(-r), r == -ENOENT ? " (the kernel's module tcp_diag is missing)" : "");
	if (!watch->is_reset_told)
		watch_tell(watch, "Connections not reset", text);
	watch->is_reset_told = true;
}

static void reset_all(struct controller *controller)
{
	struct namespaces namespaces = { 0 };
	size_t cnt = 0;
	int own;

	is_another(&namespaces, "/proc/thread-self/ns/net");
	own = flows_reset(controller->kern, &cnt);
	for (struct watch *watch = controller->watches; watch; watch = watch->next) {
		struct job_stats stats;
		int r;

		if (job_read_stats(controller->kern, watch->job->label, &stats) ||
		    stats.cut == watch->cut)
			continue;
		r = reset_elsewhere(watch, &namespaces);
		watch->cut = stats.cut;
		if (own || r)
			tell_of_failure(watch, own ?: r);
	}
}

void resets_make(struct controller *controller, const struct kernel_stats *stats)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (stats->cut == controller->cut || now < controller->resets_ms)
		return;
	controller->cut = stats->cut;
	reset_all(controller);
	controller->resets_ms = now + REST * (clock_ms(CLOCK_MONOTONIC) - now);
}
