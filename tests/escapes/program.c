// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Running and copying programs; see program.h. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "escape.h"

#define PROGRAM_MODE 0700

int become(const char *path)
{
	char *argv[] = { "program", NULL };

	step("execve");
	execve(path, argv, argv + 1);
	return -errno;
}

static void say_nothing(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

static int outcome_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int run_path(const char *path)
{
	pid_t pid = fork();

	if (!pid) {
		say_nothing();
		_exit(-become(path));
	}
	return outcome_of(pid);
}

int in_quiet_child(int (*act)(void))
{
	pid_t pid = fork();

	if (!pid) {
		say_nothing();
		_exit(-act());
	}
	return outcome_of(pid);
}

int copy_into(int fd, const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), r;
	struct stat st;

	if (step("open what is copied") && from < 0)
		return -errno;
	step("sendfile");
	r = fstat(from, &st) || sendfile(fd, from, NULL, st.st_size) != st.st_size ? -errno : 0;
	close(from);
	return r;
}

int copy_to(const char *copy, const char *path)
{
	int fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, PROGRAM_MODE), r;

	if (step("open a copy") && fd < 0)
		return -errno;
	r = copy_into(fd, path);
	close(fd);
	return r;
}

int memfd_of(const char *path)
{
	int fd = memfd_create("program", MFD_CLOEXEC), r;

	if (step("memfd_create") && fd < 0)
		return -errno;
	r = copy_into(fd, path);
	if (r)
		close(fd);
	return r ?: fd;
}

int reopened(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	return step("open again") && again < 0 ? -errno : again;
}
