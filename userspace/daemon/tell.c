// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A line on the launcher's standard error; see tell.h. */
#include "daemon/tell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/process.h"

#define OWN_STDERR "fd/2"

/* Terminals that nobody waits for, to open, write to or close them. */
#define PTS_MAJOR_MIN 136
#define PTS_MAJOR_MAX 143
#define VT_MAJOR 4
#define VT_MINOR_MAX 63 /* above it are serial lines, which wait when they are closed */

/* A FIFO with a name is on a file system, which may be the user's own; no path begins like this. */
static bool is_pipe(int fd)
{
	char path[32], text[8] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, text, sizeof(text) - 1) > 0 && !strncmp(text, "pipe:[", 6);
}

static bool is_terminal(const struct statx *stat)
{
	if (stat->stx_rdev_major == VT_MAJOR)
		return stat->stx_rdev_minor && stat->stx_rdev_minor <= VT_MINOR_MAX;
	return stat->stx_rdev_major >= PTS_MAJOR_MIN && stat->stx_rdev_major <= PTS_MAJOR_MAX;
}

/*
 * Of a terminal the owner counts, too: what the process has under the number may have changed since
 * its access was looked at, and with O_PATH anybody can have another one's terminal there.
 */
static bool is_suitable(int fd, uid_t uid)
{
	struct statx stat;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_UID, &stat))
		return false;
	if (S_ISFIFO(stat.stx_mode))
		return is_pipe(fd);
	return S_ISCHR(stat.stx_mode) && is_terminal(&stat) && (!uid || stat.stx_uid == uid);
}

/* /proc says of a descriptor what its process may do with it. */
static bool is_writable(int proc)
{
	struct stat st;

	return !fstatat(proc, OWN_STDERR, &st, AT_SYMLINK_NOFOLLOW) && st.st_mode & S_IWUSR;
}

/*
 * The launcher's descriptor itself is not taken, not for a moment: closing it can wait for whoever
 * serves the file, and taking it for a launcher that executes another program. A descriptor that
 * only says where (O_PATH) asks nobody anything.
 */
static int open_place(pid_t pid, int pidfd)
{
	_cleanup_fd_ int proc = process_open(pid), fd = -1;
	int r;

	if (proc < 0)
		return proc;
	if (is_writable(proc)) {
		fd = openat(proc, OWN_STDERR, O_PATH | O_CLOEXEC);
		r = fd < 0 ? -errno : process_check(pid, pidfd);
	} else {
		r = -EINVAL;
	}
	return r ? r : TAKE_FD(fd);
}

int tell_open(pid_t pid, int pidfd, uid_t uid)
{
	_cleanup_fd_ int fd = open_place(pid, pidfd);
	char path[32];
	int own;

	if (fd < 0)
		return fd;
	if (!is_suitable(fd, uid))
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
