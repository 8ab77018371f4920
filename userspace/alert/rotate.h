/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rotated log files: FILE.NNNNNNNNNNNN, where N is the number of the last line in it, so that they
 * sort in the order of the chain.
 */
#ifndef JOBCAGE_ALERT_ROTATE_H
#define JOBCAGE_ALERT_ROTATE_H

#include <stddef.h>
#include <stdint.h>

/* Moves path away and removes the oldest ones beyond keep (0: none). Returns 0 or -errno. */
int rotate_away(const char *path, uint64_t sequence, uint64_t keep);

/* The newest one, or NULL. Free it. */
char *rotate_newest(const char *path);

/* All of path's, oldest first. Returns 0 or -errno; free each and the array. */
int rotate_list(const char *path, char ***ret_files, size_t *ret_cnt);

#endif
