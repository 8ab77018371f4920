/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The end of all jobs where no daemon runs: `jobcage daemon --teardown`.
 */
#ifndef JOBCAGE_DAEMON_TEARDOWN_H
#define JOBCAGE_DAEMON_TEARDOWN_H

#include "base/error.h"

/*
 * Kills every job, whoever looks after it and whichever build started it, and removes the programs.
 * No daemon starts meanwhile. Returns 0: nothing is left; or -errno if a job may be, whose programs
 * then stay.
 */
int teardown_rest(struct error *err);

#endif
