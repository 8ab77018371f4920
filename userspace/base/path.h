/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which path lies in which, by the names alone. Both are absolute and canonical: no '.', no '..', no
 * '//', and a '/' at the end only of the root directory's.
 */
#ifndef JOBCAGE_BASE_PATH_H
#define JOBCAGE_BASE_PATH_H

#include <stdbool.h>

/* Whether path is dir itself, or lies in it at any depth. */
bool path_is_in(const char *path, const char *dir);

/* The same, but no path is below itself. */
bool path_is_below(const char *path, const char *dir);

#endif
