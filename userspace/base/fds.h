/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lists of descriptors: what a process keeps open. */
#ifndef JOBCAGE_BASE_FDS_H
#define JOBCAGE_BASE_FDS_H

#include <stddef.h>

/* In ascending order. May take memory, so not between fork() and exec() where there are threads. */
void fds_sort(int *fds, size_t cnt);

/* Closes every descriptor but the cnt in sorted. Async-signal-safe. Returns 0 or -errno. */
int fds_close_others(const int *sorted, size_t cnt);

#endif
