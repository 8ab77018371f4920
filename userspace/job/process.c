// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A process by number and pidfd; see process.h. */
#include "job/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

int process_of_fdinfo(int dir_fd, const char *path, pid_t *ret_pid)
{
	_cleanup_free_ char *text = NULL;
	const char *line;
	pid_t pid;
	int r = file_read_at(dir_fd, path, 4096, &text, NULL);

	if (r)
		return r;
	line = strstr(text, "\nPid:");
	if (!line || sscanf(line, "\nPid: %d", &pid) != 1)
		return -EBADF;
	*ret_pid = pid;
	return 0;
}

static int process_of_pidfd(int pidfd, pid_t *ret_pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	return process_of_fdinfo(AT_FDCWD, path, ret_pid);
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

int process_open(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Four ids in a line: real, effective, saved, of files. */
static bool are_all(const char *text, const char *key, unsigned int id)
{
	const char *line = strstr(text, key);
	unsigned int ids[4];

	return line &&
	       sscanf(line + strlen(key), "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4 &&
	       ids[0] == id && ids[1] == id && ids[2] == id && ids[3] == id;
}

static bool read_capabilities(const char *text, const char *key, unsigned long long *ret_set)
{
	const char *line = strstr(text, key);

	return line && sscanf(line + strlen(key), "%llx", ret_set) == 1;
}

/* Capabilities in a namespace of its own are about nothing outside, and no file raises it there. */
static bool is_in_own_namespace(int proc)
{
	struct stat ours, theirs;

	return !stat("/proc/self/ns/user", &ours) && !fstatat(proc, "ns/user", &theirs, 0) &&
	       (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev);
}

/* What a program without privilege is given by execve() is what is ambient. */
static bool has_raised_capabilities(int proc, const char *text)
{
	unsigned long long permitted, ambient;

	if (!read_capabilities(text, "\nCapPrm:", &permitted) ||
	    !read_capabilities(text, "\nCapAmb:", &ambient))
		return true;
	return permitted & ~ambient && !is_in_own_namespace(proc);
}

int process_check_unraised(pid_t pid, int pidfd, uid_t uid, gid_t gid)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int proc = process_open(pid);
	int r;

	if (proc < 0)
		return proc == -ENOENT ? -ESRCH : proc;
	r = file_read_at(proc, "status", 64 * 1024, &text, NULL);
	if (!r)
		r = process_check(pid, pidfd);
	if (r)
		return r;
	if (!are_all(text, "\nUid:", uid) || !are_all(text, "\nGid:", gid) ||
	    has_raised_capabilities(proc, text))
		return -EPERM;
	return 0;
}
