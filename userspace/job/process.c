// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A process by number and pidfd; see process.h. */
#include "job/process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

int process_of_pidfd(int pidfd, pid_t *ret_pid)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	const char *line;
	pid_t pid;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = file_read(path, 4096, &text, NULL);
	if (r)
		return r;
	line = strstr(text, "\nPid:");
	if (!line || sscanf(line, "\nPid: %d", &pid) != 1)
		return -EBADF;
	*ret_pid = pid;
	return 0;
}

int process_check(pid_t pid, int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	pid_t found = -1;
	int r = process_of_pidfd(pidfd, &found);

	if (r)
		return r;
	if (found != pid)
		return -ESRCH;
	if (poll(&end, 1, 0) < 0)
		return -errno;
	return end.revents ? -ESRCH : 0;
}
