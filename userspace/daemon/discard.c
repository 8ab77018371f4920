// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Closing by a process of its own; see discard.h. */
#include "daemon/discard.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fds.h"

#define EVERY_MS 1000

void discard_add(struct discard *discard, int fd)
{
	if (discard->cnt == discard->room) {
		size_t room = discard->room ? 2 * discard->room : 64;
		int *fds = reallocarray(discard->fds, room, sizeof(*fds));

		/* Stays open. */
		if (!fds)
			return;
		discard->fds = fds;
		discard->room = room;
	}
	discard->fds[discard->cnt++] = fd;
}

/*
 * Everything else first, which is the daemon's as well, locks among it. Then the daemon closes its own
 * copies, so that this process is the last that has them.
 */
_Noreturn static void discard_main(const int *sorted, size_t cnt, int daemon_is_done)
{
	char byte;

	prctl(PR_SET_NAME, "jobcage-discard");
	fds_close_others(sorted, cnt);
	while (read(daemon_is_done, &byte, sizeof(byte)) < 0)
		;
	_exit(0);
}

/* Its pid; -1 if there is none, and nothing has changed. daemon_is_done: closed when the daemon has closed its copies. */
static pid_t start_discarder(const struct discard *discard, int daemon_is_done)
{
	size_t cnt = discard->cnt + 1;
	_cleanup_free_ int *keep = reallocarray(NULL, cnt, sizeof(*keep));
	pid_t pid;

	if (!keep)
		return -1;
	memcpy(keep, discard->fds, discard->cnt * sizeof(*keep));
	keep[discard->cnt] = daemon_is_done;
	fds_sort(keep, cnt);
	pid = fork();
	if (!pid)
		discard_main(keep, cnt, daemon_is_done);
	return pid;
}

static void reap(struct discard *discard)
{
	size_t left = 0;

	for (size_t i = 0; i < discard->discarder_cnt; i++)
		if (!waitpid(discard->discarders[i], NULL, WNOHANG))
			discard->discarders[left++] = discard->discarders[i];
	discard->discarder_cnt = left;
}

void discard_now(struct discard *discard)
{
	int done[2];
	pid_t pid;

	if (!discard->cnt || discard->discarder_cnt == DISCARDERS_MAX || pipe2(done, O_CLOEXEC))
		return;
	pid = start_discarder(discard, done[0]);
	if (pid > 0) {
		for (size_t i = 0; i < discard->cnt; i++)
			close(discard->fds[i]);
		discard->cnt = 0;
		discard->discarders[discard->discarder_cnt++] = pid;
	}
	close(done[0]);
	close(done[1]);
}

int64_t discard_tick(struct discard *discard, int64_t now)
{
	if (!discard->cnt && !discard->discarder_cnt)
		return -1;
	if (now < discard->due_ms)
		return discard->due_ms - now;
	discard->due_ms = now + EVERY_MS;
	reap(discard);
	if (discard->cnt >> discard->discarder_cnt)
		discard_now(discard);
	return EVERY_MS;
}
