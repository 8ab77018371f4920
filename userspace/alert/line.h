/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An event as the text that all sinks share, and a job's account of what became of its events.
 */
#ifndef JOBCAGE_ALERT_LINE_H
#define JOBCAGE_ALERT_LINE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* What became of one job's events at the sink that holds its record. Shared by its lines. */
struct tally {
	unsigned int refs;
	uint64_t written, dropped;
	uint64_t waiting; /* neither yet */
};

struct line {
	unsigned int refs;
	unsigned int severity; /* OCSF severity_id */
	int64_t time_ms;       /* Unix time */
	struct tally *tally;   /* a reference; NULL: the event is about no job */
	char code[32];         /* metadata.event_code */
	size_t len;
	char text[]; /* JSON in one line without its newline; "unmapped", an object, comes last */
};

struct tally *tally_new(void);
void tally_unref(struct tally *tally);

/* Returns 0 and a line with one reference, or -ENOMEM. Moves the event's "unmapped" to its end. */
int line_new(json_t *event, struct tally *tally, struct line **ret_line);
struct line *line_ref(struct line *line);
void line_unref(struct line *line);

#endif
