// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X8: the machine itself, as root: its modules, clock, name, ports, keys, counters, namespaces. What was is what is set, and what
 * would be missed is asked for in such a way that the kernel looks and finds nothing: that is won, too.
 */
#include "accomplice.h"
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/shm.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

/* The kernel let us through, and said no more than that. */
static int passed(long result, int error) { return result < 0 && errno == error ? 0 : outcome(result); }

/* --- programs and memory of the kernel's */

static int counters_of(pid_t pid, int cpu)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK };

	step("perf_event_open");
	return close_outcome(syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

static int counters_of_machine(void) { return counters_of(-1, 0); }

static int counters_of_other(void)
{
	struct held held;

	return accomplice_held(&held) ?: counters_of(held.pid, -1);
}

/* All calls of a function of the kernel's. */
static int probe(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	struct perf_event_attr attr = { .size = sizeof(attr), .sample_period = 1, .kprobe_func = (unsigned long)"do_exit" };
	int cnt = file ? fscanf(file, "%u", &attr.type) : 0;

	if (file)
		fclose(file);
	if (step("type of kprobes") && cnt != 1)
		return -ENOSYS;
	step("perf_event_open");
	return close_outcome(syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
}

static int load_module(void)
{
	step("init_module");
	return passed(syscall(SYS_init_module, "x", 1, ""), ENOEXEC);
}

static int load_module_file(void)
{
	int fd = open(in(out, "f"), O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("finit_module");
	r = passed(syscall(SYS_finit_module, fd, "", 0), ENOEXEC);
	close(fd);
	return r;
}

static int remove_module(void)
{
	step("delete_module");
	return passed(syscall(SYS_delete_module, "jobcage_no_such_module", O_NONBLOCK), ENOENT);
}

/* No kernel at all, which takes away one that is waiting. */
static int load_kernel(void)
{
	step("kexec_load");
	return outcome(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}

static int load_kernel_file(void)
{
	step("kexec_file_load");
	return outcome(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 1 /* KEXEC_FILE_UNLOAD */));
}

/* What the keys for it do, as they do already. */
static int restart(void)
{
	step("reboot");
	return outcome(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_ON, NULL));
}

#if defined(__x86_64__)
static int all_ports(void) { return step("iopl") && iopl(3) ? -errno : 0; }
static int some_ports(void) { return step("ioperm") && ioperm(0x80, 1, 1) ? -errno : 0; }
#else
static int all_ports(void) { return -ENOSYS; }
static int some_ports(void) { return -ENOSYS; }
#endif
static int child_all_ports(void) { return in_child(all_ports); }
static int child_some_ports(void) { return in_child(some_ports); }

static int read_log(void)
{
	step("syslog");
	return outcome(syscall(SYS_syslog, 9 /* how much is unread */, NULL, 0));
}

/* --- what the machine is set to */

static int set_clock(void)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return step("settimeofday") && settimeofday(&now, NULL) ? -errno : 0;
}

static int set_timex(void)
{
	struct timex timex = { .modes = 0 };

	adjtimex(&timex);
	timex.modes = ADJ_MAXERROR;
	step("adjtimex");
	return outcome(adjtimex(&timex));
}

static int set_name(void)
{
	char name[64] = "";

	if (gethostname(name, sizeof(name) - 1))
		return -errno;
	return step("sethostname") && sethostname(name, strlen(name)) ? -errno : 0;
}

static int set_domain(void)
{
	char name[64] = "";

	if (getdomainname(name, sizeof(name) - 1))
		return -errno;
	return step("setdomainname") && setdomainname(name, strlen(name)) ? -errno : 0;
}

static int swap_off(void) { return step("swapoff") ? passed(swapoff(in(out, "f")), EINVAL) : 0; }

/* EXTRA: a file in which the kernel shows what it is set to, and takes it back. */
static int rewrite(void) { return write_back(extra); }

static int write_help(void)
{
	int fd = open(extra, O_WRONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("write");
	r = outcome(write(fd, "h\n", 2));
	close(fd);
	return r;
}

static int read_extra(void) { return read_from(extra); }

/* --- keys, and memory, of others */

static long keyctl(int command, long a, long b, long c) { return syscall(SYS_keyctl, command, a, b, c, 0); }

static int give_key(void)
{
	long key = syscall(SYS_add_key, "user", "jobcage-x8", "x", 1, KEY_SPEC_PROCESS_KEYRING);

	if (step("add_key") && key < 0)
		return -errno;
	step("KEYCTL_CHOWN");
	return outcome(keyctl(KEYCTL_CHOWN, key, 1, -1));
}

static int child_give_key(void) { return in_child(give_key); }

static int persistent_keys(void)
{
	step("KEYCTL_GET_PERSISTENT");
	return outcome(keyctl(KEYCTL_GET_PERSISTENT, 1, KEY_SPEC_PROCESS_KEYRING, 0));
}

static int child_persistent_keys(void) { return in_child(persistent_keys); }

/* The accomplice has put it into its user's keyring. */
static int key_of_other(void)
{
	char text[8];
	long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", "jobcage-escape", 0);

	if (step("KEYCTL_SEARCH") && key < 0)
		return -errno;
	step("KEYCTL_READ");
	return outcome(keyctl(KEYCTL_READ, key, (long)text, sizeof(text)));
}

static int segment_of_other(void)
{
	struct held held;
	int r = accomplice_held(&held);
	long *words = r ? NULL : shmat(held.segment, NULL, 0);

	if (r)
		return r;
	if (step("shmat") && words == (void *)-1)
		return -errno;
	*words = 1;
	return outcome(shmdt(words));
}

/* --- namespaces */

static int enter_of_init(const char *name, int kind)
{
	int space = open(in("/proc/1/ns", name), O_RDONLY | O_CLOEXEC), r;

	if (step("open of PID 1's") && space < 0)
		return -errno;
	step("setns");
	r = outcome(setns(space, kind));
	close(space);
	return r;
}

static int enter_net(void) { return enter_of_init("net", CLONE_NEWNET); }
static int enter_mount(void) { return enter_of_init("mnt", CLONE_NEWNS); }
static int enter_pid(void) { return enter_of_init("pid", CLONE_NEWPID); }
static int child_enter_net(void) { return in_child(enter_net); }
static int child_enter_mount(void) { return in_child(enter_mount); }
static int child_enter_pid(void) { return in_child(enter_pid); }

static int enter_by_pidfd(void)
{
	int pidfd = syscall(SYS_pidfd_open, 1, 0);

	if (step("pidfd_open") && pidfd < 0)
		return -errno;
	step("setns");
	return outcome(setns(pidfd, CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS));
}

static int child_enter_by_pidfd(void) { return in_child(enter_by_pidfd); }

static int make_namespace(int kind) { return step("unshare") && unshare(kind) ? -errno : 0; }
#define NAMESPACE(name, kind)                                          \
	static int make_##name(void) { return make_namespace(kind); } \
	static int child_make_##name(void) { return in_child(make_##name); }
NAMESPACE(user, CLONE_NEWUSER)
NAMESPACE(mount, CLONE_NEWNS)
NAMESPACE(net, CLONE_NEWNET)
NAMESPACE(pid, CLONE_NEWPID)
NAMESPACE(ipc, CLONE_NEWIPC)
NAMESPACE(uts, CLONE_NEWUTS)
NAMESPACE(cgroup, CLONE_NEWCGROUP)
NAMESPACE(time, CLONE_NEWTIME)
NAMESPACE(all, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

const struct attempt attempts[] = {
	{ "perf-machine", counters_of_machine },
	{ "perf-process", counters_of_other },
	{ "perf-kprobe", probe },
	{ "init-module", load_module },
	{ "finit-module", load_module_file },
	{ "delete-module", remove_module },
	{ "kexec", load_kernel },
	{ "kexec-file", load_kernel_file },
	{ "reboot", restart },
	{ "iopl", child_all_ports },
	{ "ioperm", child_some_ports },
	{ "syslog", read_log },
	{ "settimeofday", set_clock },
	{ "adjtimex", set_timex },
	{ "sethostname", set_name },
	{ "setdomainname", set_domain },
	{ "swapoff", swap_off },
	{ "rewrite", rewrite },
	{ "write", write_help },
	{ "read", read_extra },
	{ "key-chown", child_give_key },
	{ "key-persistent", child_persistent_keys },
	{ "key-of-other", key_of_other },
	{ "segment-of-other", segment_of_other },
	{ "setns-net", child_enter_net },
	{ "setns-mount", child_enter_mount },
	{ "setns-pid", child_enter_pid },
	{ "setns-pidfd", child_enter_by_pidfd },
	{ "unshare-user", child_make_user },
	{ "unshare-mount", child_make_mount },
	{ "unshare-net", child_make_net },
	{ "unshare-pid", child_make_pid },
	{ "unshare-ipc", child_make_ipc },
	{ "unshare-uts", child_make_uts },
	{ "unshare-cgroup", child_make_cgroup },
	{ "unshare-time", child_make_time },
	{ "unshare-all", child_make_all },
	{ NULL, NULL },
};
