// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * killpoint - stops a process with SIGKILL at one of its system calls.
 *
 *	killpoint PID NUMBER [PATTERN [half|done|stop]]
 *
 * Seizes the process, says "ready", and lists each call from then on that others can see something of, or that sets up what the
 * process waits for, as one of its threads enters it: its number counted from 1, its name and its first arguments. The process is killed
 * as it enters the one of that NUMBER (0: none), which is therefore not done; with PATTERN, an extended regular expression, only calls
 * whose name and arguments match it are counted. half: the call, a write(), does half of what it is asked for first; done: all of it. stop: the process is not killed but stopped, and
 * let go. Ends with the process; killed itself, it lets the process go. The threads that the process makes meanwhile are watched, not
 * those that it has already, nor its children.
 *
 * What it stores into memory that it shares with others, it does between two calls, and at none.
 *
 * strace can do this too, but takes half a second to start and prints what nobody reads, fifty times in a test.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	long nr;
	const char *name;
} calls[] = {
	{ SYS_bpf, "bpf" },
	{ SYS_openat, "openat" },
	{ SYS_write, "write" },
	{ SYS_pwrite64, "pwrite64" },
	{ SYS_mkdirat, "mkdirat" },
	{ SYS_renameat2, "renameat2" },
	{ SYS_linkat, "linkat" },
	{ SYS_unlinkat, "unlinkat" },
	{ SYS_fchmod, "fchmod" },
	{ SYS_fchmodat, "fchmodat" },
	{ SYS_fallocate, "fallocate" },
	{ SYS_ftruncate, "ftruncate" },
	{ SYS_fsetxattr, "fsetxattr" },
	{ SYS_fremovexattr, "fremovexattr" },
	{ SYS_flock, "flock" },
	{ SYS_futex, "futex" }, /* tells a client's thread that its request is done */
	{ SYS_clone, "clone" },
	{ SYS_clone3, "clone3" }, /* the canary, and threads */
	{ SYS_setpgid, "setpgid" },
	{ SYS_bind, "bind" },
	{ SYS_listen, "listen" },
	{ SYS_accept4, "accept4" },
	{ SYS_sendto, "sendto" }, /* starts the canary; answers a client */
	{ SYS_sendmsg, "sendmsg" },
	{ SYS_ioctl, "ioctl" },
	{ SYS_epoll_ctl, "epoll_ctl" },
	{ SYS_wait4, "wait4" },
	{ SYS_waitid, "waitid" },
	{ SYS_kill, "kill" },
	{ SYS_pidfd_send_signal, "pidfd_send_signal" },
#ifdef SYS_mkdir
	{ SYS_mkdir, "mkdir" },
	{ SYS_rmdir, "rmdir" },
	{ SYS_rename, "rename" },
	{ SYS_link, "link" },
	{ SYS_unlink, "unlink" },
	{ SYS_chmod, "chmod" },
#endif
};

/* What becomes of the call before the process is killed; or the process is stopped. */
enum extent {
	NOTHING,
	HALF,
	ALL,
	STOP,
};

static const char *const extents[] = { [HALF] = "half", [ALL] = "done", [STOP] = "stop" };

static pid_t target;

/* A path tells more than a pointer; what is no path prints as nothing. */
static void read_path(unsigned long long address, char *room, size_t size)
{
	char mem[32];
	int fd;
	ssize_t n;

	*room = '\0';
	snprintf(mem, sizeof(mem), "/proc/%d/mem", target);
	fd = open(mem, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = pread(fd, room, size - 1, (off_t)address);
	close(fd);
	room[n < 0 ? 0 : n] = '\0';
	for (char *c = room; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '\0';
}

static bool is_entry(pid_t thread, const char **ret_name, char *room, size_t size)
{
	struct __ptrace_syscall_info info;
	unsigned long long args[6];

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) < 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		char first[48], second[48];

		if (calls[i].nr != (long)info.entry.nr)
			continue;
		memcpy(args, info.entry.args, sizeof(args));
		read_path(args[0], first, sizeof(first));
		read_path(args[1], second, sizeof(second));
		*ret_name = calls[i].name;
		snprintf(room, size, "%lld %s %s", (long long)args[0], first, second);
		return true;
	}
	return false;
}

/* The signal to hand on when the process goes on. */
static int signal_of(int status)
{
	int sig = WSTOPSIG(status);

	return status >> 16 || sig == (SIGTRAP | 0x80) ? 0 : sig;
}

/* Lists a call that is entered. Returns whether it is the one to be killed at. */
static bool is_point(pid_t thread, long wanted, const regex_t *pattern)
{
	static long number, matches;
	char arguments[160], line[192];
	const char *name;

	if (!is_entry(thread, &name, arguments, sizeof(arguments)))
		return false;
	snprintf(line, sizeof(line), "%s %s", name, arguments);
	printf("%ld %s\n", ++number, line);
	return (!pattern || !regexec(pattern, line, 0, NULL, 0)) && ++matches == wanted;
}

/* The third argument of the call that is entered. */
static bool halve(pid_t thread)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, thread, 0, &regs))
		return false;
	regs.rdx /= 2;
	return !ptrace(PTRACE_SETREGS, thread, 0, &regs);
#else
	(void)thread;
	return false;
#endif
}

/* At the entry of the call: has it done that far, and the process killed. */
static bool finish(pid_t thread, enum extent extent)
{
	int status;

	if (extent == HALF && !halve(thread))
		return false;
	if (extent != NOTHING && (ptrace(PTRACE_SYSCALL, thread, 0, 0L) || waitpid(thread, &status, __WALL) != thread))
		return false;
	return !kill(target, SIGKILL);
}

static int follow(long wanted, const regex_t *pattern, enum extent extent)
{
	int status;
	pid_t thread;

	while ((thread = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (thread == target)
				return 0;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && is_point(thread, wanted, pattern)) {
			if (extent == STOP)
				return kill(target, SIGSTOP);
			if (!finish(thread, extent))
				return 1;
			continue;
		}
		if (ptrace(PTRACE_SYSCALL, thread, 0, (long)signal_of(status)) && errno != ESRCH)
			return 1;
	}
	return 1;
}

int main(int argc, char **argv)
{
	enum extent extent = argc == 5 ? STOP : NOTHING;
	regex_t pattern;

	while (extent && strcmp(argv[4], extents[extent]))
		extent--;
	if (argc < 3 || argc > 5 || (argc == 5 && !extent) || (argc > 3 && regcomp(&pattern, argv[3], REG_EXTENDED | REG_NOSUB))) {
		fprintf(stderr, "usage: killpoint PID NUMBER [PATTERN [half|done|stop]]\n");
		return 2;
	}
	target = atoi(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (ptrace(PTRACE_SEIZE, target, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) ||
	    ptrace(PTRACE_INTERRUPT, target, 0, 0)) {
		perror("killpoint");
		return 1;
	}
	puts("ready");
	return follow(atol(argv[2]), argc > 3 ? &pattern : NULL, extent);
}
