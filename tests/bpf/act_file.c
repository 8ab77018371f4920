// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Acts on files: every way to open one, and every operation that goes by a path. See act.h. */
#include "act.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define NEW_MODE 0600
#define OTHER_ID 12345

/* --- opening --------------------------------------------------------------------------------------- */

static int try_open(const char *path, int flags)
{
	return close_outcome(open(path, flags | O_CLOEXEC, NEW_MODE));
}

static int open_read(char **argv) { return try_open(argv[0], O_RDONLY); }
static int open_write(char **argv) { return try_open(argv[0], O_WRONLY); }
static int open_rdwr(char **argv) { return try_open(argv[0], O_RDWR); }
static int open_append(char **argv) { return try_open(argv[0], O_WRONLY | O_APPEND); }
static int open_trunc(char **argv) { return try_open(argv[0], O_RDONLY | O_TRUNC); }
static int open_rewrite(char **argv) { return try_open(argv[0], O_WRONLY | O_CREAT | O_TRUNC); }
static int creat_new(char **argv) { return try_open(argv[0], O_WRONLY | O_CREAT | O_EXCL); }
static int creat_read(char **argv) { return try_open(argv[0], O_RDONLY | O_CREAT); }
static int open_tmpfile(char **argv) { return try_open(argv[0], O_RDWR | O_TMPFILE); }
static int open_path(char **argv) { return try_open(argv[0], O_PATH); }

/* Opened so that nothing is judged, and opened again through /proc. */
static int reopen(char **argv)
{
	char link[64];
	int fd = open(argv[0], O_PATH | O_CLOEXEC), r;

	if (step("open O_PATH") && fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	step("open /proc/self/fd");
	r = try_open(link, O_WRONLY);
	close(fd);
	return r;
}

static int open_at(char **argv)
{
	int dir = open(argv[0], O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	if (step("open O_PATH") && dir < 0)
		return -errno;
	step("openat");
	r = close_outcome(openat(dir, argv[1], O_WRONLY | O_CLOEXEC));
	close(dir);
	return r;
}

static int open_by_handle(char **argv)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount_id, mount, r;

	step("name_to_handle_at");
	if (name_to_handle_at(AT_FDCWD, argv[0], &u.handle, &mount_id, 0))
		return -errno;
	mount = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (step("open mount") && mount < 0)
		return -errno;
	step("open_by_handle_at");
	r = close_outcome(open_by_handle_at(mount, &u.handle, O_WRONLY | O_CLOEXEC));
	close(mount);
	return r;
}

/* argv: folder, how many folders named "d" down from there the file "f" lies. */
static int open_deep(char **argv)
{
	int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), depth = atoi(argv[1]), r;

	if (back < 0 || chdir(argv[0]))
		return -errno;
	step("chdir");
	for (int i = 0; i < depth; i++)
		if (chdir("d"))
			return -errno;
	step("open");
	r = try_open("f", O_RDONLY);
	if (fchdir(back))
		return -errno;
	close(back);
	return r;
}

/* argv: new root, path from there. */
static int open_in_chroot(char **argv)
{
	pid_t pid = fork();
	int r;

	if (pid)
		return pid < 0 ? -errno : wait_outcome(pid);
	r = chroot(argv[0]) || chdir("/") ? -errno : try_open(argv[1], O_WRONLY);
	_exit(-r);
}

static int list(char **argv)
{
	DIR *dir = opendir(argv[0]);

	if (step("opendir") && !dir)
		return -errno;
	errno = 0;
	step("readdir");
	if (!readdir(dir) && errno)
		return -errno;
	closedir(dir);
	return 0;
}

/* --- making ---------------------------------------------------------------------------------------- */

static int make_dir(char **argv) { return outcome(mkdir(argv[0], 0700)); }
static int make_file(char **argv) { return outcome(mknod(argv[0], S_IFREG | NEW_MODE, 0)); }
static int make_fifo(char **argv) { return outcome(mkfifo(argv[0], NEW_MODE)); }
static int make_chr(char **argv) { return outcome(mknod(argv[0], S_IFCHR | NEW_MODE, makedev(1, 3))); }
/* argv: path, major, minor. */
static int make_dev(char **argv)
{
	return outcome(mknod(argv[0], S_IFCHR | NEW_MODE, makedev(atoi(argv[1]), atoi(argv[2]))));
}
static int make_sock(char **argv) { return outcome(mknod(argv[0], S_IFSOCK | NEW_MODE, 0)); }
static int make_symlink(char **argv) { return outcome(symlink(argv[0], argv[1])); }
static int make_link(char **argv) { return outcome(link(argv[0], argv[1])); }

static int bind_unix(char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (step("socket") && fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[0]);
	step("bind");
	r = outcome(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return r;
}

static int link_of_fd(int fd, const char *path)
{
	char link[64];
	int r;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	step("linkat");
	r = outcome(linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	close(fd);
	return r;
}

static int link_fd(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);

	step("open");
	return fd < 0 ? -errno : link_of_fd(fd, argv[1]);
}

/* A nameless file of one folder gets a name in another. */
static int link_tmpfile(char **argv)
{
	int fd = open(argv[0], O_RDWR | O_TMPFILE | O_CLOEXEC, NEW_MODE);

	step("open O_TMPFILE");
	return fd < 0 ? -errno : link_of_fd(fd, argv[1]);
}

/* --- removing, renaming ---------------------------------------------------------------------------- */

static int remove_file(char **argv) { return outcome(unlink(argv[0])); }
static int remove_dir(char **argv) { return outcome(rmdir(argv[0])); }
static int move(char **argv) { return outcome(rename(argv[0], argv[1])); }

static int move_flags(char **argv, unsigned int flags)
{
	return outcome(renameat2(AT_FDCWD, argv[0], AT_FDCWD, argv[1], flags));
}

static int exchange(char **argv) { return move_flags(argv, RENAME_EXCHANGE); }
static int whiteout(char **argv) { return move_flags(argv, RENAME_WHITEOUT); }
static int move_noreplace(char **argv) { return move_flags(argv, RENAME_NOREPLACE); }

/* --- content and attributes ------------------------------------------------------------------------ */

static int truncate_path(char **argv) { return outcome(truncate(argv[0], 1)); }
static int change_mode(char **argv) { return outcome(chmod(argv[0], 0611)); }
static int change_mode_at(char **argv) { return outcome(fchmodat(AT_FDCWD, argv[0], 0611, 0)); }
static int change_owner(char **argv) { return outcome(chown(argv[0], OTHER_ID, OTHER_ID)); }
static int change_owner_link(char **argv) { return outcome(lchown(argv[0], OTHER_ID, OTHER_ID)); }

static int change_mode_fd(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("fchmod");
	r = outcome(fchmod(fd, 0611));
	close(fd);
	return r;
}

static int change_owner_fd(char **argv)
{
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC), r;

	if (step("open") && fd < 0)
		return -errno;
	step("fchown");
	r = outcome(fchown(fd, OTHER_ID, OTHER_ID));
	close(fd);
	return r;
}

/* By a descriptor that nobody judged when it was opened. */
static int change_owner_empty_path(char **argv)
{
	int fd = open(argv[0], O_PATH | O_CLOEXEC), r;

	if (step("open O_PATH") && fd < 0)
		return -errno;
	step("fchownat");
	r = outcome(fchownat(fd, "", OTHER_ID, OTHER_ID, AT_EMPTY_PATH));
	close(fd);
	return r;
}

static int change_root(char **argv)
{
	pid_t pid = fork();

	if (!pid)
		_exit(chroot(argv[0]) ? errno : 0);
	return pid < 0 ? -errno : wait_outcome(pid);
}

const struct act file_acts[] = {
	{ "open_read", 1, open_read },
	{ "open_write", 1, open_write },
	{ "open_rdwr", 1, open_rdwr },
	{ "open_append", 1, open_append },
	{ "open_trunc", 1, open_trunc },
	{ "open_rewrite", 1, open_rewrite },
	{ "open_path", 1, open_path },
	{ "open_tmpfile", 1, open_tmpfile },
	{ "creat", 1, creat_new },
	{ "creat_read", 1, creat_read },
	{ "reopen", 1, reopen },
	{ "open_at", 2, open_at },
	{ "open_by_handle", 2, open_by_handle },
	{ "open_deep", 2, open_deep },
	{ "open_in_chroot", 2, open_in_chroot },
	{ "list", 1, list },
	{ "mkdir", 1, make_dir },
	{ "mknod_file", 1, make_file },
	{ "mknod_fifo", 1, make_fifo },
	{ "mknod_chr", 1, make_chr },
	{ "mknod_dev", 3, make_dev },
	{ "mknod_sock", 1, make_sock },
	{ "bind_unix", 1, bind_unix },
	{ "symlink", 2, make_symlink },
	{ "link", 2, make_link },
	{ "link_fd", 2, link_fd },
	{ "link_tmpfile", 2, link_tmpfile },
	{ "unlink", 1, remove_file },
	{ "rmdir", 1, remove_dir },
	{ "rename", 2, move },
	{ "exchange", 2, exchange },
	{ "whiteout", 2, whiteout },
	{ "rename_noreplace", 2, move_noreplace },
	{ "truncate", 1, truncate_path },
	{ "chmod", 1, change_mode },
	{ "fchmod", 1, change_mode_fd },
	{ "fchmodat", 1, change_mode_at },
	{ "chown", 1, change_owner },
	{ "lchown", 1, change_owner_link },
	{ "fchown", 1, change_owner_fd },
	{ "chown_empty_path", 1, change_owner_empty_path },
	{ "chroot", 1, change_root },
	{ NULL, 0, NULL },
};
