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

/* As the kernel has it. */
#define LINKS_MAX 40

struct way {
	char done[PATH_MAX]; /* canonical; the root is "" */
	char rest[PATH_MAX]; /* still to go */
	unsigned int link_cnt;
};

/* Takes the first word off what is still to go. Returns its length, 0 at the end, or -errno. */
static int next_word(struct way *way, char *room, size_t size)
{
	const char *word = way->rest + strspn(way->rest, "/");
	size_t len = strcspn(word, "/");

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(room, word, len);
	room[len] = '\0';
	memmove(way->rest, word + len, strlen(word + len) + 1);
	return len;
}

/* The link's text takes its place on the way. */
static int follow(struct way *way, const char *text)
{
	char rest[PATH_MAX];
	int len = snprintf(rest, sizeof(rest), "%s/%s", text, way->rest);

	if (way->link_cnt++ >= LINKS_MAX)
		return -ELOOP;
	if (len >= (int)sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(way->rest, rest, len + 1);
	if (*text == '/')
		way->done[0] = '\0';
	return 0;
}

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
	return r ? r : follow(way, text);
}

int links_each(const char *path, link_fn fn, void *arg)
{
	char word[NAME_MAX + 1];
	struct way way = { 0 };
	int r;

	if (snprintf(way.rest, sizeof(way.rest), "%s", path) >= (int)sizeof(way.rest))
		return -ENAMETOOLONG;
	while ((r = next_word(&way, word, sizeof(word))) > 0) {
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

	if (!r && parent)
		real = realpath(parent, NULL);
	if (!r && (!real || asprintf(&directory, "%s/%s", real[1] ? real : "", name) < 0))
		r = -errno;
	errno = -r;
	return r ? NULL : directory;
}
