// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Acts that run a program: by a path, and from files that have none. A child does it; it succeeds if the program ran and said 0. */
#include "act.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static char *const no_environment[] = { NULL };

static int run_path(char **argv)
{
	char *const words[] = { argv[0], NULL };
	pid_t pid = fork();

	if (!pid) {
		execve(argv[0], words, no_environment);
		_exit(errno);
	}
	return pid < 0 ? -errno : wait_outcome(pid);
}

static int run_fd(int fd)
{
	char *const words[] = { "program", NULL };
	pid_t pid = fork();

	if (!pid) {
		fexecve(fd, words, no_environment);
		_exit(errno);
	}
	return pid < 0 ? -errno : wait_outcome(pid);
}

static int copy(int from, int to)
{
	struct stat st;

	if (fstat(from, &st))
		return -errno;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, left);

		if (n <= 0)
			return n ? -errno : -EIO;
		left -= n;
	}
	return 0;
}

static int run_memfd(char **argv)
{
	int from = open(argv[0], O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("program", MFD_CLOEXEC), r;

	if (step("memfd_create") && (from < 0 || fd < 0))
		return -errno;
	step("copy");
	r = copy(from, fd);
	close(from);
	if (r)
		return r;
	step("fexecve");
	r = run_fd(fd);
	close(fd);
	return r;
}

/* The file has lost its name when it is run. */
static int run_deleted(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("unlink");
	if (unlink(argv[0]))
		return -errno;
	step("fexecve");
	r = run_fd(fd);
	close(fd);
	return r;
}

/* argv: program to copy, folder: a file that never had a name there. */
static int run_tmpfile(char **argv)
{
	int from = open(argv[0], O_RDONLY | O_CLOEXEC);
	int fd = open(argv[1], O_RDWR | O_TMPFILE | O_CLOEXEC, 0700), again, r;
	char link[64];

	if (step("open O_TMPFILE") && (from < 0 || fd < 0))
		return -errno;
	step("copy");
	r = copy(from, fd);
	close(from);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	again = open(link, O_RDONLY | O_CLOEXEC);
	close(fd);
	if (r || again < 0)
		return r ? r : -errno;
	step("fexecve");
	r = run_fd(again);
	close(again);
	return r;
}

const struct act exec_acts[] = {
	{ "exec", 1, run_path },
	{ "exec_memfd", 1, run_memfd },
	{ "exec_deleted", 1, run_deleted },
	{ "exec_tmpfile", 2, run_tmpfile },
	{ NULL, 0, NULL },
};
