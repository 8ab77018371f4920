// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on attributes and descriptors of files of our own, and on mounts; see attempt.h.
 *
 * Where an act is not refused it changes nothing: attributes are set to what they are or on a file
 * system that has none, and mounts are asked for what the kernel then finds to be impossible.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/attempt.h"

#ifndef SYS_file_setattr
#define SYS_file_setattr 469 /* since 6.17 */
#endif

#define ATTRIBUTE "user.jobcage"
#define ACL "system.posix_acl_access"

/* --- descriptors ------------------------------------------------------------------------------ */

/* What another process would send; the kernel asks the same of a descriptor of one's own. */
static int receive(int own_fd, struct attempt_result *result)
{
	_cleanup_fd_ int self = syscall(SYS_pidfd_open, getpid(), 0), fd = -1;

	if (self < 0)
		return act_impossible(result, -errno);
	fd = syscall(SYS_pidfd_getfd, self, own_fd, 0);
	return act_outcome(fd);
}

static int receive_descriptor(const struct attempt *attempt, struct attempt_result *result)
{
	return receive(attempt->file_fd, result);
}

static int receive_socket(const struct attempt *attempt, struct attempt_result *result)
{
	if (attempt->socket_fd < 0)
		return act_impossible(result, -EAFNOSUPPORT);
	return receive(attempt->socket_fd, result);
}

static int truncate_descriptor(const struct attempt *attempt, struct attempt_result *result)
{
	(void)result;
	return act_outcome(ftruncate(attempt->file_fd, 0));
}

/* --- attributes ------------------------------------------------------------------------------- */

static int set_times(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(utimensat(AT_FDCWD, OWN_FILE, NULL, 0));
}

static int set_xattr(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(setxattr(OWN_FILE, ATTRIBUTE, "", 0, 0));

	(void)attempt, (void)result;
	if (!r)
		removexattr(OWN_FILE, ATTRIBUTE);
	return r;
}

static int remove_xattr(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(removexattr(OWN_FILE, ATTRIBUTE));
}

/* Version 2, and the three entries that say what the mode says. */
static int set_acl(const struct attempt *attempt, struct attempt_result *result)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[3];
	} acl = { 2, { { 0x01, 6, UINT32_MAX }, { 0x04, 0, UINT32_MAX }, { 0x20, 0, UINT32_MAX } } };

	(void)attempt, (void)result;
	return act_outcome(setxattr(OWN_FILE, ACL, &acl, sizeof(acl), 0));
}

static int remove_acl(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(removexattr(OWN_FILE, ACL));
}

/* --- what is read without opening ------------------------------------------------------------- */

static int get_xattr(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(getxattr(OWN_FILE, ATTRIBUTE, NULL, 0));
}

static int read_link(const struct attempt *attempt, struct attempt_result *result)
{
	char target[sizeof(OWN_FILE)];

	(void)attempt, (void)result;
	return act_outcome(readlink(OWN_LINK, target, sizeof(target)));
}

static int watch(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = inotify_init1(IN_CLOEXEC);

	(void)attempt;
	if (fd < 0)
		return act_impossible(result, -errno);
	return act_outcome(inotify_add_watch(fd, OWN_FILE, IN_OPEN));
}

/* --- inode flags ------------------------------------------------------------------------------ */

/* If it is not refused, the kernel finds no flags at that address. */
static int set_flags(const struct attempt *attempt, struct attempt_result *result)
{
	(void)result;
	return act_outcome(syscall(SYS_ioctl, attempt->file_fd, FS_IOC_SETFLAGS, NULL));
}

static int set_fileattr(const struct attempt *attempt, struct attempt_result *result)
{
	static const uint64_t none[3] = { 0 }; /* struct file_attr */
	int r = act_outcome(syscall(SYS_file_setattr, AT_FDCWD, OWN_FILE, none, sizeof(none), 0));

	(void)attempt;
	return r == -ENOSYS || r == -EOPNOTSUPP ? act_impossible(result, r) : r;
}

#ifdef __x86_64__
#define IOCTL_32 54 /* asm/unistd_32.h */
#define FS_IOC32_SETFLAGS_CMD 0x40046602

static sigjmp_buf no_32_bit;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(no_32_bit, 1);
}

/* A kernel that has no 32-bit system calls answers with a fault. */
static int set_flags_32(const struct attempt *attempt, struct attempt_result *result)
{
	const struct sigaction fault = { .sa_handler = on_fault };
	struct sigaction before;
	volatile int r = -ENOSYS;

	sigaction(SIGSEGV, &fault, &before);
	if (!sigsetjmp(no_32_bit, 1)) {
		int ret;

		asm volatile("int $0x80"
			     : "=a"(ret)
			     : "a"(IOCTL_32), "b"(attempt->file_fd), "c"(FS_IOC32_SETFLAGS_CMD), "d"(0)
			     : "memory", "r8", "r9", "r10", "r11");
		r = ret;
	}
	sigaction(SIGSEGV, &before, NULL);
	return r == -ENOSYS ? act_impossible(result, r) : r;
}
#else
static int set_flags_32(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt;
	return act_impossible(result, -ENOSYS);
}
#endif

/* --- mounts ----------------------------------------------------------------------------------- */

/* If it is not refused, there is no mount to be altered at that folder. */
static int mount_somewhere(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(mount(NULL, OWN_DIR, NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int make_file_system(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	(void)attempt;
	if (fd < 0)
		return act_impossible(result, -errno);
	return act_outcome(syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

/* The root mount does not expire. */
static int unmount_root(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(umount2("/", MNT_EXPIRE));
}

/* With the options that it has. */
static int remount_proc(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = syscall(SYS_fspick, AT_FDCWD, "/proc", FSPICK_CLOEXEC);

	(void)attempt;
	if (fd < 0)
		return act_impossible(result, -errno);
	return act_outcome(syscall(SYS_fsconfig, fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
}

/* A folder is no mount. */
static int move_folder(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(syscall(SYS_move_mount, AT_FDCWD, OWN_DIR, AT_FDCWD, ".", 0));
}

static int pivot_folder(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(syscall(SYS_pivot_root, OWN_DIR, OWN_DIR));
}

/* --- the tables ------------------------------------------------------------------------------- */

#define OWN_ACT(act_hook, act_what, act_fn, act_op, act_other_op)                    \
	{                                                                            \
		.name = act_hook, .hook = act_hook, .what = act_what, .run = act_fn, \
		.refusal = EACCES, .op = act_op, .reason = REASON_OWN,               \
		.other_op = act_other_op                                             \
	}

const struct act attr_acts[] = {
	OWN_ACT("file_receive", "pidfd_getfd() of a file of jobcage's own", receive_descriptor,
		OP_RECEIVE_WRITE, 0),
	OWN_ACT("file_truncate", "ftruncate() of a file of jobcage's own", truncate_descriptor,
		OP_TRUNCATE, 0),
	OWN_ACT("inode_setattr", "utimensat() of a file of jobcage's own", set_times, OP_UTIMES, 0),
	OWN_ACT("inode_setxattr", "setxattr() of a file of jobcage's own", set_xattr, OP_SETXATTR,
		0),
	OWN_ACT("inode_removexattr", "removexattr() of a file of jobcage's own", remove_xattr,
		OP_REMOVEXATTR, 0),
	OWN_ACT("inode_set_acl", "setxattr() of an access control list", set_acl, OP_ACL,
		OP_SETXATTR),
	OWN_ACT("inode_remove_acl", "removexattr() of an access control list", remove_acl, OP_ACL,
		OP_REMOVEXATTR),
	OWN_ACT("inode_getxattr", "getxattr() of a file of jobcage's own", get_xattr, OP_GETXATTR,
		0),
	OWN_ACT("inode_readlink", "readlink() of a link of jobcage's own", read_link, OP_READLINK,
		0),
	OWN_ACT("path_notify", "inotify_add_watch() of a file of jobcage's own", watch, OP_WATCH, 0),
	OWN_ACT("file_ioctl", "FS_IOC_SETFLAGS of a file of jobcage's own", set_flags, OP_IOCTL, 0),
	OWN_ACT("file_ioctl_compat", "the same by a 32-bit system call", set_flags_32, OP_IOCTL, 0),
	OWN_ACT("inode_file_setattr", "file_setattr() of a file of jobcage's own", set_fileattr,
		OP_FILEATTR, 0),
};
const size_t attr_act_cnt = ARRAY_SIZE(attr_acts);

const struct act receive_socket_act = {
	.name = "received socket",
	.hook = "file_receive",
	.what = "pidfd_getfd() of a socket made outside the job",
	.run = receive_socket,
	.refusal = EACCES,
	.op = OP_RECEIVE_SOCKET,
	.reason = REASON_FOREIGN_SOCKET,
};

#define MOUNT_ACT(act_hook, act_what, act_fn, act_op)                                \
	{                                                                            \
		.name = act_hook, .hook = act_hook, .what = act_what, .run = act_fn, \
		.refusal = EACCES, .op = act_op, .reason = REASON_MOUNTS,            \
		.capabilities = 1ULL << CAP_SYS_ADMIN                                \
	}

const struct act mount_acts[] = {
	MOUNT_ACT("sb_mount", "mount()", mount_somewhere, OP_MOUNT),
	MOUNT_ACT("sb_kern_mount", "fsconfig() of a new file system", make_file_system, OP_MOUNT),
	MOUNT_ACT("sb_umount", "umount2()", unmount_root, OP_UMOUNT),
	MOUNT_ACT("sb_remount", "fsconfig() of one that is mounted", remount_proc, OP_REMOUNT),
	MOUNT_ACT("move_mount", "move_mount()", move_folder, OP_MOVE_MOUNT),
	MOUNT_ACT("sb_pivotroot", "pivot_root()", pivot_folder, OP_PIVOT_ROOT),
};
const size_t mount_act_cnt = ARRAY_SIZE(mount_acts);
