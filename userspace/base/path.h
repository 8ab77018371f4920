/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths, by the names alone.
 */
#ifndef JOBCAGE_BASE_PATH_H
#define JOBCAGE_BASE_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Which path lies in which. Both are absolute and canonical: no '.', no '..', no '//', and a '/' at
 * the end only of the root directory's.
 */

/* Whether path is dir itself, or lies in it at any depth. */
bool path_is_in(const char *path, const char *dir);

/* The same, but no path is below itself. */
bool path_is_below(const char *path, const char *dir);

/* What is still to go of a path that is walked word by word, over symbolic links. All zeros: nothing. */
struct path_rest {
	char text[PATH_MAX];
	unsigned int link_cnt; /* that were followed */
};

/* Takes the first word off. Returns its length, 0 at the end, or -errno. */
int path_next_word(struct path_rest *rest, char *room, size_t size);

/* A link's text takes its place. Returns 0; -ELOOP after as many as the kernel follows; -ENAMETOOLONG. */
int path_follow(struct path_rest *rest, const char *text);

#endif
