// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Resource limits of a controller's own process; see limits.h. */
#include "daemon/limits.h"

#include <stddef.h>
#include <sys/resource.h>

#include "base/cleanup.h"

/* A job costs some ten, and a policy may have many roots. */
#define FILES_MAX 262144

/* The share of a processor of nine programs that compute; who started it may have given it more. */
#define NICE -10

void limits_lift(void)
{
	static const int limits[] = { RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE };
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit files = { FILES_MAX, FILES_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		setrlimit(limits[i], &unlimited);
	if (setrlimit(RLIMIT_NOFILE, &files) && !getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (getpriority(PRIO_PROCESS, 0) > NICE)
		setpriority(PRIO_PROCESS, 0, NICE);
}
