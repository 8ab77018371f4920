// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Events about the log itself; see ocsf_log.h. */
#include "alert/ocsf_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "alert/ocsf_common.h"
#include "alert/text.h"
#include "base/cleanup.h"

static json_t *new_log_event(const struct alert_job *host, const char *code, const char *activity,
			     enum severity severity, const char *message, int64_t time_ms)
{
	static uint64_t number;
	json_auto_t *event = json_pack(
		"{s:I, s:o, s:i, s:s, s:i, s:s, s:i, s:s, s:i, s:s, s:i, s:s}", "time",
		(json_int_t)time_ms, "message", text_json(message), "category_uid", 6,
		"category_name", "Application Activity", "class_uid", CLASS_LOG, "class_name",
		"Application Lifecycle", "activity_id", ACTIVITY_OTHER, "activity_name", activity,
		"type_uid", CLASS_LOG * 100 + ACTIVITY_OTHER, "severity", ocsf_severity(severity),
		"severity_id", severity, "type_name", "Application Lifecycle: Other");
	json_auto_t *metadata = json_pack(
		"{s:s, s:[s], s:o, s:o, s:s, s:s}", "version", OCSF_VERSION, "profiles", "host",
		"product", ocsf_product("log"), "uid",
		json_sprintf("log:%" PRId64 ":%" PRIu64, time_ms, ++number), "event_code", code,
		"log_name", "jobcage");

	if (event && metadata && ocsf_put(event, "metadata", json_incref(metadata)) &&
	    ocsf_put(event, "app", ocsf_product("log")) &&
	    ocsf_put(event, "device", ocsf_device(host)))
		return json_incref(event);
	return NULL;
}

json_t *ocsf_log_head(const struct alert_job *host, const char *file, const struct head *head,
		      const char *occasion, int64_t time_ms)
{
	char message[512];
	json_auto_t *event = NULL, *details = NULL;

	snprintf(message, sizeof(message), "line %" PRIu64 " of %.300s has the hash %.16s...",
		 head->sequence, file, head->hash);
	event = new_log_event(host, "log_head", "Head", SEVERITY_INFORMATIONAL, message, time_ms);
	details = json_pack("{s:o, s:I, s:s, s:s, s:s*}", "file", text_json(file), "sequence",
			    (json_int_t)head->sequence, "hash", head->hash, "occasion", occasion,
			    "signature", *head->signature ? head->signature : NULL);
	if (event && details && ocsf_put_status(event, STATUS_SUCCESS, NULL, NULL) &&
	    ocsf_put(event, "unmapped", json_pack("{s:{s:O}}", "jobcage", "head", details)))
		return json_incref(event);
	return NULL;
}

json_t *ocsf_log_sink(const struct alert_job *host, const struct sink *sink, int64_t time_ms)
{
	bool is_trouble = sink->trouble.code;
	uint64_t dropped = sink->counts.dropped - sink->trouble_dropped;
	json_auto_t *event = NULL, *details = NULL;
	char message[2048];

	if (is_trouble)
		snprintf(message, sizeof(message), "a sink takes no events: %s; %zu wait",
			 sink->trouble.text, sink->queue.cnt);
	else
		snprintf(message, sizeof(message),
			 "sink %.300s takes events again; %" PRIu64 " were dropped meanwhile",
			 sink->config.name, dropped);
	event = new_log_event(host, is_trouble ? "log_trouble" : "log_recovered",
			      is_trouble ? "Trouble" : "Recovered",
			      is_trouble ? SEVERITY_HIGH : SEVERITY_MEDIUM, message, time_ms);
	details = json_pack("{s:o, s:I, s:I, s:I}", "sink", text_json(sink->config.name),
			    "since", (json_int_t)sink->trouble_ms, "dropped", (json_int_t)dropped,
			    "waiting", (json_int_t)sink->queue.cnt);
	if (event && details &&
	    ocsf_put_status(event, is_trouble ? STATUS_FAILURE : STATUS_SUCCESS, NULL, NULL) &&
	    ocsf_put(event, "unmapped", json_pack("{s:O}", "jobcage", details)))
		return json_incref(event);
	return NULL;
}
