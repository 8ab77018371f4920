// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What --policy and --user say; see named.h. */
#include "cmd/named.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/ask.h"

bool named_is_file(const char *policy)
{
	size_t len = strlen(policy);

	return strchr(policy, '/') || (len >= 5 && !strcmp(policy + len - 5, ".json"));
}

int named_absolute(const char *path, struct error *err, char **ret_path)
{
	_cleanup_free_ char *cwd = *path == '/' ? strdup("") : getcwd(NULL, 0);
	char *absolute;

	if (!cwd && errno != ENOMEM)
		return error_errno(err, -errno, "cannot tell where %s is", path);
	if (!cwd || asprintf(&absolute, "%s%s%s", cwd, *path == '/' ? "" : "/", path) < 0)
		return error_errno(err, -ENOMEM, "cannot tell where %s is", path);
	*ret_path = absolute;
	return 0;
}

int named_policy(json_t *members, const char *policy, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (!named_is_file(policy))
		return ask_add(members, "policy", policy, err);
	r = named_absolute(policy, err, &path);
	return r ? r : ask_add(members, "policy_file", path, err);
}

void named_user(json_t *members, const struct launch_user *user)
{
	json_object_set_new(members, "uid", json_integer(user->uid));
	json_object_set_new(members, "gid", json_integer(user->gid));
}
