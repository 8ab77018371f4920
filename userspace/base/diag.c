// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Diagnostics with their places; see diag.h. */
#include "base/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void diag_add(struct diag_list *list, enum diag_level level, struct origin origin, const char *fmt,
	      ...)
{
	struct diag *items, *item;
	va_list ap;

	if (level == DIAG_ERROR)
		list->error_cnt++;
	items = realloc(list->items, (list->cnt + 1) * sizeof(*items));
	if (!items)
		return;
	list->items = items;
	item = &items[list->cnt];
	item->level = level;
	item->origin = origin;
	item->origin.file = strdup(origin.file ? origin.file : "-");
	va_start(ap, fmt);
	if (vasprintf(&item->text, fmt, ap) < 0)
		item->text = NULL;
	va_end(ap);
	list->cnt++;
}

void diag_print(const struct diag_list *list, FILE *out)
{
	static const char
		*const level_name[] = { [DIAG_ERROR] = "error", [DIAG_WARNING] = "warning" };

	for (size_t i = 0; i < list->cnt; i++) {
		const struct diag *item = &list->items[i];

		fputs(item->origin.file ? item->origin.file : "-", out);
		if (item->origin.line)
			fprintf(out, ":%u:%u", item->origin.line, item->origin.column);
		fprintf(out, ": %s: %s\n", level_name[item->level],
			item->text ? item->text : "out of memory");
	}
}

static const struct diag *first_error(const struct diag_list *list)
{
	for (size_t i = 0; i < list->cnt; i++)
		if (list->items[i].level == DIAG_ERROR)
			return &list->items[i];
	return list->items;
}

int diag_error(const struct diag_list *list, int code, const char *what, struct error *err)
{
	const struct diag *diag = first_error(list);

	if (!diag || !diag->text)
		return error_errno(err, code, "cannot read %s", what);
	return error_set(err, code, "%s:%u:%u: %s%s", diag->origin.file, diag->origin.line,
			 diag->origin.column, diag->text,
			 list->error_cnt > 1 ? " (and more: see 'jobcage policy check')" : "");
}

void diag_free(struct diag_list *list)
{
	for (size_t i = 0; i < list->cnt; i++) {
		free((char *)list->items[i].origin.file);
		free(list->items[i].text);
	}
	free(list->items);
	*list = (struct diag_list){ 0 };
}
