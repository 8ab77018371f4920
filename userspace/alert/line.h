/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An event as the text that all sinks share, and a job's account of what became of its events.
 */
#ifndef JOBCAGE_ALERT_LINE_H
#define JOBCAGE_ALERT_LINE_H

#include <jansson.h>
#include <stdbool.h>
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
	bool is_decision;      /* of which a job makes as many as it likes */
	size_t len;
	char text[]; /* JSON in one line without its newline; "unmapped", an object, comes last */
};

struct tally *tally_new(void);
void tally_unref(struct tally *tally);

/*
 * Both return 0 and a line with one reference and no tally, or -ENOMEM. Of a tree, whose "unmapped"
 * is moved to its end; or of a text that is as a line's has to be, of an event with this
 * severity_id, time and metadata.event_code.
 */
int line_new(json_t *event, struct line **ret_line);
int line_of_text(const char *text, size_t len, unsigned int severity, int64_t time_ms,
		 const char *code, struct line **ret_line);

/* Before anybody else has a reference. Takes one of the tally. */
void line_set_tally(struct line *line, struct tally *tally);

struct line *line_ref(struct line *line);
void line_unref(struct line *line);

#endif
