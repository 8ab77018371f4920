// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X9: the other two ways into an x86-64 kernel: calls of 32-bit programs by int 0x80, which any program may make, and x32. What they
 * ask for must be judged like what came by the usual way.
 */
#include "accomplice.h"
#include "escape.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define X32 0x40000000

/* arch/x86/entry/syscalls/syscall_32.tbl, and the numbers from 512 on of syscall_64.tbl */
enum {
	I386_UNLINK = 10, I386_EXECVE = 11, I386_CHMOD = 15, I386_PTRACE = 26, I386_KILL = 37,
	I386_SETHOSTNAME = 74, I386_SOCKETCALL = 102, I386_MMAP2 = 192, I386_TRUNCATE64 = 193, I386_OPENAT = 295, I386_UNSHARE = 310,
	I386_PROCESS_VM_WRITEV = 348, I386_BPF = 357,
	X32_EXECVE = 520,
};

#if defined(__x86_64__)
/* Raw: a negative errno is the answer. */
static long i386(long number, long a, long b, long c, long d, long e)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}
#else
static long i386(long number, long a, long b, long c, long d, long e) { return -ENOSYS + 0 * (number + a + b + c + d + e); }
#endif

/* Where a 32-bit pointer reaches. */
static char *low_page(void)
{
	static char *page;

	if (!page)
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	return page;
}

static long low(const char *text) { return (long)strcpy(low_page(), text); }
static int answer(long result) { return result < 0 ? result : 0; }

static int open_32(const char *path, int flags)
{
	long fd = i386(I386_OPENAT, AT_FDCWD, low(path), flags | O_CLOEXEC, 0600, 0);

	step("openat by int 0x80");
	if (fd < 0)
		return fd;
	return flags & O_WRONLY ? write_through(fd) : close_outcome(fd);
}

static int open_write(void) { return open_32(in(ds, "f"), O_WRONLY); }
static int create(void) { return open_32(in(ds, "new"), O_WRONLY | O_CREAT); }
static int open_closed(void) { return open_32(in(closed, "p"), O_RDONLY); }
static int remove_file(void) { return step("unlink by int 0x80") ? answer(i386(I386_UNLINK, low(in(ds, "f")), 0, 0, 0, 0)) : 0; }
static int change_mode(void) { return step("chmod by int 0x80") ? answer(i386(I386_CHMOD, low(in(ds, "f")), 0600, 0, 0, 0)) : 0; }
static int shorten(void) { return step("truncate64 by int 0x80") ? answer(i386(I386_TRUNCATE64, low(in(ds, "f")), 1, 0, 0, 0)) : 0; }

static int execute_32(void)
{
	unsigned int *argv = (unsigned int *)(low_page() + PAGE / 2);
	long path = low(in(out, "tool"));

	argv[0] = path;
	argv[1] = 0;
	return i386(I386_EXECVE, path, (long)argv, (long)(argv + 1), 0, 0);
}

static int child_execute_32(void) { return step("execve by int 0x80") ? in_quiet_child(execute_32) : 0; }

static int map_32(void)
{
	int fd = open(in(out, "tool"), O_RDONLY | O_CLOEXEC);
	long result = i386(I386_MMAP2, 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd);

	step("mmap2 by int 0x80");
	close(fd);
	/* The sixth, the offset, is what happens to be there; addresses look negative. */
	return result < 0 && result > -PAGE ? result : 0;
}

static int signal_32(void)
{
	struct held held;
	int r = accomplice_held(&held);

	step("kill by int 0x80");
	return r ?: answer(i386(I386_KILL, held.pid, SIGUSR1, 0, 0, 0));
}

static int trace_32(void)
{
	struct held held;
	int r = accomplice_held(&held);

	step("ptrace by int 0x80");
	return r ?: answer(i386(I386_PTRACE, PTRACE_SEIZE, held.pid, 0, 0, 0));
}

static int write_memory_32(void)
{
	struct held held;
	unsigned int *vectors = (unsigned int *)low_page();
	int r = accomplice_held(&held);

	if (r)
		return r;
	/* Of itself into the accomplice's page at 0, where nothing is: who may try is told so. */
	vectors[0] = (unsigned int)(long)low_page();
	vectors[1] = 4;
	vectors[2] = 0;
	vectors[3] = 4;
	r = i386(I386_PROCESS_VM_WRITEV, held.pid, (long)vectors, 1, (long)(vectors + 2), 1);
	step("process_vm_writev by int 0x80");
	return r == -EFAULT ? 0 : answer(r);
}

static int set_name_32(void)
{
	gethostname(low_page(), PAGE - 1);
	step("sethostname by int 0x80");
	return answer(i386(I386_SETHOSTNAME, (long)low_page(), strlen(low_page()), 0, 0, 0));
}

/* Of a pin that is not there: who may ask is told so. */
static int bpf_32(void)
{
	unsigned long *attr = (unsigned long *)(low_page() + PAGE / 2);
	long r;

	*attr = low("/sys/fs/bpf/jobcage-no-such-pin");
	r = i386(I386_BPF, 7, (long)attr, 16, 0, 0);
	step("bpf by int 0x80");
	return r == -ENOENT ? 0 : answer(r);
}

static int namespace_32(void) { return i386(I386_UNSHARE, CLONE_NEWUSER, 0, 0, 0, 0); }
static int child_namespace_32(void) { return step("unshare by int 0x80") ? in_child(namespace_32) : 0; }

/* socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) */
static int raw_socket_32(void)
{
	unsigned int *args = (unsigned int *)low_page();
	long fd;

	args[0] = 2;
	args[1] = 3;
	args[2] = 1;
	fd = i386(I386_SOCKETCALL, 1, (long)args, 0, 0, 0);
	step("socketcall by int 0x80");
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* --- x32 */

static int open_x32(const char *path, int flags)
{
	int fd = syscall(X32 + SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);

	step("openat of x32");
	return fd >= 0 && flags & O_WRONLY ? write_through(fd) : close_outcome(fd);
}

static int open_write_x32(void) { return open_x32(in(ds, "f"), O_WRONLY); }
static int open_closed_x32(void) { return open_x32(in(closed, "p"), O_RDONLY); }

static int execute_x32(void)
{
	unsigned int *argv = (unsigned int *)(low_page() + PAGE / 2);
	long path = low(in(out, "tool"));

	argv[0] = path;
	argv[1] = 0;
	return outcome(syscall(X32 + X32_EXECVE, path, argv, argv + 1));
}

static int child_execute_x32(void) { return step("execve of x32") ? in_quiet_child(execute_x32) : 0; }

static int signal_x32(void)
{
	struct held held;
	int r = accomplice_held(&held);

	step("kill of x32");
	return r ?: outcome(syscall(X32 + SYS_kill, held.pid, SIGUSR1));
}

const struct attempt attempts[] = {
	{ "open-write", open_write },
	{ "create", create },
	{ "open-closed", open_closed },
	{ "unlink", remove_file },
	{ "chmod", change_mode },
	{ "truncate", shorten },
	{ "execve", child_execute_32 },
	{ "mmap", map_32 },
	{ "kill", signal_32 },
	{ "ptrace", trace_32 },
	{ "vm-write", write_memory_32 },
	{ "sethostname", set_name_32 },
	{ "bpf", bpf_32 },
	{ "unshare", child_namespace_32 },
	{ "raw-socket", raw_socket_32 },
	{ "x32-open-write", open_write_x32 },
	{ "x32-open-closed", open_closed_x32 },
	{ "x32-execve", child_execute_x32 },
	{ "x32-kill", signal_x32 },
	{ NULL, NULL },
};
