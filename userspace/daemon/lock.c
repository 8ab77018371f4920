// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One daemon at a time; see lock.h. */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "job/state.h"

#define LOCK_FILE STATE_ROOT "/controller.lock"

static int say_holder(int fd, struct error *err)
{
	char pid[16] = "";

	if (pread(fd, pid, sizeof(pid) - 1, 0) > 0)
		pid[strcspn(pid, "\n")] = '\0';
	return error_set(err, -EBUSY,
			 "a daemon runs already: process %s holds " LOCK_FILE
			 "; 'jobcage reload' has it read its files again",
			 pid);
}

static int write_pid(int fd)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d\n", getpid());
	return ftruncate(fd, 0) ? -errno : fd_write_all(fd, pid, strlen(pid));
}

int lock_take(struct error *err)
{
	struct flock lock = { .l_type = F_WRLCK };
	_cleanup_fd_ int fd = -1;
	int r = make_dir(STATE_ROOT, 0755);

	if (r)
		return error_errno(err, r, "cannot make " STATE_ROOT);
	fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_errno(err, -errno, "cannot open " LOCK_FILE);
	if (fcntl(fd, F_OFD_SETLK, &lock))
		return errno == EAGAIN ? say_holder(fd, err)
				       : error_errno(err, -errno, "cannot lock " LOCK_FILE);
	r = write_pid(fd);
	if (r)
		return error_errno(err, r, "cannot write " LOCK_FILE);
	return TAKE_FD(fd);
}

bool lock_is_held(void)
{
	struct flock lock = { .l_type = F_RDLCK };
	_cleanup_fd_ int fd = open(LOCK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

void lock_wait(void)
{
	struct flock lock = { .l_type = F_RDLCK };
	_cleanup_fd_ int fd = open(LOCK_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	while (fd >= 0 && fcntl(fd, F_OFD_SETLKW, &lock) && errno == EINTR)
		;
}
