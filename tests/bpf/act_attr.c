// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Acts on attributes, on descriptors from elsewhere, and on mounts. See act.h. */
#include "act.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_file_setattr
#define SYS_file_setattr 469
#endif

/* --- timestamps, extended attributes, access control lists -------------------------------------------- */

static int set_times(char **argv) { return outcome(utimensat(AT_FDCWD, argv[0], NULL, 0)); }

static int set_times_fd(char **argv)
{
	static const struct timespec epoch[2];
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("futimens");
	r = outcome(futimens(fd, epoch));
	close(fd);
	return r;
}

/* "trusted" works on every file system of the tests, for root. */
static int set_xattr(char **argv) { return outcome(setxattr(argv[0], "trusted.act", "x", 1, 0)); }
static int set_xattr_link(char **argv) { return outcome(lsetxattr(argv[0], "trusted.act", "x", 1, 0)); }

static int set_xattr_fd(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("fsetxattr");
	r = outcome(fsetxattr(fd, "trusted.act", "x", 1, 0));
	close(fd);
	return r;
}

/* One that is not there: the hook is asked first. */
static int remove_xattr(char **argv)
{
	int r = outcome(removexattr(argv[0], "trusted.none"));

	return r == -ENODATA ? 0 : r;
}

/* One that is not there: the hook is asked first. */
static int get_xattr(char **argv)
{
	int r = outcome(getxattr(argv[0], "trusted.none", NULL, 0));

	return r == -ENODATA ? 0 : r;
}

/* What lists a folder asks for these. */
static int get_label(char **argv)
{
	int r = outcome(getxattr(argv[0], "security.none", NULL, 0));

	return r == -ENODATA || r == -EOPNOTSUPP ? 0 : r;
}

static int read_link(char **argv)
{
	char target[4096];

	return outcome(readlink(argv[0], target, sizeof(target)));
}

static int watch(char **argv)
{
	int fd = inotify_init1(IN_CLOEXEC), r;

	if (step("inotify_init1") && fd < 0)
		return -errno;
	step("inotify_add_watch");
	r = outcome(inotify_add_watch(fd, argv[0], IN_OPEN | IN_ACCESS));
	close(fd);
	return r;
}

/* As the mode 0644 says, and a named user who may write: so that the kernel must store it. */
static int set_acl(char **argv)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[5];
	} acl = { 2,
		  { { 0x01, 6, UINT32_MAX },
		    { 0x02, 6, 12345 },
		    { 0x04, 4, UINT32_MAX },
		    { 0x10, 6, UINT32_MAX },
		    { 0x20, 4, UINT32_MAX } } };

	return outcome(setxattr(argv[0], "system.posix_acl_access", &acl, sizeof(acl), 0));
}

static int remove_acl(char **argv)
{
	int r = outcome(removexattr(argv[0], "system.posix_acl_access"));

	return r == -ENODATA ? 0 : r;
}

/* --- ioctl ---------------------------------------------------------------------------------------------- */

static int try_ioctl(const char *path, unsigned long command, void *arg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("ioctl");
	r = outcome(ioctl(fd, command, arg));
	close(fd);
	return r;
}

/* Flags as they are; a kernel whose tmpfs has none says so after the hook. */
static int set_flags(char **argv)
{
	int flags = 0, r = try_ioctl(argv[0], FS_IOC_SETFLAGS, &flags);

	return r == -ENOTTY || r == -EOPNOTSUPP ? 0 : r;
}

static int get_flags(char **argv)
{
	int flags = 0, r = try_ioctl(argv[0], FS_IOC_GETFLAGS, &flags);

	return r == -ENOTTY || r == -EOPNOTSUPP ? 0 : r;
}

/* What no file system knows, and what isatty() asks of every file. */
static int unknown_ioctl(char **argv)
{
	int r = try_ioctl(argv[0], _IOW('~', 1, int), NULL);

	return r == -ENOTTY ? 0 : r;
}

static int ask_terminal(char **argv)
{
	char termios[128];
	int r = try_ioctl(argv[0], 0x5401 /* TCGETS */, termios);

	return r == -ENOTTY ? 0 : r;
}

/* Into the input of a terminal of its own, as if it were typed there. */
static int type_ahead(char **argv)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), r;

	(void)argv;
	if (step("open") && fd < 0)
		return -errno;
	step("TIOCSTI");
	r = outcome(ioctl(fd, TIOCSTI, "x"));
	close(fd);
	return r;
}

/* From and to the same file: the kernel looks no further than that. */
static int dedupe(char **argv)
{
	char range[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)] = { 0 };
	int r = try_ioctl(argv[0], FIDEDUPERANGE, range);

	return r == -EOPNOTSUPP || r == -EINVAL ? 0 : r;
}

static int set_flags_32(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r = -ENOSYS;

	if (step("open") && fd < 0)
		return -errno;
	step("ioctl of 32 bits");
#ifdef __x86_64__
	asm volatile("int $0x80"
		     : "=a"(r)
		     : "a"(54), "b"(fd), "c"(0x40046602 /* FS_IOC32_SETFLAGS */), "d"(0)
		     : "memory", "r8", "r9", "r10", "r11");
#endif
	close(fd);
	return r == -ENOTTY || r == -EFAULT || r == -EOPNOTSUPP ? 0 : r;
}

static int set_fileattr(char **argv)
{
	static const uint64_t none[3];

	return outcome(syscall(SYS_file_setattr, AT_FDCWD, argv[0], none, sizeof(none), 0));
}

/* --- descriptors ------------------------------------------------------------------------------------------ */

static int held = -1;

/* Opened for what comes later: it may be entered into a job meanwhile. */
static int hold(char **argv)
{
	if (held >= 0)
		close(held);
	held = open(argv[0], O_RDWR | O_CLOEXEC);
	return outcome(held);
}

static int truncate_held(char **argv)
{
	(void)argv;
	return outcome(ftruncate(held, 1));
}

/* By pidfd_getfd() of one's own: the kernel asks as of another's. */
static int receive(int fd)
{
	int self = syscall(SYS_pidfd_open, getpid(), 0), r;

	if (step("pidfd_open") && self < 0)
		return -errno;
	step("pidfd_getfd");
	r = close_outcome(syscall(SYS_pidfd_getfd, self, fd, 0));
	close(self);
	return r;
}

static int receive_held(char **argv)
{
	(void)argv;
	return receive(held);
}

/* One's own, open for reading, over a Unix socket. */
static int receive_read(char **argv)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1,
				  .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), ends[2], r = 0;

	if (step("open") && fd < 0)
		return -errno;
	if (step("socketpair") && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	*header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	step("sendmsg");
	if (sendmsg(ends[0], &message, 0) != 1 || recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) != 1)
		r = -errno;
	else if (message.msg_flags & MSG_CTRUNC)
		r = -EACCES; /* the kernel leaves out what it refuses */
	else
		close(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)));
	close(ends[0]);
	close(ends[1]);
	close(fd);
	return r;
}

static int receive_path(char **argv)
{
	int fd = open(argv[0], O_PATH | O_CLOEXEC), r;

	if (step("open O_PATH") && fd < 0)
		return -errno;
	r = receive(fd);
	close(fd);
	return r;
}

static int receive_ring(char **argv)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(SYS_io_uring_setup, 1, &params), r;

	(void)argv;
	if (step("io_uring_setup") && ring < 0)
		return -errno;
	r = receive(ring);
	close(ring);
	return r;
}

/* --- mounts ------------------------------------------------------------------------------------------------ */

static int mount_tmpfs(char **argv)
{
	int r = outcome(mount("act", argv[0], "tmpfs", 0, NULL));

	if (!r)
		umount2(argv[0], MNT_DETACH);
	return r;
}

static int mount_bind(char **argv)
{
	int r = outcome(mount(argv[0], argv[1], NULL, MS_BIND, NULL));

	if (!r)
		umount2(argv[1], MNT_DETACH);
	return r;
}

static int new_fs(char **argv)
{
	int fd = syscall(SYS_fsopen, argv[0], FSOPEN_CLOEXEC), r;

	if (step("fsopen") && fd < 0)
		return -errno;
	step("fsconfig");
	r = outcome(syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	close(fd);
	return r;
}

static int reconfigure(char **argv)
{
	int fd = syscall(SYS_fspick, AT_FDCWD, argv[0], FSPICK_CLOEXEC), r;

	if (step("fspick") && fd < 0)
		return -errno;
	step("fsconfig");
	r = outcome(syscall(SYS_fsconfig, fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	close(fd);
	return r;
}

/* What open_tree() copies, put somewhere. */
static int attach_tree(char **argv)
{
	int fd = syscall(SYS_open_tree, AT_FDCWD, argv[0], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), r;

	if (step("open_tree") && fd < 0)
		return -errno;
	step("move_mount");
	r = outcome(syscall(SYS_move_mount, fd, "", AT_FDCWD, argv[1], MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	if (!r)
		umount2(argv[1], MNT_DETACH);
	return r;
}

/* The root mount does not expire, and a folder is no mount: past the hook, both are EINVAL. */
static int umount_root(char **argv)
{
	int r = outcome(umount2("/", MNT_EXPIRE));

	(void)argv;
	return r == -EINVAL ? 0 : r;
}

static int pivot(char **argv)
{
	int r = outcome(syscall(SYS_pivot_root, argv[0], argv[0]));

	return r == -EINVAL ? 0 : r;
}

const struct act attr_acts[] = {
	{ "utimes", 1, set_times },
	{ "futimes", 1, set_times_fd },
	{ "setxattr", 1, set_xattr },
	{ "lsetxattr", 1, set_xattr_link },
	{ "fsetxattr", 1, set_xattr_fd },
	{ "removexattr", 1, remove_xattr },
	{ "getxattr", 1, get_xattr },
	{ "get_label", 1, get_label },
	{ "readlink", 1, read_link },
	{ "watch", 1, watch },
	{ "set_acl", 1, set_acl },
	{ "remove_acl", 1, remove_acl },
	{ "set_flags", 1, set_flags },
	{ "get_flags", 1, get_flags },
	{ "set_flags_32", 1, set_flags_32 },
	{ "unknown_ioctl", 1, unknown_ioctl },
	{ "ask_terminal", 1, ask_terminal },
	{ "type_ahead", 0, type_ahead },
	{ "dedupe", 1, dedupe },
	{ "file_setattr", 1, set_fileattr },
	{ "hold", 1, hold },
	{ "truncate_held", 0, truncate_held },
	{ "receive_held", 0, receive_held },
	{ "receive_read", 1, receive_read },
	{ "receive_path", 1, receive_path },
	{ "receive_ring", 0, receive_ring },
	{ "mount_tmpfs", 1, mount_tmpfs },
	{ "mount_bind", 2, mount_bind },
	{ "new_fs", 1, new_fs },
	{ "reconfigure", 1, reconfigure },
	{ "attach_tree", 2, attach_tree },
	{ "umount_root", 0, umount_root },
	{ "pivot", 1, pivot },
	{ NULL, 0, NULL },
};
