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

int line_of_text(const char *text, size_t len, unsigned int severity, int64_t time_ms,
		 const char *code, struct line **ret_line)
{
	struct line *line = malloc(sizeof(*line) + len + 1);

	if (!line)
		return -ENOMEM;
	*line = (struct line){ .refs = 1, .severity = severity, .time_ms = time_ms, .len = len };
	snprintf(line->code, sizeof(line->code), "%s", code);
	memcpy(line->text, text, len);
	line->text[len] = '\0';
	*ret_line = line;
	return 0;
}

int line_new(json_t *event, struct line **ret_line)
{
	const json_t *code = json_object_get(json_object_get(event, "metadata"), "event_code");
	_cleanup_free_ char *text = put_unmapped_last(event) ? NULL :
							       json_dumps(event, JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	return line_of_text(text, strlen(text),
			    json_integer_value(json_object_get(event, "severity_id")),
			    json_integer_value(json_object_get(event, "time")),
			    json_is_string(code) ? json_string_value(code) : "-", ret_line);
}

void line_set_tally(struct line *line, struct tally *tally)
{
	line->tally = tally;
	if (tally)
		tally->refs++;
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
