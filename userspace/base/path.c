// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Paths, by the names alone; see path.h. */
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As the kernel has it. */
#define LINKS_MAX 40

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

int path_next_word(struct path_rest *rest, char *room, size_t size)
{
	const char *word = rest->text + strspn(rest->text, "/");
	size_t len = strcspn(word, "/");

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(room, word, len);
	room[len] = '\0';
	memmove(rest->text, word + len, strlen(word + len) + 1);
	return len;
}

int path_follow(struct path_rest *rest, const char *text)
{
	char all[PATH_MAX];
	int len = snprintf(all, sizeof(all), "%s/%s", text, rest->text);

	if (rest->link_cnt++ >= LINKS_MAX)
		return -ELOOP;
	if (len >= (int)sizeof(all))
		return -ENAMETOOLONG;
	memcpy(rest->text, all, len + 1);
	return 0;
}
