// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The launcher becomes the job; see launch.h. */
#include "job/launch.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fds.h"

/* More descriptors than anyone names. */
#define KEEP_MAX 64

int launch_close_files(const int *keep, size_t keep_cnt)
{
	int sorted[KEEP_MAX];

	if (keep_cnt > KEEP_MAX)
		return -E2BIG;
	for (size_t i = 0; i < keep_cnt; i++)
		sorted[i] = keep[i];
	fds_sort(sorted, keep_cnt);
	return fds_close_others(sorted, keep_cnt);
}

static const struct passwd *look_up(const char *name)
{
	const struct passwd *entry = getpwnam(name);
	unsigned long uid;
	char *end;

	if (entry)
		return entry;
	errno = 0;
	uid = strtoul(name, &end, 10);
	if (!isdigit((unsigned char)*name) || *end || errno || uid >= (uid_t)-1)
		return NULL;
	return getpwuid(uid);
}

static int find_groups(struct launch_user *user)
{
	for (int room = 32;; room = user->group_cnt) {
		gid_t *groups = realloc(user->groups, room * sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		user->groups = groups;
		user->group_cnt = room;
		if (getgrouplist(user->name, user->gid, groups, &user->group_cnt) >= 0)
			return 0;
	}
}

int launch_find_user(const char *name, struct error *err, struct launch_user *ret_user)
{
	_cleanup_(launch_user_free) struct launch_user user = { 0 };
	const struct passwd *entry = look_up(name);

	if (!entry)
		return error_set(err, -ENOENT, "there is no user %s", name);
	user.name = strdup(entry->pw_name);
	user.home = strdup(entry->pw_dir);
	user.shell = strdup(*entry->pw_shell ? entry->pw_shell : "/bin/sh");
	user.uid = entry->pw_uid;
	user.gid = entry->pw_gid;
	if (!user.name || !user.home || !user.shell || find_groups(&user))
		return error_errno(err, -ENOMEM, "cannot look up user %s", name);
	*ret_user = user;
	user = (struct launch_user){ 0 };
	return 0;
}

void launch_user_free(struct launch_user *user)
{
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user->groups);
	*user = (struct launch_user){ 0 };
}

int launch_become_user(const struct launch_user *user, struct error *err)
{
	if (setgroups(user->group_cnt, user->groups) ||
	    setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid))
		return error_errno(err, -errno,
				   "cannot become user %s (the policy's capabilities must name "
				   "CAP_SETUID and CAP_SETGID)",
				   user->name);
	if (setenv("HOME", user->home, 1) || setenv("USER", user->name, 1) ||
	    setenv("LOGNAME", user->name, 1) || setenv("SHELL", user->shell, 1))
		return error_errno(err, -errno, "cannot set the environment of user %s",
				   user->name);
	return 0;
}

int launch_exec(char **argv, struct error *err)
{
	execvp(argv[0], argv);
	error_errno(err, -errno, "cannot run %s", argv[0]);
	if (err->code == -EACCES)
		error_prefix(err, "not executable, or not allowed by the policy (its alert says)");
	return err->code == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
}
