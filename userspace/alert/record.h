/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A job's record as it stands in a log file: what a controller that died had written, whatever it
 * still knew of it.
 */
#ifndef JOBCAGE_ALERT_RECORD_H
#define JOBCAGE_ALERT_RECORD_H

#include <stdint.h>

/*
 * The number (metadata.sequence) of the job's last event in path, which several writers may share,
 * or in the newest file rotated away from it; events before since_ms (Unix time) are of an earlier
 * job of that id. A line without its end does not count. Returns 0, -ENOENT if none is in the last
 * 8 MiB of either, or -errno. Path must be a regular file: -EINVAL.
 */
int record_last(const char *path, const char *job, uint64_t since_ms, uint64_t *ret_sequence);

#endif
