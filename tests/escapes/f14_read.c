// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F14: reading what was not granted: its files, its names, and what runs from it. */
#include "escape.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "uring.h"

static int open_file(void) { return read_from(in(closed, "p")); }
static int via(void) { return read_from(in(out, "via-closed")); }
static int dotdot(void) { return read_from(in(ds, in("..", in("closed", "p")))); }

static int open_at(void)
{
	int folder = open(closed, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (step("open O_PATH") && folder < 0)
		return -errno;
	step("openat");
	return close_outcome(openat(folder, "p", O_RDONLY | O_CLOEXEC));
}

static int reopen(void)
{
	char path[32];
	int fd = open(in(closed, "p"), O_PATH | O_CLOEXEC);

	if (step("open O_PATH") && fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return read_from(path);
}

static int list(void)
{
	DIR *folder = opendir(closed);

	if (step("opendir") && !folder)
		return -errno;
	step("readdir");
	return readdir(folder) ? 0 : -errno;
}

static int list_cwd(void)
{
	DIR *folder;

	if (step("chdir") && chdir(closed))
		return -errno;
	folder = opendir(".");
	return step("opendir") && !folder ? -errno : 0;
}

static int map(void)
{
	int fd = open(in(closed, "p"), O_RDONLY | O_CLOEXEC);

	if (step("open") && fd < 0)
		return -errno;
	step("mmap");
	return mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -errno : 0;
}

static int by_uring(void)
{
	struct ring ring;
	int r = ring_open(&ring, RING_PLAIN);

	if (step("io_uring_setup") && r)
		return r;
	step("io_uring");
	r = ring_do(&ring, (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
						  .addr = (unsigned long)in(closed, "p") });
	return r < 0 ? r : 0;
}

static int execute(const char *path)
{
	char *argv[] = { "tool", NULL };

	step("execve");
	execve(path, argv, argv + 1);
	return -errno;
}

static int program(void) { return execute(in(closed, "tool")); }
static int script(void) { return execute(in(closed, "script")); }
static int interpreter(void) { return execute(in(out, "script-of-closed")); }
static int child_program(void) { return in_child(program); }
static int child_script(void) { return in_child(script); }
static int child_interpreter(void) { return in_child(interpreter); }

/* Names, without opening the folder: a watch tells them when somebody uses them. */
static int watch(void)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (step("inotify_init1") && fd < 0)
		return -errno;
	step("inotify_add_watch");
	return outcome(inotify_add_watch(fd, closed, IN_ACCESS | IN_OPEN));
}

static int attributes(void)
{
	char value[16];

	step("getxattr");
	return outcome(getxattr(in(closed, "p"), "user.mark", value, sizeof(value)));
}

static int link_target(void)
{
	char target[PATH_MAX];

	step("readlink");
	return outcome(readlink(in(closed, "l"), target, sizeof(target)));
}

static int bind_mount(void)
{
	const char *spot = in(out, "mnt");
	int r;

	if (step("mount") && mount(closed, spot, NULL, MS_BIND, NULL))
		return -errno;
	r = read_from(in(spot, "p"));
	umount2(spot, MNT_DETACH);
	return r;
}

static int bind_as_user(void) { return enter_namespaces() ?: bind_mount(); }
static int child_bind(void) { return in_child(bind_as_user); }

static int change_root(void)
{
	if (step("chroot") && (chroot(closed) || chdir("/")))
		return -errno;
	return read_from("/p");
}

static int child_chroot(void) { return in_child(change_root); }
static int rename_out(void) { return rename(in(closed, "p"), in(out, "new")) ? -errno : read_from(in(out, "new")); }

const struct attempt attempts[] = {
	{ "open", open_file },
	{ "via", via },
	{ "dotdot", dotdot },
	{ "openat", open_at },
	{ "reopen", reopen },
	{ "list", list },
	{ "list-cwd", list_cwd },
	{ "mmap", map },
	{ "io-uring", by_uring },
	{ "exec", child_program },
	{ "script", child_script },
	{ "interpreter", child_interpreter },
	{ "inotify", watch },
	{ "getxattr", attributes },
	{ "readlink", link_target },
	{ "bind", bind_mount },
	{ "user-bind", child_bind },
	{ "chroot", child_chroot },
	{ "rename", rename_out },
	{ NULL, NULL },
};
