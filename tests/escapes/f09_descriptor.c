// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F9: descriptors that somebody else opened: inherited, sent over a socket, taken from an accomplice. */
#include "accomplice.h"
#include "escape.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INHERITED 99 /* the runner leaves it open, and nothing else of that number */

static int given(int fd)
{
	if (fd < 0)
		errno = -fd;
	return fd < 0 ? -1 : fd;
}

static int received_write(void) { return write_through(given(accomplice_descriptor("write"))); }
static int received_link(void) { return write_through(given(accomplice_descriptor("old-link"))); }
static int inherited_write(void) { return write_through(dup(INHERITED)); }
static int inherited_at(void) { return write_through(openat(INHERITED, "f", O_WRONLY | O_CLOEXEC)); }

static int received_map(void)
{
	int fd = given(accomplice_descriptor("write"));
	char *bytes = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (bytes == MAP_FAILED)
		return -errno;
	bytes[0]++;
	return outcome(msync(bytes, 1, MS_SYNC));
}

static int received_read(void)
{
	char byte;
	int fd = given(accomplice_descriptor("read"));

	return fd < 0 ? -errno : outcome(read(fd, &byte, 1));
}

static int received_list(void)
{
	char entries[1024];
	int fd = given(accomplice_descriptor("folder"));

	return fd < 0 ? -errno : outcome(syscall(SYS_getdents64, fd, entries, sizeof(entries)));
}

/* One that says only where: it is judged when it is opened. */
static int received_path(void)
{
	char path[32];
	int fd = given(accomplice_descriptor("path"));

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return write_to(path, O_WRONLY);
}

static int taken_write(void)
{
	struct held held;
	int pidfd, r = accomplice_held(&held);

	if (r)
		return r;
	pidfd = syscall(SYS_pidfd_open, held.pid, 0);
	if (step("pidfd_open") && pidfd < 0)
		return -errno;
	step("pidfd_getfd");
	return write_through(syscall(SYS_pidfd_getfd, pidfd, held.fd, 0));
}

static int proc_fd_write(void)
{
	char path[64];
	struct held held;
	int r = accomplice_held(&held);

	if (r)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", held.pid, held.fd);
	return write_to(path, O_WRONLY);
}

const struct attempt attempts[] = {
	{ "received-write", received_write },
	{ "received-link", received_link },
	{ "received-map", received_map },
	{ "received-read", received_read },
	{ "received-list", received_list },
	{ "received-path", received_path },
	{ "pidfd-getfd", taken_write },
	{ "proc-fd", proc_fd_write },
	{ "inherited-write", inherited_write },
	{ "inherited-folder", inherited_at },
	{ NULL, NULL },
};
