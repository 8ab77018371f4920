// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where a launcher's standard error can be written to, and that it never holds anybody up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "base/cleanup.h"
#include "daemon/tell.h"

/* What comes of a process whose standard error is that, while it waits. */
static int open_for(int fd, uid_t uid)
{
	int ready[2], go[2], pidfd, r;
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		dup2(fd, STDERR_FILENO);
		if (write(ready[1], "", 1) != 1 || read(go[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(go[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	assert_true(pidfd >= 0);
	r = tell_open(pid, pidfd, uid);
	close(pidfd);
	close(go[1]);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return r;
}

static int open_of(int fd)
{
	return open_for(fd, 0);
}

static void expect_refused(int fd)
{
	assert_true(fd >= 0);
	assert_int_equal(open_of(fd), -EINVAL);
	close(fd);
}

static void test_pipe(void **state)
{
	char text[2 * PIPE_BUF] = "";
	_cleanup_fd_ int own = -1;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	own = open_of(ends[1]);
	assert_true(own >= 0);
	tell_line(own, "one thing");
	assert_int_equal(read(ends[0], text, sizeof(text)), strlen("jobcage: one thing\n"));
	assert_memory_equal(text, "jobcage: one thing\n", 19);
	/* A line that is too long is cut: more would not be written in one go. */
	memset(text, 'x', sizeof(text) - 1);
	tell_line(own, text);
	assert_int_equal(read(ends[0], text, sizeof(text)), PIPE_BUF);
	assert_int_equal(text[PIPE_BUF - 1], '\n');
	/* The launcher's own descriptor still waits, ours does not. */
	assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	for (int i = 0; i < 10000; i++)
		tell_line(own, "nobody reads");
	close(ends[0]);
	tell_line(own, "nobody can");
	close(ends[1]);
}

static void test_others(void **state)
{
	char dir[] = "/tmp/jobcage-tell-XXXXXX", path[64];
	int sockets[2];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	expect_refused(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	unlink(path);
	/* Who may only read is nobody's way to write. */
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	expect_refused(open(path, O_PATH | O_CLOEXEC));
	/* With a name it is on a file system that somebody may serve. */
	expect_refused(open(path, O_RDWR | O_CLOEXEC));
	unlink(path);
	rmdir(dir);
	expect_refused(open("/dev/null", O_WRONLY | O_CLOEXEC));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	close(sockets[1]);
	expect_refused(sockets[0]);
}

static void test_one_end(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	expect_refused(ends[0]);
	close(ends[1]);
}

static void test_terminal(void **state)
{
	_cleanup_fd_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), own = -1, terminal = -1;
	char text[64] = "";

	(void)state;
	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	own = open_for(terminal, geteuid());
	assert_true(own >= 0);
	tell_line(own, "one thing");
	assert_true(read(master, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "jobcage: one thing\r\n");
	assert_int_equal(open_for(terminal, geteuid() + 1), -EINVAL);
	expect_refused(open(ptsname(master), O_RDONLY | O_NOCTTY | O_CLOEXEC));
	expect_refused(open(ptsname(master), O_PATH | O_CLOEXEC));
	/* The other end of one: to open it makes a new terminal. */
	expect_refused(fcntl(master, F_DUPFD_CLOEXEC, 3));
}

/* --- a file that its user serves -------------------------------------------------------------- */

static void answer(int fuse, uint64_t unique, const void *body, size_t len)
{
	struct fuse_out_header header = { .len = sizeof(header) + len, .unique = unique };
	char room[256];

	memcpy(room, &header, sizeof(header));
	memcpy(room + sizeof(header), body, len);
	if (write(fuse, room, header.len) < 0)
		return;
}

/* One regular file, whose closing is never answered. */
static void serve_one(int fuse, const struct fuse_in_header *request)
{
	const struct fuse_init_out init = { .major = 7, .minor = 31, .max_write = 4096 };
	const struct fuse_attr attr = { .ino = 2, .mode = S_IFREG | 0666, .nlink = 1, .uid = 1000 };
	const struct fuse_entry_out entry = { .nodeid = 2, .attr = attr };
	const struct fuse_attr_out attrs = { .attr = attr };
	const struct fuse_open_out opened = { .fh = 1 };

	switch (request->opcode) {
	case FUSE_INIT: answer(fuse, request->unique, &init, sizeof(init)); break;
	case FUSE_LOOKUP: answer(fuse, request->unique, &entry, sizeof(entry)); break;
	case FUSE_GETATTR: answer(fuse, request->unique, &attrs, sizeof(attrs)); break;
	case FUSE_OPEN: answer(fuse, request->unique, &opened, sizeof(opened)); break;
	default: break;
	}
}

static pid_t start_server(int fuse)
{
	pid_t pid = fork();
	char room[64 << 10];

	while (!pid && read(fuse, room, sizeof(room)) > 0)
		serve_one(fuse, (const void *)room);
	if (!pid)
		_exit(0);
	return pid;
}

/* As fusermount does for a user. Returns the server's end, or -1: not on this machine. */
static int mount_served(const char *dir)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[96];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=1000,group_id=1000", fuse);
	if (fuse >= 0 && !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	    !mount("served", dir, "fuse", MS_NOSUID | MS_NODEV, options))
		return fuse;
	if (fuse >= 0)
		close(fuse);
	return -1;
}

/* The user's process, with such a file as its standard error. */
static pid_t start_launcher(const char *dir, int fuse)
{
	pid_t pid = fork();
	char path[64];

	if (pid)
		return pid;
	close(fuse);
	snprintf(path, sizeof(path), "%s/file", dir);
	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000) ||
	    dup2(open(path, O_WRONLY), STDERR_FILENO) < 0)
		_exit(1);
	pause();
	_exit(1);
}

static bool has_error_open(pid_t pid, const char *dir)
{
	char path[32], text[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/2", pid);
	return readlink(path, text, sizeof(text) - 1) > 0 && !strncmp(text, dir, strlen(dir));
}

/* Whether it came back, with the error that is expected. */
static bool is_refused_at_once(pid_t launcher, int fuse)
{
	pid_t pid = fork();
	int status = 1;

	if (!pid) {
		close(fuse);
		_exit(tell_open(launcher, syscall(SYS_pidfd_open, launcher, 0), 1000) != -EINVAL);
	}
	for (int i = 0; i < 200 && !waitpid(pid, &status, WNOHANG); i++)
		usleep(10000);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void test_served(void **state)
{
	char dir[] = "/tmp/jobcage-tell-XXXXXX";
	pid_t server, launcher;
	bool is_refused;
	int fuse;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fuse = mount_served(dir);
	if (fuse < 0) {
		rmdir(dir);
		skip();
	}
	server = start_server(fuse);
	launcher = start_launcher(dir, fuse);
	for (int i = 0; i < 200 && !has_error_open(launcher, dir); i++)
		usleep(10000);
	assert_true(has_error_open(launcher, dir));
	is_refused = is_refused_at_once(launcher, fuse);
	/* Whoever waits for it is let go by that. */
	kill(server, SIGKILL);
	close(fuse);
	kill(launcher, SIGKILL);
	while (wait(NULL) > 0)
		;
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	assert_true(is_refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pipe), cmocka_unit_test(test_one_end),
					    cmocka_unit_test(test_others),
					    cmocka_unit_test(test_terminal),
					    cmocka_unit_test(test_served) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
