/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where events go: a file that is appended to, or standard output. One event per line, whole lines
 * only.
 */
#ifndef JOBCAGE_ALERT_SINK_H
#define JOBCAGE_ALERT_SINK_H

#include <jansson.h>

#include "base/error.h"

struct sink;

/* target: a file's name (created 0600, appended to, never through a symlink in the last component),
 * or "-". Returns 0 or -errno. */
int sink_open(const char *target, struct error *err, struct sink **ret_sink);

/*
 * Writes one event as one line. Returns 0, or -errno if the line could not be written whole (a
 * partial line is cut back where the target allows it); the sink stays usable.
 */
int sink_write(struct sink *sink, const json_t *event);
void sink_close(struct sink *sink);

/* For _cleanup_(). */
static inline void cleanup_sink(struct sink **sink)
{
	sink_close(*sink);
}

#endif
