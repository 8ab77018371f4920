// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts that run a program: by a path, and from files that have none. A child does it; it succeeds if the program ran and said 0.
 * And acts that map one as code.
 */
#include "act.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

#define PAGE 4096

/* Takes the descriptor. A page of the file as code, at once or after it was read. */
static int map(int fd, bool is_late)
{
	int first = is_late ? PROT_READ : PROT_READ | PROT_EXEC, r;
	void *page = mmap(NULL, PAGE, first, MAP_PRIVATE, fd, 0);

	r = page == MAP_FAILED ? -errno : 0;
	close(fd);
	if (r)
		return r;
	if (is_late && step("mprotect"))
		r = outcome(mprotect(page, PAGE, PROT_READ | PROT_EXEC));
	munmap(page, PAGE);
	return r;
}

static int map_path(const char *path, bool is_late)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (step("open") && fd < 0)
		return -errno;
	step("mmap");
	return map(fd, is_late);
}

static int map_now(char **argv) { return map_path(argv[0], false); }
static int map_late(char **argv) { return map_path(argv[0], true); }

static int map_memfd(char **argv)
{
	int fd = memfd_create("library", MFD_CLOEXEC);

	(void)argv;
	if (step("memfd_create") && (fd < 0 || ftruncate(fd, PAGE)))
		return -errno;
	step("mmap");
	return map(fd, false);
}

/* What compilers at run time do: fill memory, then run it. With huge pages too, if there are any. */
static int map_memory(char **argv)
{
	static const int kinds[] = { 0, MAP_HUGETLB };

	(void)argv;
	for (size_t i = 0; i < 2; i++) {
		size_t size = kinds[i] ? 2 << 20 : PAGE;
		void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | kinds[i],
				  -1, 0);

		if (kinds[i] && page == MAP_FAILED && errno == ENOMEM)
			return 0;
		step("mprotect");
		if (page == MAP_FAILED || mprotect(page, size, PROT_READ | PROT_EXEC))
			return -errno;
		munmap(page, size);
		step("mmap");
		page = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | kinds[i], -1, 0);
		if (page == MAP_FAILED)
			return -errno;
		munmap(page, size);
	}
	return 0;
}

const struct act exec_acts[] = {
	{ "map", 1, map_now },
	{ "map_late", 1, map_late },
	{ "map_memfd", 0, map_memfd },
	{ "map_memory", 0, map_memory },
	{ "exec", 1, run_path },
	{ "exec_memfd", 1, run_memfd },
	{ "exec_deleted", 1, run_deleted },
	{ "exec_tmpfile", 2, run_tmpfile },
	{ NULL, 0, NULL },
};
