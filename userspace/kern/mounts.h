/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mount table of this process or of another, as /proc/PID/mountinfo gives it.
 */
#ifndef JOBCAGE_KERN_MOUNTS_H
#define JOBCAGE_KERN_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct mount_entry {
	uint64_t id; /* as statx() gives it; the kernel uses ids again */
	unsigned int major, minor;
	char *path;
	bool is_read_only; /* the mount itself, or its file system */
};

struct mounts {
	struct mount_entry *items;
	size_t cnt, room;
};

/* Returns 0 or -errno. Free with mounts_free(). */
int mounts_read(struct error *err, struct mounts *ret_mounts);

/* The same of another process, as that sees them. proc: its directory below /proc. */
int mounts_read_of(int proc, struct error *err, struct mounts *ret_mounts);
void mounts_free(struct mounts *mounts);

/* Is it a mount of that file system? */
bool mount_is_of(const struct mount_entry *entry, dev_t dev);

/*
 * Whether nothing can be written through the mount that fd (O_PATH will do) was opened by. False if
 * the table does not have it: outside a chroot, or gone.
 */
bool mounts_is_read_only(const struct mounts *mounts, int fd);

#endif
