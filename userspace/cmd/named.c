// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What --policy says; see named.h. */
#include "cmd/named.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

bool named_is_file(const char *policy)
{
	size_t len = strlen(policy);

	return strchr(policy, '/') || (len >= 5 && !strcmp(policy + len - 5, ".json"));
}

char *named_absolute(const char *path)
{
	_cleanup_free_ char *cwd = NULL;
	char *absolute = NULL;

	if (*path == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&absolute, "%s/%s", cwd, path) < 0)
		return NULL;
	return absolute;
}

json_t *named_policy(const char *policy)
{
	_cleanup_free_ char *path = NULL;

	if (!named_is_file(policy))
		return json_pack("{s:s}", "policy", policy);
	path = named_absolute(policy);
	return path ? json_pack("{s:s}", "policy_file", path) : NULL;
}
