// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X6: leaving the job: other cgroups, more of them, none; and processes that nobody's child are any more. EXTRA is another
 * cgroup, which may be empty.
 */
#include "accomplice.h"
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUPS "/sys/fs/cgroup"

static int tell(const char *cgroup, const char *file, const char *text)
{
	int fd = open(in(cgroup, file), O_WRONLY | O_CLOEXEC), r;

	if (step(file) && fd < 0)
		return -errno;
	r = outcome(write(fd, text, strlen(text)));
	close(fd);
	return r;
}

static int move_to(const char *cgroup) { return tell(cgroup, "cgroup.procs", "0"); }
static int to_sibling(void) { return move_to(extra); }
static int to_parent(void) { return move_to(dirname(strdup(extra))); }
static int to_root(void) { return move_to(CGROUPS); }
static int child_to_sibling(void) { return in_child(to_sibling); }
static int child_to_parent(void) { return in_child(to_parent); }
static int child_to_root(void) { return in_child(to_root); }

/* Itself, by somebody who is in the job as well. */
static int parent_to_sibling(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getppid());
	return tell(extra, "cgroup.procs", pid);
}

static int by_child(void) { return in_child(parent_to_sibling); }

static int born_into(void)
{
	int status, folder = open(extra, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = folder };
	pid_t pid;

	if (step("open") && folder < 0)
		return -errno;
	step("clone3");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : outcome(waitpid(pid, &status, 0));
}

/* Some kernels' jobs lose who is refused it. */
static int child_born_into(void) { return in_child(born_into); }

/* By a descriptor of somebody else's: the kernel asks what he may, who opened it. */
static int by_received(void)
{
	int procs = accomplice_descriptor("cgroup"), r;

	if (procs < 0)
		return procs;
	step("write");
	r = outcome(write(procs, "0", 1));
	close(procs);
	return r;
}

static int child_by_received(void) { return in_child(by_received); }

/* --- cgroups of its own */

/* Where it is, or NULL. */
static const char *own_cgroup(void)
{
	static char line[512];
	FILE *file = fopen("/proc/self/cgroup", "re");
	const char *path = NULL;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "0::", 3))
			path = in(CGROUPS, strtok(line + 3, "\n"));
	if (file)
		fclose(file);
	return path;
}

static int nested(void)
{
	const char *inner = in(own_cgroup(), "jobcage-x6");
	int r = step("mkdir") && mkdir(inner, 0755) ? -errno : 0;

	if (!r)
		r = in_child(to_root);
	rmdir(inner);
	return r;
}

static int new_namespace(void)
{
	const char *spot = in(out, "mnt");

	if (step("unshare") && unshare(CLONE_NEWCGROUP | CLONE_NEWNS))
		return -errno;
	if (step("mount") && mount("cgroup2", spot, "cgroup2", 0, NULL))
		return -errno;
	return outcome(umount2(spot, MNT_DETACH));
}

static int user_namespace(void) { return enter_namespaces() ?: new_namespace(); }
static int child_namespace(void) { return in_child(new_namespace); }
static int child_user_namespace(void) { return in_child(user_namespace); }

/* --- the cgroups themselves */

static int remove_other(void) { return step("rmdir") && rmdir(extra) ? -errno : 0; }
static int kill_all(void) { return tell(extra, "cgroup.kill", "1"); }
static int freeze(void) { return tell(extra, "cgroup.freeze", "1") ?: tell(extra, "cgroup.freeze", "0"); }
static int lift_limit(void) { return tell(extra, "cgroup.max.depth", "max"); }

/* --- nobody's child */

static int steal(void) { return read_from(in(closed, "p")); }

/*
 * A daemon's daemon, in a session of its own, whose parents are gone for a second before it does anything. It answers for
 * itself.
 */
static int daemon_steals(void)
{
	int ends[2], r = -EPROTO;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	if (!fork()) {
		setsid();
		if (fork())
			_exit(0);
		sleep(1);
		r = steal();
		pid = getpid();
		if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid) || write(ends[1], &r, sizeof(r)) != sizeof(r))
			_exit(1);
		_exit(0);
	}
	close(ends[1]);
	wait(NULL);
	if (read(ends[0], &pid, sizeof(pid)) == sizeof(pid) && read(ends[0], &r, sizeof(r)) == sizeof(r))
		answer_for(pid);
	close(ends[0]);
	return r;
}

const struct attempt attempts[] = {
	{ "sibling", child_to_sibling },
	{ "parent", child_to_parent },
	{ "root", child_to_root },
	{ "by-child", by_child },
	{ "received", child_by_received },
	{ "clone-into", child_born_into },
	{ "nested", nested },
	{ "namespace", child_namespace },
	{ "user-namespace", child_user_namespace },
	{ "remove", remove_other },
	{ "kill", kill_all },
	{ "freeze", freeze },
	{ "limit", lift_limit },
	{ "daemon", daemon_steals },
	{ NULL, NULL },
};
