// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F4: symbolic links to, from and through a dataset, and the kernel's own in /proc. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int via(void) { return write_to(in(out, "via"), O_WRONLY); }
static int inner(void) { return write_to(in(ds, "l"), O_WRONLY); }
static int through(void) { return write_to(in(out, "via-folder/in"), O_WRONLY); }
static int dotdot(void) { return write_to(in(out, "via-folder/../f"), O_WRONLY); }
static int create_by_link(void) { return write_to(in(out, "via-new"), O_WRONLY | O_CREAT); }
static int self_root(void) { return write_to(in("/proc/self/root", in(ds, "f")), O_WRONLY); }
static int thread_root(void) { return write_to(in("/proc/thread-self/root", in(ds, "f")), O_WRONLY); }

static int new_link(void)
{
	if (step("symlink") && symlink(in(ds, "f"), in(out, "new")))
		return -errno;
	return write_to(in(out, "new"), O_WRONLY);
}

/* By the working directory of another process: this one's, seen from a child. */
static int write_by_cwd(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cwd/f", getppid());
	return write_to(path, O_WRONLY);
}

static int proc_cwd(void)
{
	if (step("chdir") && chdir(ds))
		return -errno;
	return in_child(write_by_cwd);
}

static int reopen(int flags)
{
	char path[32];
	int fd = open(in(ds, "f"), flags | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = write_to(path, O_WRONLY);
	close(fd);
	return r;
}

static int reopen_read(void) { return reopen(O_RDONLY); }
static int reopen_path(void) { return reopen(O_PATH); }

const struct attempt attempts[] = {
	{ "via", via },
	{ "inner", inner },
	{ "through", through },
	{ "dotdot", dotdot },
	{ "create-by-link", create_by_link },
	{ "new-link", new_link },
	{ "self-root", self_root },
	{ "thread-root", thread_root },
	{ "proc-cwd", proc_cwd },
	{ "reopen-read", reopen_read },
	{ "reopen-path", reopen_path },
	{ NULL, NULL },
};
