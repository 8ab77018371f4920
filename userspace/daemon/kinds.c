// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a job was denied, by kind; see kinds.h. */
#include "daemon/kinds.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct kind *find(const struct kinds *kinds, const struct event *event)
{
	for (size_t i = 0; i < kinds->cnt; i++) {
		struct kind *kind = &kinds->items[i];

		if (kind->op == event->op && kind->rule == event->rule &&
		    kind->reason == event->reason && kind->policy == event->policy)
			return kind;
	}
	return NULL;
}

/* NULL: there is no room. */
static struct kind *add(struct kinds *kinds, const struct event *event, const struct line *line)
{
	json_auto_t *made = NULL;
	const char *message;
	struct kind *kind;

	if (!kinds->items)
		kinds->items = calloc(KINDS_MAX, sizeof(*kinds->items));
	if (!kinds->items || kinds->cnt == KINDS_MAX)
		return NULL;
	made = json_loadb(line->text, line->len, 0, NULL);
	message = json_string_value(json_object_get(made, "message"));
	if (!message)
		return NULL;
	kind = &kinds->items[kinds->cnt];
	*kind = (struct kind){
		.policy = event->policy,
		.rule = event->rule,
		.op = event->op,
		.reason = event->reason,
		.message = strdup(message),
	};
	if (!kind->message)
		return NULL;
	kinds->cnt++;
	return kind;
}

const char *kinds_count(struct kinds *kinds, const struct event *event, uint64_t cnt,
			const struct line *line)
{
	struct kind *known = find(kinds, event), *kind = known ? known : add(kinds, event, line);

	if (kind)
		kind->cnt += cnt;
	else
		kinds->others += cnt;
	return kind && !known ? kind->message : NULL;
}

json_t *kinds_report(const struct kinds *kinds)
{
	json_t *list = json_array();
	bool ok = list;

	for (size_t i = 0; ok && i < kinds->cnt; i++)
		ok = !json_array_append_new(list, json_pack("{s:s, s:I}", "message",
							    kinds->items[i].message, "count",
							    (json_int_t)kinds->items[i].cnt));
	if (ok && kinds->others)
		ok = !json_array_append_new(
			list, json_pack("{s:I}", "count", (json_int_t)kinds->others));
	if (ok)
		return list;
	json_decref(list);
	return NULL;
}

void kinds_free(struct kinds *kinds)
{
	for (size_t i = 0; i < kinds->cnt; i++)
		free(kinds->items[i].message);
	free(kinds->items);
	*kinds = (struct kinds){ 0 };
}
