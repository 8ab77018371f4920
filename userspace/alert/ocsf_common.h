/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What all events share. Decisions come in floods and are written as text (write_*(); see
 * json_out.h). What is said of a job or of the log as a whole is rare, and built as a tree: a
 * builder returns a new reference, or NULL when out of memory; ocsf_put() passes such a NULL on, so
 * an event is one chain of && and fails as a whole.
 */
#ifndef JOBCAGE_ALERT_OCSF_COMMON_H
#define JOBCAGE_ALERT_OCSF_COMMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "alert/json_out.h"
#include "alert/ocsf.h"
#include "alert/ocsf_enum.h"

/* What differs between the heads of events. */
struct ocsf_head {
	enum ocsf_class class;
	unsigned int activity;     /* activity_id of the class */
	const char *activity_name; /* for ACTIVITY_OTHER; else NULL */
	const char *code;          /* metadata.event_code */
	const char *message;       /* plain, valid UTF-8; for a tree only */
	enum severity severity;
	int64_t time_ms;
	int64_t start_ms; /* of what the event tells; equals time_ms for a moment */
	uint64_t cnt; /* of acts that it tells; 0 is 1 */
	uint64_t sequence;
	bool is_truncated; /* the event holds less than there was */
};

/* --- as text ------------------------------------------------------------------------------------ */

/*
 * Everything that the event's class, time, job and policy determine: its first members, but for
 * the time, which comes before all others (whoever rotates the file reads it there), and the
 * message.
 */
void write_event_head(struct json_out *out, const struct alert_job *job,
		      const struct ocsf_head *head);
/* status_id, status and, unless NULL, status_code. */
void write_status(struct json_out *out, enum status status, const char *code);
/* Nothing if the time is not known (0). */
void write_time(struct json_out *out, const char *key, int64_t time_ms);
void write_user(struct json_out *out, const char *key, uint32_t uid, const char *name);
/* The job's first process. */
void write_job_process(struct json_out *out, const char *key, const struct alert_job *job);

/* --- as a tree ---------------------------------------------------------------------------------- */

/* Takes value over. false if it is NULL or memory runs out. */
bool ocsf_put(json_t *object, const char *key, json_t *value);
/* Puts raw escaped; nothing if raw is NULL. */
bool ocsf_put_text(json_t *object, const char *key, const char *raw);
/* Puts a time in Unix milliseconds; nothing if it is not known (0). */
bool ocsf_put_time(json_t *object, const char *key, int64_t time_ms);

/* An event with its time, its message and what write_event_head() writes, to go on with. */
json_t *ocsf_event(const struct alert_job *job, const struct ocsf_head *head);
/* Puts status_id, status and, unless NULL, status_code and status_detail. */
bool ocsf_put_status(json_t *event, enum status status, const char *code, const char *detail);

/* What metadata.product and app say. */
json_t *ocsf_product(const char *feature);
json_t *ocsf_device(const struct alert_job *job);
const char *ocsf_severity(enum severity severity);

json_t *ocsf_user(uint32_t uid, const char *name);
/* The job's first process. */
json_t *ocsf_job_process(const struct alert_job *job);
/* OCSF job object. run_state: RUN_STATE_*, which is left out if unknown. */
json_t *ocsf_job(const struct alert_job *job, int run_state);

#endif
