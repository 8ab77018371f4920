// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which path lies in which; see path.h. */
#include "base/path.h"

#include <string.h>

/* What follows dir in path: "" or what begins with '/'; NULL if path is not in dir. */
static const char *rest_of(const char *path, const char *dir)
{
	/* The root directory's path is the only one that ends in its own slash. */
	size_t len = strcmp(dir, "/") ? strlen(dir) : 0;

	if (strncmp(path, dir, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

bool path_is_in(const char *path, const char *dir)
{
	return rest_of(path, dir);
}

bool path_is_below(const char *path, const char *dir)
{
	const char *rest = rest_of(path, dir);

	return rest && rest[0] && rest[1];
}
