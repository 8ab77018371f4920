// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Events as text; see line.h. */
#include "alert/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct tally *tally_new(void)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (tally)
		tally->refs = 1;
	return tally;
}

void tally_unref(struct tally *tally)
{
	if (tally && !--tally->refs)
		free(tally);
}

static int put_unmapped_last(json_t *event)
{
	json_t *unmapped = json_object_get(event, "unmapped");

	unmapped = json_is_object(unmapped) ? json_incref(unmapped) : json_object();
	json_object_del(event, "unmapped");
	return json_object_set_new(event, "unmapped", unmapped);
}

static void fill(struct line *line, const json_t *event)
{
	const json_t *code = json_object_get(json_object_get(event, "metadata"), "event_code");

	line->severity = json_integer_value(json_object_get(event, "severity_id"));
	line->time_ms = json_integer_value(json_object_get(event, "time"));
	snprintf(line->code, sizeof(line->code), "%s",
		 json_is_string(code) ? json_string_value(code) : "-");
}

int line_new(json_t *event, struct tally *tally, struct line **ret_line)
{
	_cleanup_free_ char *text = put_unmapped_last(event) ? NULL :
							       json_dumps(event, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	struct line *line = text ? calloc(1, sizeof(*line) + len + 1) : NULL;

	if (!line)
		return -ENOMEM;
	fill(line, event);
	line->refs = 1;
	line->len = len;
	memcpy(line->text, text, len + 1);
	line->tally = tally;
	if (tally)
		tally->refs++;
	*ret_line = line;
	return 0;
}

struct line *line_ref(struct line *line)
{
	line->refs++;
	return line;
}

void line_unref(struct line *line)
{
	if (!line || --line->refs)
		return;
	tally_unref(line->tally);
	free(line);
}
