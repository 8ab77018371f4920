// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * F5: mounts: the dataset by another mount, its root covered, remounted, unmounted; other roots; and all of it in
 * namespaces that need no privilege. What an attempt did to the machine's own mounts, it takes back.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From sys/mount.h, which does not go together with linux/mount.h. */
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int umount2(const char *target, int flags);
#define MNT_DETACH 2

static const char *spot(void) { return in(out, "mnt"); }
static const char *base(void) { return basename(strdup(ds)); }
static const char *parent(void) { return dirname(strdup(ds)); }

/* Mounts, writes to path by that, and unmounts. */
static int write_by_mount(const char *source, unsigned long flags, const char *path)
{
	int r;

	if (step("mount") && mount(source, spot(), NULL, flags, NULL))
		return -errno;
	r = write_to(path, O_WRONLY);
	umount2(spot(), MNT_DETACH);
	return r;
}

static int bind_dataset(void) { return write_by_mount(ds, MS_BIND, in(spot(), "f")); }

static int bind_recursively(void)
{
	return write_by_mount(parent(), MS_BIND | MS_REC, in(in(spot(), base()), "f"));
}

/* A mount that is attached nowhere. */
static int open_tree_write(void)
{
	int tree = syscall(SYS_open_tree, AT_FDCWD, ds, OPEN_TREE_CLONE | O_CLOEXEC);

	if (step("open_tree") && tree < 0)
		return -errno;
	step("openat");
	return write_through(openat(tree, "f", O_WRONLY | O_CLOEXEC));
}

static int move_mount_write(void)
{
	int tree = syscall(SYS_open_tree, AT_FDCWD, ds, OPEN_TREE_CLONE | O_CLOEXEC), r;

	if (step("open_tree") && tree < 0)
		return -errno;
	step("move_mount");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, spot(), MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	r = write_to(in(spot(), "f"), O_WRONLY);
	umount2(spot(), MNT_DETACH);
	return r;
}

static int cover(const char *source, const char *type, unsigned long flags)
{
	if (step("mount") && mount(source, ds, type, flags, NULL))
		return -errno;
	return outcome(umount2(ds, MNT_DETACH));
}

static int cover_by_tmpfs(void) { return cover("tmpfs", "tmpfs", 0); }
static int cover_by_bind(void) { return cover(out, NULL, MS_BIND); }

/* The dataset's mount, or its file system, becomes read-only for everyone, and writable again. */
static int remount_mount(void)
{
	if (step("mount") && mount(NULL, ds, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL))
		return -errno;
	return outcome(mount(NULL, ds, NULL, MS_REMOUNT | MS_BIND, NULL));
}

static int remount_superblock(void)
{
	if (step("mount") && mount(NULL, ds, NULL, MS_REMOUNT | MS_RDONLY, NULL))
		return -errno;
	return outcome(mount(NULL, ds, NULL, MS_REMOUNT, NULL));
}

static int set_attributes(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	step("mount_setattr");
	if (syscall(SYS_mount_setattr, AT_FDCWD, ds, 0, &attr, sizeof(attr)))
		return -errno;
	attr = (struct mount_attr){ .attr_clr = MOUNT_ATTR_RDONLY };
	return outcome(syscall(SYS_mount_setattr, AT_FDCWD, ds, 0, &attr, sizeof(attr)));
}

static int make_private(void)
{
	if (step("mount") && mount(NULL, ds, NULL, MS_SHARED, NULL))
		return -errno;
	return outcome(mount(NULL, ds, NULL, MS_PRIVATE, NULL));
}

static int unmount(void)
{
	int tree = syscall(SYS_open_tree, AT_FDCWD, ds, OPEN_TREE_CLONE | O_CLOEXEC);

	if (step("open_tree") && tree < 0)
		return -errno;
	if (step("umount2") && umount2(ds, MNT_DETACH))
		return -errno;
	return outcome(syscall(SYS_move_mount, tree, "", AT_FDCWD, ds, MOVE_MOUNT_F_EMPTY_PATH));
}

/* --- other roots; each in a child, which stays there --------------------------------------------------- */

static int own_mounts(void)
{
	if (step("unshare") && unshare(CLONE_NEWNS))
		return -errno;
	return step("mount") && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
}

static int pivot(void)
{
	if (step("mount") && mount(parent(), spot(), NULL, MS_BIND | MS_REC, NULL))
		return -errno;
	if (step("pivot_root") && (chdir(spot()) || syscall(SYS_pivot_root, ".", ".")))
		return -errno;
	return write_to(in("", in(base(), "f")), O_WRONLY);
}

static int change_root(void)
{
	if (step("chroot") && (chroot(parent()) || chdir("/")))
		return -errno;
	return write_to(in("", in(base(), "f")), O_WRONLY);
}

static int pivot_in_namespace(void) { return own_mounts() ?: pivot(); }
static int bind_in_namespace(void) { return own_mounts() ?: bind_dataset(); }
static int bind_as_user(void) { return enter_namespaces() ?: bind_dataset(); }
static int pivot_as_user(void) { return enter_namespaces() ?: pivot(); }
static int chroot_as_user(void) { return enter_namespaces() ?: change_root(); }

static int child_pivot(void) { return in_child(pivot_in_namespace); }
static int child_chroot(void) { return in_child(change_root); }
static int child_bind(void) { return in_child(bind_in_namespace); }
static int child_bind_user(void) { return in_child(bind_as_user); }
static int child_pivot_user(void) { return in_child(pivot_as_user); }
static int child_chroot_user(void) { return in_child(chroot_as_user); }

const struct attempt attempts[] = {
	{ "bind", bind_dataset },
	{ "rbind", bind_recursively },
	{ "open-tree", open_tree_write },
	{ "move-mount", move_mount_write },
	{ "cover", cover_by_tmpfs },
	{ "cover-bind", cover_by_bind },
	{ "remount", remount_mount },
	{ "remount-superblock", remount_superblock },
	{ "mount-setattr", set_attributes },
	{ "propagation", make_private },
	{ "umount", unmount },
	{ "pivot-root", child_pivot },
	{ "chroot", child_chroot },
	{ "namespace-bind", child_bind },
	{ "user-bind", child_bind_user },
	{ "user-pivot-root", child_pivot_user },
	{ "user-chroot", child_chroot_user },
	{ NULL, NULL },
};
