// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F8: what a file has besides its content: mode, owner, times, extended attributes, ACLs, inode flags. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Newer than this machine's headers. */
#define NR_FCHMODAT2 452     /* 6.6 */
#define NR_SETXATTRAT 463    /* 6.13 */
#define NR_REMOVEXATTRAT 466 /* 6.13 */
#define NR_FILE_SETATTR 469  /* 6.17 */

static const char *file(void) { return in(ds, "f"); }

static int file_fd(int flags)
{
	step("open");
	return open(file(), flags | O_CLOEXEC);
}

static int change_mode(void) { return outcome(chmod(file(), 0611)); }
static int change_mode_at2(void) { return outcome(syscall(NR_FCHMODAT2, AT_FDCWD, file(), 0611, AT_SYMLINK_NOFOLLOW)); }
static int change_owner(void) { return outcome(chown(file(), getuid(), getgid())); }
static int change_times(void) { return outcome(utimensat(AT_FDCWD, file(), NULL, 0)); }
static int change_link_times(void) { return outcome(utimensat(AT_FDCWD, in(ds, "l"), NULL, AT_SYMLINK_NOFOLLOW)); }
static int set_xattr(void) { return outcome(setxattr(file(), "user.new", "x", 1, 0)); }
static int replace_xattr(void) { return outcome(setxattr(file(), "user.mark", "x", 1, XATTR_REPLACE)); }
static int set_folder_xattr(void) { return outcome(lsetxattr(ds, "user.new", "x", 1, 0)); }
static int remove_xattr(void) { return outcome(removexattr(file(), "user.mark")); }
static int set_trusted_xattr(void) { return outcome(setxattr(file(), "trusted.new", "x", 1, 0)); }
static int set_security_xattr(void) { return outcome(setxattr(file(), "security.new", "x", 1, 0)); }

static int change_mode_fd(void)
{
	int fd = file_fd(O_RDONLY);

	return fd < 0 ? -errno : outcome(fchmod(fd, 0611));
}

static int change_owner_fd(void)
{
	int fd = file_fd(O_PATH);

	return fd < 0 ? -errno : outcome(fchownat(fd, "", getuid(), getgid(), AT_EMPTY_PATH));
}

static int change_times_fd(void)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	int fd = file_fd(O_RDONLY);

	return fd < 0 ? -errno : outcome(futimens(fd, times));
}

static int set_xattr_fd(void)
{
	int fd = file_fd(O_RDONLY);

	return fd < 0 ? -errno : outcome(fsetxattr(fd, "user.new", "x", 1, 0));
}

static int remove_xattr_fd(void)
{
	int fd = file_fd(O_RDONLY);

	return fd < 0 ? -errno : outcome(fremovexattr(fd, "user.mark"));
}

static int set_xattr_at(void)
{
	struct { uint64_t value; uint32_t size, flags; } args = { (uintptr_t)"x", 1, 0 };

	step("setxattrat");
	return outcome(syscall(NR_SETXATTRAT, AT_FDCWD, file(), 0, "user.new", &args, sizeof(args)));
}

static int remove_xattr_at(void)
{
	step("removexattrat");
	return outcome(syscall(NR_REMOVEXATTRAT, AT_FDCWD, file(), 0, "user.mark"));
}

/* --- ACLs ---------------------------------------------------------------------------------------------- */

/* Owner, one named user, group, mask, others. */
static int set_acl_of(const char *path, const char *name)
{
	const struct posix_acl_xattr_entry entries[] = {
		{ ACL_USER_OBJ, 7, -1 }, { ACL_USER, 7, 12345 }, { ACL_GROUP_OBJ, 7, -1 }, { ACL_MASK, 7, -1 }, { ACL_OTHER, 7, -1 },
	};
	struct {
		struct posix_acl_xattr_header header;
		struct posix_acl_xattr_entry entries[5];
	} acl = { .header.a_version = POSIX_ACL_XATTR_VERSION };

	memcpy(acl.entries, entries, sizeof(entries));
	step("setxattr");
	return outcome(setxattr(path, name, &acl, sizeof(acl), 0));
}

static int set_acl(void) { return set_acl_of(file(), "system.posix_acl_access"); }
static int set_default_acl(void) { return set_acl_of(ds, "system.posix_acl_default"); }

static int remove_acl(void)
{
	step("removexattr");
	return outcome(removexattr(in(ds, "with-acl"), "system.posix_acl_access"));
}

/* --- ioctls on a descriptor for reading ---------------------------------------------------------------- */

static int control(unsigned long request, void *argument)
{
	int fd = file_fd(O_RDONLY);

	if (fd < 0)
		return -errno;
	step("ioctl");
	return outcome(ioctl(fd, request, argument));
}

static int set_flags(void)
{
	int flags = FS_NODUMP_FL;

	return control(FS_IOC_SETFLAGS, &flags);
}

static int set_immutable(void)
{
	int flags = FS_IMMUTABLE_FL, r = control(FS_IOC_SETFLAGS, &flags);

	flags = 0;
	return r ?: control(FS_IOC_SETFLAGS, &flags);
}

static int set_fsxattr(void)
{
	struct fsxattr attr = { .fsx_xflags = FS_XFLAG_NODUMP };

	return control(FS_IOC_FSSETXATTR, &attr);
}

static int set_version(void)
{
	int version = 4711;

	return control(_IOW('v', 2, long), &version);
}

static int file_set_attr(void)
{
	struct { uint64_t xflags; uint32_t extsize, nextents, projid, cowextsize; } attr = { .xflags = FS_XFLAG_NODUMP };

	step("file_setattr");
	return outcome(syscall(NR_FILE_SETATTR, AT_FDCWD, file(), &attr, sizeof(attr), 0));
}

static int set_label(void)
{
	char label[FSLABEL_MAX] = "stolen";

	return control(FS_IOC_SETFSLABEL, label);
}

static int freeze(void)
{
	int r = control(FIFREEZE, NULL);

	return r ?: control(FITHAW, NULL);
}

const struct attempt attempts[] = {
	{ "chmod", change_mode },
	{ "fchmod", change_mode_fd },
	{ "fchmodat2", change_mode_at2 },
	{ "chown", change_owner },
	{ "fchownat", change_owner_fd },
	{ "utimensat", change_times },
	{ "utimensat-link", change_link_times },
	{ "futimens", change_times_fd },
	{ "setxattr", set_xattr },
	{ "setxattr-replace", replace_xattr },
	{ "setxattr-folder", set_folder_xattr },
	{ "setxattr-trusted", set_trusted_xattr },
	{ "setxattr-security", set_security_xattr },
	{ "fsetxattr", set_xattr_fd },
	{ "setxattrat", set_xattr_at },
	{ "removexattr", remove_xattr },
	{ "fremovexattr", remove_xattr_fd },
	{ "removexattrat", remove_xattr_at },
	{ "acl", set_acl },
	{ "acl-default", set_default_acl },
	{ "acl-remove", remove_acl },
	{ "setflags", set_flags },
	{ "setflags-immutable", set_immutable },
	{ "fssetxattr", set_fsxattr },
	{ "setversion", set_version },
	{ "file-setattr", file_set_attr },
	{ "setfslabel", set_label },
	{ "freeze", freeze },
	{ NULL, NULL },
};
