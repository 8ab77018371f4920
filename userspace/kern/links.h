/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The symbolic links that a path leads through.
 *
 * A rule holds for what its path leads to, and is resolved anew while jobs run. So whoever can
 * change a link on the way decides what the rule is about; realpath() does not tell which there are.
 */
#ifndef JOBCAGE_KERN_LINKS_H
#define JOBCAGE_KERN_LINKS_H

/* link: where it is, canonical but for its own name. Other than 0 ends the search. */
typedef int (*link_fn)(void *arg, const char *link);

/*
 * Calls fn for every link, in the order of the way. A path that ends before its end has those up to
 * there. Returns 0, what fn returned, or -errno.
 */
int links_each(const char *path, link_fn fn, void *arg);

/*
 * The canonical path (free it) of a directory that stands there under its own name, wherever links lead on the
 * way. path is absolute. NULL, and errno: ELOOP if that is a link itself, ENOTDIR if it is something else.
 */
char *links_directory(const char *path);

#endif
