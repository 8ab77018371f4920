// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on the machine and on a process outside the job; see attempt.h.
 *
 * The process is the canary's parent, the controller: it is only asked about, or told what it is
 * already, and the one signal it gets is one that is ignored unless it is wanted.
 */
#include "job/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define IOPRIO_WHO_PROCESS 1 /* linux/ioprio.h, which older headers lack */

/* CAP_SYS_RESOURCE is asked for before the address, which is none, is looked at: EINVAL. */
static int use_capability(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(prctl(PR_SET_MM, PR_SET_MM_START_CODE, 0, 0, 0));
}

/*
 * By a child, who would be in it. Not by clone(): see task.bpf.c for what some kernels do to whom that
 * fails.
 */
static int make_user_namespace(const struct attempt *attempt, struct attempt_result *result)
{
	int r, status;
	pid_t pid = _Fork();

	(void)attempt;
	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? errno : 0);
	if (pid < 0)
		return -errno;
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	r = WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
	/* The machine allows no more of them. */
	return r == -ENOSPC || r == -EUSERS || r == -EINVAL ? act_impossible(result, r) : r;
}

static int read_process(const struct attempt *attempt, struct attempt_result *result)
{
	char path[64], target[8];

	(void)attempt, (void)result;
	snprintf(path, sizeof(path), "/proc/%d/exe", getppid());
	return act_outcome(readlink(path, target, sizeof(target)));
}

/* Of nothing: it counts no event, and would be closed at once. */
static int count_events(const struct attempt *attempt, struct attempt_result *result)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_DUMMY,
					.disabled = 1 };
	int fd = (int)syscall(SYS_perf_event_open, &attr, getppid(), -1, -1, PERF_FLAG_FD_CLOEXEC);

	(void)attempt, (void)result;
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int send_signal(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(kill(getppid(), SIGURG));
}

/* Of a pipe, into which nothing comes. */
static int set_owner(const struct attempt *attempt, struct attempt_result *result)
{
	int ends[2], r;

	(void)attempt, (void)result;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	r = act_outcome(fcntl(ends[0], F_SETOWN, getppid()));
	close(ends[0]);
	close(ends[1]);
	return r;
}

static int set_nice(const struct attempt *attempt, struct attempt_result *result)
{
	int nice;

	(void)attempt, (void)result;
	errno = 0;
	nice = getpriority(PRIO_PROCESS, getppid());
	return errno ? -errno : act_outcome(setpriority(PRIO_PROCESS, getppid(), nice));
}

static int set_io_priority(const struct attempt *attempt, struct attempt_result *result)
{
	long priority = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, getppid());

	(void)attempt, (void)result;
	if (priority < 0)
		return -errno;
	return act_outcome(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, getppid(), priority));
}

static int set_scheduler(const struct attempt *attempt, struct attempt_result *result)
{
	struct sched_param param;

	(void)attempt, (void)result;
	if (sched_getparam(getppid(), &param))
		return -errno;
	return act_outcome(sched_setparam(getppid(), &param));
}

static int set_limit(const struct attempt *attempt, struct attempt_result *result)
{
	struct rlimit limit;

	(void)attempt, (void)result;
	if (prlimit(getppid(), RLIMIT_CORE, NULL, &limit))
		return -errno;
	return act_outcome(prlimit(getppid(), RLIMIT_CORE, &limit, NULL));
}

/* Of an object that is not there: ENOENT. */
static int use_bpf(const struct attempt *attempt, struct attempt_result *result)
{
	union bpf_attr attr = { .pathname = (uintptr_t)OWN_NEW };

	(void)attempt, (void)result;
	return act_outcome(syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr)));
}

/*
 * Of a type whose keys nobody fetches, by a name of our own: without the hook the helper finds no rule for it. That there
 * is none is remembered for a minute, in this process' own keyring.
 */
static int request_key(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(syscall(SYS_request_key, "user", "jobcage:self-test", "",
			       KEY_SPEC_PROCESS_KEYRING));
}

/* Without the hook file systems that have quotas write them, as they would anyway. */
static int sync_quotas(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(syscall(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL));

	(void)attempt;
	return r == -ENOSYS ? act_impossible(result, r) : r;
}

/* Behind the reason may come more of a struct act. */
#define GUARD_ACT(act_hook, act_what, act_fn, act_refusal, act_op, act_reason, ...)          \
	{                                                                                    \
		.name = act_hook, .hook = act_hook, .what = act_what, .run = act_fn,         \
		.refusal = act_refusal, .op = act_op, .reason = act_reason, __VA_ARGS__      \
	}
#define OUTSIDE_ACT(act_hook, act_what, act_fn, act_op) \
	GUARD_ACT(act_hook, act_what, act_fn, EACCES, act_op, REASON_OUTSIDE)

const struct act guard_acts[] = {
	OUTSIDE_ACT("ptrace_access_check", "readlink() of the controller's /proc/PID/exe",
		    read_process, OP_TRACE),
	/* Without the capability the kernel asks as for tracing, by another hook. */
	GUARD_ACT("perf_event_alloc", "perf_event_open() of the controller", count_events, EACCES,
		  OP_TRACE, REASON_OUTSIDE, .capabilities = 1ULL << CAP_PERFMON),
	OUTSIDE_ACT("task_kill", "kill() of the controller with an ignored signal", send_signal,
		    OP_SIGNAL),
	GUARD_ACT("file_fcntl", "fcntl() that has a pipe signal the controller", set_owner, EACCES, OP_SIGNAL,
		  REASON_OWNER),
	OUTSIDE_ACT("task_setnice", "setpriority() of the controller", set_nice, OP_CONTROL),
	OUTSIDE_ACT("task_setioprio", "ioprio_set() of the controller", set_io_priority, OP_CONTROL),
	OUTSIDE_ACT("task_setscheduler", "sched_setparam() of the controller", set_scheduler,
		    OP_CONTROL),
	OUTSIDE_ACT("task_setrlimit", "prlimit() of the controller", set_limit, OP_CONTROL),
	GUARD_ACT("key_alloc", "request_key() of a key that is not there", request_key, EACCES,
		  OP_KEY_REQUEST, REASON_HELPER),
	GUARD_ACT("quotactl", "quotactl() that has the quotas of all file systems written",
		  sync_quotas, EACCES, OP_QUOTA_SYNC, REASON_ALL_QUOTAS),
	GUARD_ACT("bpf", "bpf() of an object that is not there", use_bpf, EACCES, OP_BPF, REASON_BPF,
		  .capabilities = 1ULL << CAP_BPF),
};
const size_t guard_act_cnt = ARRAY_SIZE(guard_acts);

const struct act capability_act = GUARD_ACT("capable", "prctl() that takes CAP_SYS_RESOURCE",
					    use_capability, EPERM, OP_CAPABILITY,
					    REASON_CAPABILITY);
const struct act user_namespace_act =
	GUARD_ACT("userns_create", "unshare() into a new user namespace", make_user_namespace, EACCES,
		  OP_USER_NAMESPACE, REASON_USER_NAMESPACE);
