// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * F12: open_by_handle_at: a file without a path. The handles were saved before ("save", by the runner), and the runner has the
 * kernel forget the names meanwhile, so that the dentry has no parent.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

union handle {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

static int save_one(const char *path, const char *name)
{
	union handle u = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount_id, fd = open(in(out, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), r;

	step("name_to_handle_at");
	r = outcome(name_to_handle_at(AT_FDCWD, path, &u.handle, &mount_id, 0));
	if (!r && write(fd, &u, sizeof(u)) != sizeof(u))
		r = -errno;
	close(fd);
	return r;
}

static int save(void)
{
	return save_one(in(ds, "f"), "handle") ?: save_one(in(closed, "p"), "handle-closed");
}

/* A mount is needed to say which file system is meant: any folder of it that may be opened. */
static int open_saved(const char *name, const char *folder, int flags)
{
	union handle u;
	int from = open(in(out, name), O_RDONLY | O_CLOEXEC), mount = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (step("open") && (from < 0 || mount < 0 || read(from, &u, sizeof(u)) != sizeof(u)))
		return -errno;
	step("open_by_handle_at");
	fd = open_by_handle_at(mount, &u.handle, flags | O_CLOEXEC);
	return flags == O_WRONLY ? write_through(fd) : close_outcome(fd);
}

static int write_saved(void) { return open_saved("handle", ds, O_WRONLY); }
static int read_closed(void) { return open_saved("handle-closed", out, O_RDONLY); }

static int write_warm(void)
{
	return read_from(in(ds, "f")) ?: write_saved();
}

const struct attempt attempts[] = {
	{ "save", save },
	{ "write-cold", write_saved },
	{ "write-warm", write_warm },
	{ "read-closed-cold", read_closed },
	{ NULL, NULL },
};
