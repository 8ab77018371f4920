// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The common part of all escape programs; see escape.h. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_MODE 0600
#define STEP_SIZE 48

const char *ds, *out, *closed, *extra;

/* Shared with the children that make attempts. */
static char *current_step;

int step(const char *call)
{
	snprintf(current_step, STEP_SIZE, "%s", call);
	return 1;
}

static int answering;

void answer_for(int pid) { answering = pid; }

const char *in(const char *folder, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		abort();
	return path;
}

int outcome(long result)
{
	return result < 0 ? -errno : 0;
}

int close_outcome(int fd)
{
	int r = outcome(fd);

	if (fd >= 0)
		close(fd);
	return r;
}

int write_through(int fd)
{
	int r;

	if (fd < 0)
		return -errno;
	step("write");
	r = outcome(write(fd, "x", 1));
	close(fd);
	return r;
}

int write_to(const char *path, int flags)
{
	step("open");
	return write_through(open(path, flags | O_CLOEXEC, NEW_MODE));
}

int read_from(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("read");
	r = outcome(read(fd, &byte, 1));
	close(fd);
	return r;
}

int write_back(const char *path)
{
	char text[256];
	int fd = open(path, O_RDWR | O_CLOEXEC), r;
	ssize_t size;

	if (step("open") && fd < 0)
		return -errno;
	step("read");
	size = read(fd, text, sizeof(text));
	r = outcome(size);
	if (!r && step("write"))
		r = outcome(pwrite(fd, text, size, 0));
	close(fd);
	return r;
}

int in_child(int (*act)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(-act());
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (step(path) && fd < 0)
		return -errno;
	r = outcome(write(fd, text, strlen(text)));
	close(fd);
	return r;
}

int enter_namespaces(void)
{
	step("unshare");
	return outcome(unshare(CLONE_NEWUSER | CLONE_NEWNS));
}

int become_root(void)
{
	char map[64];
	uid_t uid = getuid();
	gid_t gid = getgid();
	int r = enter_namespaces();

	if (r)
		return r;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	r = write_text("/proc/self/uid_map", map);
	if (!r)
		r = write_text("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", gid);
	if (!r)
		r = write_text("/proc/self/gid_map", map);
	return r;
}

static int list(void)
{
	for (const struct attempt *a = attempts; a->name; a++)
		puts(a->name);
	return 0;
}

int main(int argc, char **argv)
{
	const struct attempt *a = attempts;
	int r;

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	while (argc >= 5 && a->name && strcmp(a->name, argv[1]))
		a++;
	if (argc < 5 || argc > 6 || !a->name) {
		fprintf(stderr, "Usage: %s --list | ATTEMPT DS OUT CLOSED [EXTRA]\n", argv[0]);
		return 2;
	}
	ds = argv[2];
	out = argv[3];
	closed = argv[4];
	extra = argv[5];
	current_step = mmap(NULL, STEP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (current_step == MAP_FAILED)
		return 2;
	r = a->run();
	printf("%d %s %s\n", answering ?: getpid(), r ? strerrorname_np(-r) : "OK", current_step);
	return 0;
}
