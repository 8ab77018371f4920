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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/tell.h"

/* What comes of a process whose standard error is that, while it waits. */
static int open_of(int fd)
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
	r = tell_open(pidfd);
	close(pidfd);
	close(go[1]);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return r;
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
	unlink(path);
	rmdir(dir);
	expect_refused(open("/dev/null", O_WRONLY | O_CLOEXEC));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	close(sockets[1]);
	expect_refused(sockets[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pipe), cmocka_unit_test(test_others) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
