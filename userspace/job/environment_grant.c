// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The controller's part of a job's environment: what it does for a launcher that it does not trust.
 * See environment.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "job/environment.h"
#include "job/process.h"
#include "kern/mounts.h"

/* The kernel takes a map in one write of less than a page. */
#define MAP_TEXT_MAX 4096

static bool is_same_file(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* --- id maps ---------------------------------------------------------------------------------- */

static int refuse(struct error *err, const char *why)
{
	return error_set(err, -EPERM, "the launcher gets no ids in a user namespace: %s", why);
}

/* proc: the process's directory below /proc. */
static int check_namespace(int proc, uid_t uid, struct error *err)
{
	_cleanup_fd_ int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int space = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC), parent = -1;
	uid_t owner;

	if (own < 0 || space < 0)
		return error_errno(err, -errno, "cannot see the launcher's user namespace");
	if (is_same_file(own, space))
		return refuse(err, "it has made none");
	parent = ioctl(space, NS_GET_PARENT);
	if (parent < 0 || !is_same_file(own, parent))
		return refuse(err, "it was not made in the controller's own");
	if (ioctl(space, NS_GET_OWNER_UID, &owner))
		return error_errno(err, -errno, "cannot see who made a user namespace");
	if (owner != uid)
		return refuse(err, "it was made by another user");
	return 0;
}

static int check_unmapped(int proc, struct error *err)
{
	static const char *const files[] = { "uid_map", "gid_map" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *text = NULL;
		int r = file_read_at(proc, files[i], 1 << 20, &text, NULL);

		if (r)
			return error_errno(err, r, "cannot read the launcher's %s", files[i]);
		if (*text)
			return refuse(err, "it has some already");
	}
	return 0;
}

static int compare_gids(const void *a, const void *b)
{
	const gid_t *ga = a, *gb = b;

	return (*ga > *gb) - (*ga < *gb);
}

/* Each to itself, neighbours in one line. Returns 0 or -E2BIG. */
static int write_lines(const gid_t *sorted, size_t cnt, char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0, next; i < cnt; i = next) {
		for (next = i + 1; next < cnt && sorted[next] - sorted[next - 1] <= 1; next++)
			;
		len += snprintf(text + len, size - len, "%u %u %u\n", sorted[i], sorted[i],
				sorted[next - 1] - sorted[i] + 1);
		if (len >= size)
			return -E2BIG;
	}
	return 0;
}

static int make_gid_map(gid_t gid, const gid_t *groups, size_t cnt, char *text, size_t size)
{
	_cleanup_free_ gid_t *all = calloc(cnt + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	if (cnt)
		memcpy(all, groups, cnt * sizeof(*all));
	all[cnt] = gid;
	qsort(all, cnt + 1, sizeof(*all), compare_gids);
	return write_lines(all, cnt + 1, text, size);
}

static int write_maps(int proc, uid_t uid, const char *gid_map, struct error *err)
{
	char uid_map[64];
	int r = file_write_at(proc, "setgroups", "deny");

	snprintf(uid_map, sizeof(uid_map), "%u %u 1\n", uid, uid);
	if (!r)
		r = file_write_at(proc, "gid_map", gid_map);
	if (!r)
		r = file_write_at(proc, "uid_map", uid_map);
	if (r)
		return error_errno(err, r, "cannot map the launcher's ids");
	return 0;
}

int environment_map_ids(pid_t pid, int pidfd, uid_t uid, gid_t gid, const gid_t *groups,
			size_t group_cnt, struct error *err)
{
	_cleanup_fd_ int proc = process_open(pid);
	char gid_map[MAP_TEXT_MAX];
	int r;

	if (!uid)
		return refuse(err, "it runs as root, which must have CAP_SYS_ADMIN to mount");
	r = make_gid_map(gid, groups, group_cnt, gid_map, sizeof(gid_map));
	if (r)
		return error_errno(err, r, "cannot map the %zu groups of user %u", group_cnt, uid);
	/* If the number is still that process's now, the directory is its own for good. */
	r = process_check(pid, pidfd);
	if (r)
		return error_errno(err, r, "process %d is not the one that asked", pid);
	if (proc < 0)
		return error_errno(err, proc, "cannot see process %d", pid);
	r = check_namespace(proc, uid, err);
	if (!r)
		r = check_unmapped(proc, err);
	return r ? r : write_maps(proc, uid, gid_map, err);
}

/* --- the scratch ------------------------------------------------------------------------------ */

/* Whether the controller sees a mount of that device. Returns 0 or -errno. */
static int find_mount(dev_t dev, struct error *err, bool *ret_found)
{
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	bool found = false;
	int r = mounts_read(err, &mounts);

	if (r)
		return r;
	for (size_t i = 0; i < mounts.cnt && !found; i++)
		found = mount_is_of(&mounts.items[i], dev);
	*ret_found = found;
	return 0;
}

/*
 * The descriptor may be of a file system that a hostile process serves and lets hang: nothing here
 * asks it anything before its device is known to be mounted nowhere on the host. What is left then,
 * FUSE in a user's own namespace, answers only processes in there.
 */
int environment_check_scratch(int fd, uid_t uid, struct error *err, dev_t *ret_dev)
{
	struct statx stx;
	struct statfs fs;
	bool found;
	dev_t dev;
	int r;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_UID, &stx))
		return error_errno(err, -errno, "cannot look at the job's scratch");
	dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	r = find_mount(dev, err, &found);
	if (r)
		return r;
	if (found)
		return error_set(
			err, -EPERM,
			"what the launcher sent as the job's scratch is mounted on the host");
	if (fstatfs(fd, &fs))
		return error_errno(err, -errno, "cannot look at the job's scratch");
	if (fs.f_type != TMPFS_MAGIC || !S_ISDIR(stx.stx_mode) || stx.stx_uid != uid)
		return error_set(
			err, -EPERM,
			"what the launcher sent as the job's scratch is no tmpfs of its own");
	*ret_dev = dev;
	return 0;
}
