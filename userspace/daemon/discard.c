// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Closing by a process of its own; see discard.h. */
#include "daemon/discard.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVERY_MS 1000

void discard_add(struct discard *discard, int fd)
{
	if (discard->cnt == discard->room) {
		size_t room = discard->room ? 2 * discard->room : 64;
		/* With one place more, for discard_now(). */
		int *fds = realloc(discard->fds, (room + 1) * sizeof(*fds));

		/* Stays open. */
		if (!fds)
			return;
		discard->fds = fds;
		discard->room = room;
	}
	discard->fds[discard->cnt++] = fd;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/*
 * Everything else first, which is the daemon's as well, locks among it. Then the daemon closes its own
 * copies, so that this process is the last that has them.
 */
_Noreturn static void discard_main(const int *sorted, size_t cnt, int daemon_is_done)
{
	unsigned int from = 0;
	char byte;

	prctl(PR_SET_NAME, "jobcage-discard");
	for (size_t i = 0; i < cnt; i++) {
		unsigned int fd = sorted[i];

		if (fd > from)
			close_range(from, fd - 1, 0);
		from = fd + 1;
	}
	close_range(from, UINT_MAX, 0);
	while (read(daemon_is_done, &byte, sizeof(byte)) < 0)
		;
	_exit(0);
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

	if (!discard->cnt || discard->discarder_cnt == DISCARDERS_MAX ||
	    pipe2(done, O_CLOEXEC))
		return;
	discard->fds[discard->cnt] = done[0];
	qsort(discard->fds, discard->cnt + 1, sizeof(*discard->fds), compare);
	pid = fork();
	if (!pid)
		discard_main(discard->fds, discard->cnt + 1, done[0]);
	for (size_t i = 0, at = 0; i <= discard->cnt; i++) {
		if (discard->fds[i] == done[0])
			continue;
		if (pid > 0)
			close(discard->fds[i]);
		else
			discard->fds[at++] = discard->fds[i];
	}
	close(done[0]);
	close(done[1]);
	if (pid < 0)
		return;
	discard->cnt = 0;
	discard->discarders[discard->discarder_cnt++] = pid;
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
