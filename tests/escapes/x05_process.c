// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X5: a process outside the job: traced, read, written, signalled, tuned. It is EXTRA, or else the accomplice. Signals are
 * such as do no harm.
 */
#include "accomplice.h"
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEW_WORD 42

static struct held target;

static int find_target(void)
{
	if (!extra)
		return accomplice_held(&target);
	target.pid = atoi(extra);
	return 0;
}

/* SIGUSR1 is the accomplice's to count; a controller has no use for SIGURG. */
static int harmless(void) { return extra ? SIGURG : SIGUSR1; }

/* --- tracing */

static int stop_tracing(void)
{
	int status;

	if (waitpid(target.pid, &status, __WALL) < 0)
		return -errno;
	return outcome(ptrace(PTRACE_DETACH, target.pid, 0, 0));
}

static int attach(void)
{
	step("PTRACE_ATTACH");
	return ptrace(PTRACE_ATTACH, target.pid, 0, 0) ? -errno : stop_tracing();
}

static int seize(void)
{
	if (step("PTRACE_SEIZE") && ptrace(PTRACE_SEIZE, target.pid, 0, 0))
		return -errno;
	step("PTRACE_INTERRUPT");
	return ptrace(PTRACE_INTERRUPT, target.pid, 0, 0) ? -errno : stop_tracing();
}

/* By tracing: the accomplice's word. */
static int poke(void)
{
	int status, r;

	if (step("PTRACE_ATTACH") && ptrace(PTRACE_ATTACH, target.pid, 0, 0))
		return -errno;
	waitpid(target.pid, &status, __WALL);
	r = outcome(ptrace(PTRACE_POKEDATA, target.pid, target.address, NEW_WORD));
	ptrace(PTRACE_DETACH, target.pid, 0, 0);
	return r;
}

/* --- memory and descriptors */

static int write_memory(void)
{
	long word = NEW_WORD;
	struct iovec mine = { &word, sizeof(word) }, theirs = { (void *)target.address, sizeof(word) };

	step("process_vm_writev");
	return outcome(process_vm_writev(target.pid, &mine, 1, &theirs, 1, 0));
}

static int read_memory(void)
{
	long word;
	struct iovec mine = { &word, sizeof(word) }, theirs = { (void *)target.address, sizeof(word) };

	step("process_vm_readv");
	return outcome(process_vm_readv(target.pid, &mine, 1, &theirs, 1, 0));
}

static int open_of(const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", target.pid, name);
	step(name);
	return open(path, flags | O_CLOEXEC);
}

static int memory_file(void)
{
	long word = NEW_WORD;
	int fd = open_of("mem", O_RDWR), r;

	if (fd < 0)
		return -errno;
	step("pwrite");
	r = outcome(pwrite(fd, &word, sizeof(word), target.address));
	close(fd);
	return r;
}

static int open_memory(void) { return close_outcome(open_of("mem", O_RDONLY)); }

static int read_of(const char *name)
{
	int fd = open_of(name, O_RDONLY), r;
	char byte;

	if (fd < 0)
		return -errno;
	r = outcome(read(fd, &byte, 1));
	close(fd);
	return r;
}

static int maps(void) { return read_of("maps"); }
static int environment(void) { return read_of("environ"); }

static int compare(void)
{
	step("kcmp");
	return outcome(syscall(SYS_kcmp, getpid(), target.pid, KCMP_VM, 0, 0));
}

static int advise(void)
{
	struct iovec theirs = { (void *)(target.address & ~4095UL), 4096 };
	int pidfd = syscall(SYS_pidfd_open, target.pid, 0), r;

	if (step("pidfd_open") && pidfd < 0)
		return -errno;
	step("process_madvise");
	r = outcome(syscall(SYS_process_madvise, pidfd, &theirs, 1, MADV_COLD, 0));
	close(pidfd);
	return r;
}

/* --- signals */

static int by_kill(void) { return step("kill") && kill(target.pid, harmless()) ? -errno : 0; }
static int by_tgkill(void) { return step("tgkill") && tgkill(target.pid, target.pid, harmless()) ? -errno : 0; }
static int by_sigqueue(void) { return step("sigqueue") && sigqueue(target.pid, harmless(), (union sigval){ 0 }) ? -errno : 0; }

static int by_pidfd(void)
{
	int pidfd = syscall(SYS_pidfd_open, target.pid, 0), r;

	if (step("pidfd_open") && pidfd < 0)
		return -errno;
	step("pidfd_send_signal");
	r = outcome(syscall(SYS_pidfd_send_signal, pidfd, harmless(), NULL, 0));
	close(pidfd);
	return r;
}

/* --- what it gets of the machine */

static int nice_it(void) { return step("setpriority") && setpriority(PRIO_PROCESS, target.pid, 10) ? -errno : 0; }

static int limit_it(void)
{
	const struct rlimit limit = { 16, 16 };

	step("prlimit");
	return outcome(prlimit(target.pid, RLIMIT_NOFILE, &limit, NULL));
}

static int bind_it(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	step("sched_setaffinity");
	return outcome(sched_setaffinity(target.pid, sizeof(set), &set));
}

static int io_priority(void)
{
	step("ioprio_set");
	return outcome(syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, target.pid, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)));
}

static int oom_score(void)
{
	int fd = open_of("oom_score_adj", O_WRONLY), r;

	if (fd < 0)
		return -errno;
	step("write");
	r = outcome(write(fd, "900", 3));
	close(fd);
	return r;
}

/* --- its own, which it may */

static int own_child(void)
{
	pid_t pid;
	int r;

	signal(SIGUSR1, SIG_IGN);
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	target.pid = pid;
	r = attach() ?: by_kill() ?: nice_it();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return r;
}

#define ON_TARGET(act) static int target_##act(void) { return find_target() ?: act(); }
ON_TARGET(attach)
ON_TARGET(seize)
ON_TARGET(poke)
ON_TARGET(write_memory)
ON_TARGET(read_memory)
ON_TARGET(memory_file)
ON_TARGET(open_memory)
ON_TARGET(maps)
ON_TARGET(environment)
ON_TARGET(compare)
ON_TARGET(advise)
ON_TARGET(by_kill)
ON_TARGET(by_tgkill)
ON_TARGET(by_sigqueue)
ON_TARGET(by_pidfd)
ON_TARGET(nice_it)
ON_TARGET(limit_it)
ON_TARGET(bind_it)
ON_TARGET(io_priority)
ON_TARGET(oom_score)

const struct attempt attempts[] = {
	{ "ptrace-attach", target_attach },
	{ "ptrace-seize", target_seize },
	{ "ptrace-poke", target_poke },
	{ "vm-write", target_write_memory },
	{ "vm-read", target_read_memory },
	{ "proc-mem", target_memory_file },
	{ "proc-mem-open", target_open_memory },
	{ "proc-maps", target_maps },
	{ "proc-environ", target_environment },
	{ "kcmp", target_compare },
	{ "madvise", target_advise },
	{ "kill", target_by_kill },
	{ "tgkill", target_by_tgkill },
	{ "sigqueue", target_by_sigqueue },
	{ "pidfd-signal", target_by_pidfd },
	{ "nice", target_nice_it },
	{ "limit", target_limit_it },
	{ "affinity", target_bind_it },
	{ "io-priority", target_io_priority },
	{ "oom-score", target_oom_score },
	{ "own-child", own_child },
	{ NULL, NULL },
};
