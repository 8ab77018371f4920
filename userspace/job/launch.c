// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The launcher becomes the job; see launch.h. */
#include "job/launch.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int launch_close_files(const int *keep, size_t keep_cnt)
{
	int sorted[keep_cnt ? keep_cnt : 1];
	unsigned int from = 0;

	for (size_t i = 0; i < keep_cnt; i++)
		sorted[i] = keep[i];
	qsort(sorted, keep_cnt, sizeof(*sorted), compare_fds);
	for (size_t i = 0; i < keep_cnt; i++) {
		unsigned int fd = sorted[i];

		if (fd > from && close_range(from, fd - 1, 0))
			return -errno;
		from = fd + 1;
	}
	return close_range(from, UINT_MAX, 0) ? -errno : 0;
}

int launch_become_user(const struct passwd *user, struct error *err)
{
	if (!user)
		return 0;
	if (initgroups(user->pw_name, user->pw_gid) || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid))
		return error_errno(err, -errno, "cannot become user %s", user->pw_name);
	if (setenv("HOME", user->pw_dir, 1) || setenv("USER", user->pw_name, 1) || setenv("LOGNAME", user->pw_name, 1) ||
	    setenv("SHELL", *user->pw_shell ? user->pw_shell : "/bin/sh", 1))
		return error_errno(err, -errno, "cannot set the environment of user %s", user->pw_name);
	return 0;
}

int launch_exec(char **argv, struct error *err)
{
	execvp(argv[0], argv);
	error_errno(err, -errno, "cannot run %s", argv[0]);
	return err->code == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}
