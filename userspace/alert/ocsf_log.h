/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events about the log itself: where its chain stands, and which sink is in trouble. Of class 6002,
 * Application Lifecycle, because they are about no job.
 */
#ifndef JOBCAGE_ALERT_OCSF_LOG_H
#define JOBCAGE_ALERT_OCSF_LOG_H

#include <jansson.h>

#include "alert/head.h"
#include "alert/ocsf.h"
#include "alert/sink.h"

/* Each returns a new reference, or NULL without memory. host: only who and where. */

/* occasion: "start", "interval", "end" */
json_t *ocsf_log_head(const struct alert_job *host, const char *file, const struct head *head,
		      const char *occasion, int64_t time_ms);

/* The sink's trouble has begun, or ended. */
json_t *ocsf_log_sink(const struct alert_job *host, const struct sink *sink, int64_t time_ms);

#endif
