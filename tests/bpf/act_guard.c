// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on the machine and on other processes. See act.h.
 *
 * A process that is acted on is told what it is already, or gets a signal that it ignores; what takes a
 * capability is made so that it then fails for another reason, which stands for success.
 */
#include "act.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443 /* since 5.14 */
#endif
#define IOPRIO_WHO_PROCESS 1 /* linux/ioprio.h, which older headers lack */

/* It came as far as its argument. */
static int got_through(int result, int error)
{
	return result == -error ? 0 : result;
}

static int capability(char **argv)
{
	(void)argv;
	return got_through(outcome(prctl(PR_SET_MM, PR_SET_MM_START_CODE, 0, 0, 0)), EINVAL);
}

static int user_namespace(char **argv)
{
	pid_t pid = fork();

	(void)argv;
	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? errno : 0);
	return pid < 0 ? -errno : wait_outcome(pid);
}

static int read_exe(char **argv)
{
	char path[64], target[8];

	snprintf(path, sizeof(path), "/proc/%s/exe", argv[0]);
	return outcome(readlink(path, target, sizeof(target)));
}

static int write_memory(char **argv)
{
	char byte = 0;
	struct iovec here = { &byte, 1 }, nowhere = { NULL, 1 };

	return got_through(outcome(process_vm_writev(atoi(argv[0]), &here, 1, &nowhere, 1, 0)), EFAULT);
}

/* argv: process, of which nothing is counted; -1: every process, on the first processor. */
static int count_events(char **argv)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_DUMMY };
	pid_t pid = atoi(argv[0]);

	step("perf_event_open");
	return close_outcome(syscall(SYS_perf_event_open, &attr, pid, pid < 0 ? 0 : -1, -1, PERF_FLAG_FD_CLOEXEC));
}

/* Inherited by a child. */
static int count_own_events(char **argv)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_TASK_CLOCK, .inherit = 1 };
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC), r;
	pid_t pid;

	(void)argv;
	if (step("perf_event_open") && fd < 0)
		return -errno;
	pid = fork();
	if (!pid)
		_exit(0);
	step("fork");
	r = pid < 0 ? -errno : wait_outcome(pid);
	close(fd);
	return r;
}

static int send_signal(char **argv)
{
	return outcome(kill(atoi(argv[0]), SIGURG));
}

static int send_by_pidfd(char **argv)
{
	int fd = syscall(SYS_pidfd_open, atoi(argv[0]), 0), r;

	step("pidfd_open");
	if (fd < 0)
		return -errno;
	step("pidfd_send_signal");
	r = outcome(syscall(SYS_pidfd_send_signal, fd, SIGURG, NULL, 0));
	close(fd);
	return r;
}

static int take_descriptor(char **argv)
{
	int fd = syscall(SYS_pidfd_open, atoi(argv[0]), 0), r;

	step("pidfd_open");
	if (fd < 0)
		return -errno;
	step("pidfd_getfd");
	r = got_through(outcome(syscall(SYS_pidfd_getfd, fd, 1 << 20, 0)), EBADF);
	close(fd);
	return r;
}

static int set_nice(char **argv)
{
	int pid = atoi(argv[0]);

	return outcome(setpriority(PRIO_PROCESS, pid, getpriority(PRIO_PROCESS, pid)));
}

static int set_io_priority(char **argv)
{
	int pid = atoi(argv[0]);

	return outcome(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid,
			       syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid)));
}

static int set_scheduler(char **argv)
{
	struct sched_param param = { 0 };

	return outcome(sched_setparam(atoi(argv[0]), &param));
}

static int set_limit(char **argv)
{
	struct rlimit limit;

	step("prlimit, to read");
	if (prlimit(atoi(argv[0]), RLIMIT_CORE, NULL, &limit))
		return -errno;
	step("prlimit");
	return outcome(prlimit(atoi(argv[0]), RLIMIT_CORE, &limit, NULL));
}

static int use_bpf(char **argv)
{
	union bpf_attr attr = { .pathname = (uintptr_t)"/none" };

	(void)argv;
	return got_through(outcome(syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr))), ENOENT);
}

/* The signal comes at once: something is in the pipe. By 'w': F_SETOWN, 'x': F_SETOWN_EX, 's': FIOSETOWN. */
static int signal_by(char way, int pid)
{
	struct f_owner_ex owner = { F_OWNER_PID, pid };
	int ends[2], r;

	if (way == 's' ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends))
		return -errno;
	r = outcome(way == 's' ? ioctl(ends[0], FIOSETOWN, &pid) :
		    way == 'x' ? fcntl(ends[0], F_SETOWN_EX, &owner) :
				 fcntl(ends[0], F_SETOWN, pid));
	r = r ?: outcome(fcntl(ends[0], F_SETSIG, SIGURG)) ?: outcome(fcntl(ends[0], F_SETFL, O_ASYNC)) ?:
		 outcome(write(ends[1], "x", 1) - 1);
	close(ends[0]);
	close(ends[1]);
	return r;
}

static int signal_by_owner(char **argv) { return signal_by('w', atoi(argv[0])); }
static int signal_by_owner_ex(char **argv) { return signal_by('x', atoi(argv[0])); }
static int signal_by_ioctl(char **argv) { return signal_by('s', atoi(argv[0])); }

static int signal_oneself(char **argv)
{
	(void)argv;
	signal(SIGURG, SIG_IGN);
	return signal_by('w', getpid());
}

/* By a new name each time: the kernel remembers for a minute that there is none. */
static int request_key(char **argv)
{
	static unsigned int count;
	char name[64];

	(void)argv;
	snprintf(name, sizeof(name), "jobcage:act:%d:%u", getpid(), count++);
	return got_through(outcome(syscall(SYS_request_key, "user", name, "x", KEY_SPEC_PROCESS_KEYRING)), ENOKEY);
}

static int sync_quotas(char **argv)
{
	(void)argv;
	return outcome(quotactl(QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL));
}

/* Of the file system that a directory is on. */
static int quotas_of(const char *path, int command, struct dqblk *limits)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("quotactl_fd");
	r = outcome(syscall(SYS_quotactl_fd, fd, QCMD(command, USRQUOTA), 12345, limits));
	close(fd);
	return r;
}

static int set_quota(char **argv)
{
	struct dqblk limits = { .dqb_bhardlimit = 1 << 20, .dqb_valid = QIF_BLIMITS };

	return quotas_of(argv[0], Q_SETQUOTA, &limits);
}

static int get_quota(char **argv)
{
	struct dqblk limits;

	return quotas_of(argv[0], Q_GETQUOTA, &limits);
}

static int sync_quotas_of(char **argv)
{
	return quotas_of(argv[0], Q_SYNC, NULL);
}

const struct act guard_acts[] = {
	{ "capability", 0, capability },
	{ "user_namespace", 0, user_namespace },
	{ "read_exe", 1, read_exe },
	{ "write_memory", 1, write_memory },
	{ "count_events", 1, count_events },
	{ "count_own_events", 0, count_own_events },
	{ "signal", 1, send_signal },
	{ "signal_by_pidfd", 1, send_by_pidfd },
	{ "take_descriptor", 1, take_descriptor },
	{ "set_nice", 1, set_nice },
	{ "set_io_priority", 1, set_io_priority },
	{ "set_scheduler", 1, set_scheduler },
	{ "set_limit", 1, set_limit },
	{ "bpf", 0, use_bpf },
	{ "request_key", 0, request_key },
	{ "sync_quotas", 0, sync_quotas },
	{ "sync_quotas_of", 1, sync_quotas_of },
	{ "set_quota", 1, set_quota },
	{ "get_quota", 1, get_quota },
	{ "signal_by_owner", 1, signal_by_owner },
	{ "signal_by_owner_ex", 1, signal_by_owner_ex },
	{ "signal_by_ioctl", 1, signal_by_ioctl },
	{ "signal_oneself", 0, signal_oneself },
	{ NULL, 0, NULL },
};
