// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A line on the launcher's standard error; see tell.h. */
#include "daemon/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Regular files are not among them: the file system may be the job's own user's, and wait for him. */
static bool is_suitable(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY && !fstat(fd, &st) &&
	       (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(fd)));
}

int tell_open(int pidfd)
{
	_cleanup_fd_ int fd = syscall(SYS_pidfd_getfd, pidfd, STDERR_FILENO, 0);
	char path[32];
	int own;

	if (fd < 0)
		return -errno;
	if (!is_suitable(fd))
		return -EINVAL;
	/* Whether it waits is said of each opening. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? -errno : own;
}

void tell_line(int fd, const char *text)
{
	char line[PIPE_BUF];
	int len = snprintf(line, sizeof(line), "jobcage: %s\n", text);

	if (len >= (int)sizeof(line)) {
		len = sizeof(line);
		line[len - 1] = '\n';
	}
	if (write(fd, line, len) < 0)
		return;
}
