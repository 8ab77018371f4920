// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Lists of descriptors; see fds.h. */
#include "base/fds.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void fds_sort(int *fds, size_t cnt)
{
	qsort(fds, cnt, sizeof(*fds), compare);
}

int fds_close_others(const int *sorted, size_t cnt)
{
	unsigned int from = 0;

	for (size_t i = 0; i < cnt; i++) {
		unsigned int fd = sorted[i];

		if (fd > from && close_range(from, fd - 1, 0))
			return -errno;
		from = fd + 1;
	}
	return close_range(from, UINT_MAX, 0) ? -errno : 0;
}
