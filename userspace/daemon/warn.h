/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a controller says to whoever reads its standard error: trouble that it goes on after.
 */
#ifndef JOBCAGE_DAEMON_WARN_H
#define JOBCAGE_DAEMON_WARN_H

#include <stdio.h>

#include "base/error.h"

static inline void warn(const struct error *err)
{
	fprintf(stderr, "jobcage: warning: %s\n", err->text);
}

#endif
