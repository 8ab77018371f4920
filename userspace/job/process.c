// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A process by number and pidfd; see process.h. */
#include "job/process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

/* The number that the kernel gives for a pidfd: -1 once the process is reaped. */
static int pid_of(int pidfd, pid_t *ret_pid)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	const char *line;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = file_read(path, 4096, &text, NULL);
	if (r)
		return r;
	line = strstr(text, "\nPid:");
	return line && sscanf(line, "\nPid: %d", ret_pid) == 1 ? 0 : -EBADF;
}

int process_check(pid_t pid, int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	pid_t found = -1;
	int r = pid_of(pidfd, &found);

	if (r)
		return r;
	if (found != pid)
		return -ESRCH;
	if (poll(&end, 1, 0) < 0)
		return -errno;
	return end.revents ? -ESRCH : 0;
}
