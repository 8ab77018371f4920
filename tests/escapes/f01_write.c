// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F1: every plain way to change a dataset: content, and names made and removed. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static int open_write(void) { return write_to(in(ds, "f"), O_WRONLY); }
static int open_rdwr(void) { return write_to(in(ds, "f"), O_RDWR); }
static int open_append(void) { return write_to(in(ds, "f"), O_WRONLY | O_APPEND); }
static int open_trunc(void) { return close_outcome(open(in(ds, "f"), O_RDONLY | O_TRUNC)); }
static int create(void) { return write_to(in(ds, "new"), O_WRONLY | O_CREAT | O_EXCL); }
static int create_read(void) { return close_outcome(open(in(ds, "new"), O_RDONLY | O_CREAT, 0600)); }
static int truncate_name(void) { return outcome(truncate(in(ds, "f"), 1)); }
static int make_dir(void) { return outcome(mkdir(in(ds, "new"), 0700)); }
static int make_node(void) { return outcome(mknod(in(ds, "new"), S_IFREG | 0600, 0)); }
static int make_fifo(void) { return outcome(mkfifo(in(ds, "new"), 0600)); }
static int make_device(void) { return outcome(mknod(in(ds, "new"), S_IFCHR | 0600, makedev(1, 3))); }
static int make_symlink(void) { return outcome(symlink("f", in(ds, "new"))); }
static int remove_file(void) { return outcome(unlink(in(ds, "f"))); }
static int remove_dir(void) { return outcome(rmdir(in(ds, "empty"))); }

static int truncate_open(void)
{
	int fd = open(in(ds, "f"), O_RDWR | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("ftruncate");
	r = outcome(ftruncate(fd, 1));
	close(fd);
	return r;
}

static int open_by_openat2(void)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int folder = open(ds, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (step("open O_PATH") && folder < 0)
		return -errno;
	step("openat2");
	return write_through(syscall(SYS_openat2, folder, "/f", &how, sizeof(how)));
}

static int make_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (step("socket") && fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/new", ds);
	step("bind");
	r = outcome(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return r;
}

/* The file is made where the adversary may, or in the dataset; then it gets a name in the dataset. */
static int name_tmpfile(const char *folder)
{
	int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), r;
	char link[32];

	if (step("open O_TMPFILE") && fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	step("linkat");
	r = outcome(linkat(AT_FDCWD, link, AT_FDCWD, in(ds, "new"), AT_SYMLINK_FOLLOW));
	close(fd);
	return r;
}

static int tmpfile_inside(void) { return name_tmpfile(ds); }

const struct attempt attempts[] = {
	{ "open-write", open_write },
	{ "open-rdwr", open_rdwr },
	{ "open-append", open_append },
	{ "open-trunc", open_trunc },
	{ "openat2", open_by_openat2 },
	{ "create", create },
	{ "create-read", create_read },
	{ "tmpfile", tmpfile_inside },
	{ "truncate", truncate_name },
	{ "ftruncate", truncate_open },
	{ "mkdir", make_dir },
	{ "mknod", make_node },
	{ "mkfifo", make_fifo },
	{ "mknod-device", make_device },
	{ "socket", make_socket },
	{ "symlink", make_symlink },
	{ "unlink", remove_file },
	{ "rmdir", remove_dir },
	{ NULL, NULL },
};
