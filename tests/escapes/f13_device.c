// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * F13: the block device below a dataset, and memory: EXTRA is the device's node. What is written is what was there, so that
 * the file system lives on; the device's own count of sectors tells whether something was.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

static int rewrite(const char *device)
{
	char sector[SECTOR];
	int fd = open(device, O_RDWR | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	if (step("pread") && pread(fd, sector, SECTOR, 0) != SECTOR)
		return -errno;
	step("pwrite");
	r = outcome(pwrite(fd, sector, SECTOR, 0)) ?: outcome(fsync(fd));
	close(fd);
	return r;
}

static int raw_write(void) { return rewrite(extra); }
static int raw_read(void) { return read_from(extra); }

/* Turned read-only by a descriptor for reading, and back. */
static int set_read_only(void)
{
	int on = 1, off = 0, fd = open(extra, O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("BLKROSET");
	r = outcome(ioctl(fd, BLKROSET, &on)) ?: outcome(ioctl(fd, BLKROSET, &off));
	close(fd);
	return r;
}

static int own_node(void)
{
	const char *node = in(out, "node");
	struct stat st;
	int r;

	if (step("mknod") && (stat(extra, &st) || mknod(node, S_IFBLK | 0600, st.st_rdev)))
		return -errno;
	r = rewrite(node);
	unlink(node);
	return r;
}

#define LOOP_PATH_LEN 32

/* By a control device that is opened as flags say. Returns 0 or -errno. */
static int find_free_loop(int flags, char ret_path[static LOOP_PATH_LEN])
{
	int control = open("/dev/loop-control", flags | O_CLOEXEC);

	if (step("open loop-control") && control < 0)
		return -errno;
	snprintf(ret_path, LOOP_PATH_LEN, "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	close(control);
	return 0;
}

/* A second loop device over the first. */
static int loop_over(void)
{
	char path[LOOP_PATH_LEN];
	int r = find_free_loop(O_RDWR, path), loop, below;

	if (r)
		return r;
	loop = open(path, O_RDWR | O_CLOEXEC);
	below = open(extra, O_RDWR | O_CLOEXEC);
	if (step("LOOP_SET_FD") && (loop < 0 || below < 0 || ioctl(loop, LOOP_SET_FD, below)))
		return -errno;
	r = rewrite(path);
	ioctl(loop, LOOP_CLR_FD);
	close(loop);
	return r;
}

static int file_of(const char *name)
{
	int fd = open(in(out, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || ftruncate(fd, 2 * SECTOR) ? -1 : fd;
}

/* By descriptors that are open for reading only: a loop device of one file, which then is another's. */
static int loop_read_only(void)
{
	char path[LOOP_PATH_LEN];
	int r = find_free_loop(O_RDONLY, path), loop, first, second;

	if (r)
		return r;
	loop = open(path, O_RDONLY | O_CLOEXEC);
	first = file_of("first");
	second = file_of("second");
	if (step("LOOP_SET_FD") && (loop < 0 || ioctl(loop, LOOP_SET_FD, first)))
		return -errno;
	step("LOOP_CHANGE_FD");
	r = outcome(ioctl(loop, LOOP_CHANGE_FD, second)) ?: outcome(ioctl(loop, LOOP_CLR_FD));
	close(loop);
	close(first);
	close(second);
	unlink(in(out, "first"));
	unlink(in(out, "second"));
	return r;
}

static int mount_device(void)
{
	const char *spot = in(out, "mnt");
	int r;

	if (step("mount") && mount(extra, spot, "ext4", 0, NULL))
		return -errno;
	r = write_to(in(spot, "f"), O_WRONLY);
	umount2(spot, MNT_DETACH);
	return r;
}

static int map_device(void)
{
	const struct dm_ioctl wanted = { .version = { DM_VERSION_MAJOR }, .data_size = sizeof(wanted), .name = "jobcage-escape" };
	struct dm_ioctl request = wanted;
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (step("open") && control < 0)
		return -errno;
	if (step("DM_DEV_CREATE") && ioctl(control, DM_DEV_CREATE, &request))
		return -errno;
	request = wanted;
	return outcome(ioctl(control, DM_DEV_REMOVE, &request));
}

static int memory(void) { return close_outcome(open("/dev/mem", O_RDWR | O_CLOEXEC)); }

static int memory_node(void)
{
	const char *node = in(out, "node");
	int r;

	if (step("mknod") && mknod(node, S_IFCHR | 0600, 1 << 8 | 1))
		return -errno;
	step("open");
	r = close_outcome(open(node, O_RDWR | O_CLOEXEC));
	unlink(node);
	return r;
}

static int nvme(void) { return close_outcome(open("/dev/nvme0", O_RDWR | O_CLOEXEC)); }

const struct attempt attempts[] = {
	{ "raw-write", raw_write },
	{ "raw-read", raw_read },
	{ "blkroset", set_read_only },
	{ "mknod", own_node },
	{ "loop", loop_over },
	{ "loop-read-only", loop_read_only },
	{ "mount", mount_device },
	{ "device-mapper", map_device },
	{ "memory", memory },
	{ "memory-node", memory_node },
	{ "nvme", nvme },
	{ NULL, NULL },
};
