// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * F18: writes and programs that the kernel does by itself when told where: swap, quota, accounting, core dumps, and the files
 * that name a helper to run. A helper's name is written as it was found, so that the machine stays as it is.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

static int swap_on(void)
{
	const char *file = in(ds, "swap");

	if (step("swapon") && swapon(file, 0))
		return -errno;
	return outcome(swapoff(file));
}

static int account(void)
{
	if (step("acct") && acct(in(ds, "f")))
		return -errno;
	if (!fork())
		_exit(0);
	wait(NULL);
	return outcome(acct(NULL));
}

/* EXTRA: the device's node. */
static int set_quota(void)
{
	struct dqblk limit = { .dqb_bhardlimit = 1 << 20, .dqb_valid = QIF_BLIMITS };

	step("quotactl");
	return outcome(quotactl(QCMD(Q_SETQUOTA, USRQUOTA), extra, 12345, (char *)&limit));
}

/* The kernel writes the core into the working directory of the one that crashes. */
static int dump_core(void)
{
	const struct rlimit unlimited = { 1 << 20, 1 << 20 };
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (chdir(ds) || setrlimit(RLIMIT_CORE, &unlimited))
			_exit(1);
		abort();
	}
	step("abort");
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) && WCOREDUMP(status) ? 0 : -EACCES;
}

static int core_pattern(void) { return write_back("/proc/sys/kernel/core_pattern"); }
static int modprobe_path(void) { return write_back("/proc/sys/kernel/modprobe"); }
static int uevent_helper(void) { return write_back("/sys/kernel/uevent_helper"); }

/* A handler of programs that end in ".jobcage-escape", and away again. */
static int binfmt(void)
{
	static const char rule[] = ":jobcage-escape:E::jobcage-escape::/usr/bin/true:";
	const char *spot = in(out, "mnt");
	int fd, r;

	if (step("mount") && mount("binfmt_misc", spot, "binfmt_misc", 0, NULL))
		return -errno;
	fd = open(in(spot, "register"), O_WRONLY | O_CLOEXEC);
	step("register");
	r = fd < 0 ? -errno : outcome(write(fd, rule, strlen(rule)));
	close(fd);
	fd = open(in(spot, "jobcage-escape"), O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "-1", 2) != 2)
		r = -errno;
	umount2(spot, MNT_DETACH);
	return r;
}

const struct attempt attempts[] = {
	{ "swapon", swap_on },
	{ "acct", account },
	{ "quotactl", set_quota },
	{ "core", dump_core },
	{ "core-pattern", core_pattern },
	{ "modprobe", modprobe_path },
	{ "uevent-helper", uevent_helper },
	{ "binfmt-misc", binfmt },
	{ NULL, NULL },
};
