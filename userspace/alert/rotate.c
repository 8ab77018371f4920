// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rotated log files; see rotate.h. */
#include "alert/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DIGITS 12

/* "/var/log/jobcage/" and "alerts.jsonl" */
static int split(const char *path, char **ret_folder, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, slash - path + 1) : strdup("./");

	if (!folder)
		return -ENOMEM;
	*ret_folder = folder;
	*ret_name = slash ? slash + 1 : path;
	return 0;
}

static bool is_rotated(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(entry, name, len) && entry[len] == '.' &&
	       strlen(entry + len + 1) == DIGITS &&
	       strspn(entry + len + 1, "0123456789") == DIGITS;
}

static int add(char ***files, size_t *cnt, const char *folder, const char *entry)
{
	char **grown = realloc(*files, (*cnt + 1) * sizeof(**files));

	if (!grown)
		return -ENOMEM;
	*files = grown;
	if (asprintf(&grown[*cnt], "%s%s", folder, entry) < 0)
		return -ENOMEM;
	++*cnt;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int rotate_list(const char *path, char ***ret_files, size_t *ret_cnt)
{
	_cleanup_free_ char *folder = NULL;
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;
	const char *name;
	char **files = NULL;
	size_t cnt = 0;
	int r = split(path, &folder, &name);

	if (r)
		return r;
	dir = opendir(folder);
	if (!dir)
		return -errno;
	while (!r && (entry = readdir(dir)))
		if (is_rotated(entry->d_name, name))
			r = add(&files, &cnt, folder, entry->d_name);
	if (cnt)
		qsort(files, cnt, sizeof(*files), compare);
	*ret_files = files;
	*ret_cnt = cnt;
	return r;
}

static void free_list(char **files, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		free(files[i]);
	free(files);
}

char *rotate_newest(const char *path)
{
	char **files = NULL, *newest = NULL;
	size_t cnt = 0;

	if (!rotate_list(path, &files, &cnt) && cnt)
		newest = strdup(files[cnt - 1]);
	free_list(files, cnt);
	return newest;
}

static void remove_oldest(const char *path, uint64_t keep)
{
	char **files = NULL;
	size_t cnt = 0;

	if (!rotate_list(path, &files, &cnt))
		for (size_t i = 0; i + keep < cnt; i++)
			unlink(files[i]);
	free_list(files, cnt);
}

/* Never over a file that is there: two chains may have had the same number. */
int rotate_away(const char *path, uint64_t sequence, uint64_t keep)
{
	_cleanup_free_ char *to = NULL;

	if (asprintf(&to, "%s.%0*" PRIu64, path, DIGITS, sequence) < 0)
		return -ENOMEM;
	if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE))
		return -errno;
	if (keep)
		remove_oldest(path, keep);
	return 0;
}
