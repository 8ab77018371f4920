// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The symbolic links that a path leads through; see links.h. */
#include "kern/links.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

struct way {
	char done[PATH_MAX]; /* canonical; the root is "" */
	struct path_rest rest;
};

static int step(struct way *way, const char *word, link_fn fn, void *arg)
{
	char place[PATH_MAX], text[PATH_MAX];
	ssize_t n;
	int r, len;

	if (!strcmp(word, "..")) {
		way->done[strlen(way->done) - strlen(strrchr(way->done, '/') ?: "")] = '\0';
		return 0;
	}
	len = snprintf(place, sizeof(place), "%s/%s", way->done, word);
	if (len >= (int)sizeof(place))
		return -ENAMETOOLONG;
	n = readlink(place, text, sizeof(text) - 1);
	if (n < 0 && errno != EINVAL)
		return -errno;
	if (n < 0) {
		memcpy(way->done, place, len + 1);
		return 0;
	}
	text[n] = '\0';
	r = fn(arg, place);
	if (r)
		return r;
	if (*text == '/')
		way->done[0] = '\0';
	return path_follow(&way->rest, text);
}

int links_each(const char *path, link_fn fn, void *arg)
{
	char word[NAME_MAX + 1];
	struct way way = { 0 };
	int r;

	if (strlen(path) >= sizeof(way.rest.text))
		return -ENAMETOOLONG;
	strcpy(way.rest.text, path);
	while ((r = path_next_word(&way.rest, word, sizeof(word))) > 0) {
		r = strcmp(word, ".") ? step(&way, word, fn, arg) : 0;
		if (r)
			return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	}
	return r;
}

static int check_directory(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

char *links_directory(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	_cleanup_free_ char *parent = strndup(path, name - path), *real = NULL;
	char *directory;
	int r = check_directory(path);

	if (r) {
		errno = -r;
		return NULL;
	}
	real = parent ? realpath(parent, NULL) : NULL;
	if (!real || asprintf(&directory, "%s/%s", real[1] ? real : "", name) < 0)
		return NULL;
	return directory;
}
