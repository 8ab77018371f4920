// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* X2: running what has no name, or is reached without one: memory files, deleted ones, descriptors, another's program. */
#include "accomplice.h"
#include "escape.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char *const no_words[] = { NULL };

/* Takes fd, or an error that opening it has met. */
static int run_fd(int fd)
{
	char *argv[] = { "program", NULL };

	if (fd < 0)
		return fd;
	step("fexecve");
	fexecve(fd, argv, no_words);
	return -errno;
}

static int run_fd_by_path(int fd)
{
	char path[32];

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return become(path);
}

static int memfd(void) { return run_fd(memfd_of(in(extra, "tool"))); }
static int memfd_by_path(void) { return run_fd_by_path(memfd_of(in(extra, "tool"))); }

static int tmpfile_of(const char *path)
{
	int fd = open(out, O_RDWR | O_TMPFILE | O_CLOEXEC, 0700), r;

	if (step("open O_TMPFILE") && fd < 0)
		return -errno;
	r = copy_into(fd, path);
	if (r)
		return r;
	/* What is open for writing does not run. */
	return reopened(fd);
}

static int nameless(void) { return run_fd(tmpfile_of(in(extra, "tool"))); }

static int deleted(void)
{
	const char *path = in(out, "deleted");
	int r = copy_to(path, in(extra, "tool")), fd = open(path, O_RDONLY | O_CLOEXEC);

	unlink(path);
	return r ?: run_fd(fd);
}

static int descriptor(void)
{
	int fd = open(in(out, "tool"), O_PATH | O_CLOEXEC);

	return step("open O_PATH") && fd < 0 ? -errno : run_fd_by_path(fd);
}

static int shared_memory(void)
{
	static const char path[] = "/dev/shm/jobcage-x2";
	int r = copy_to(path, in(extra, "tool")) ?: run_path(path);

	unlink(path);
	return r;
}

/* An outside process runs it already. */
static int of_another(void)
{
	struct held held;
	char path[32];
	int r = accomplice_held(&held);

	if (r)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/exe", held.pid);
	return execl(path, "accomplice", "--list", NULL), step("execve"), -errno;
}

static int child_memfd(void) { return in_quiet_child(memfd); }
static int child_memfd_by_path(void) { return in_quiet_child(memfd_by_path); }
static int child_nameless(void) { return in_quiet_child(nameless); }
static int child_deleted(void) { return in_quiet_child(deleted); }
static int child_descriptor(void) { return in_quiet_child(descriptor); }
static int child_of_another(void) { return in_quiet_child(of_another); }

const struct attempt attempts[] = {
	{ "memfd", child_memfd },
	{ "memfd-path", child_memfd_by_path },
	{ "tmpfile", child_nameless },
	{ "deleted", child_deleted },
	{ "descriptor", child_descriptor },
	{ "dev-shm", shared_memory },
	{ "exe-of-other", child_of_another },
	{ NULL, NULL },
};
