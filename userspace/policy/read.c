// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Keys that several sections have; see read.h. */
#include "policy/read.h"

#include "policy/value.h"

bool read_id(const struct cursor *at, const struct node *node, struct rule *rule)
{
	struct cursor value = cursor_at(at, node);

	return !node || value_id(&value, &rule->id);
}

bool read_path(const struct cursor *at, const struct node *node, struct rule *rule)
{
	struct cursor value = cursor_at(at, node);

	return !node || value_path(&value, &rule->path);
}

bool read_word(const struct cursor *at, const struct node *node,
	       const struct vocabulary *vocabulary, uint8_t *ret_value)
{
	struct cursor value = cursor_at(at, node);

	return !node || value_word(&value, vocabulary, ret_value);
}

bool read_flag(const struct node *node)
{
	return node && json_is_true(node->value);
}

void read_list(struct draft *draft, const struct cursor *at, const struct node *list,
	       const struct field *field, entry_reader read, uint8_t access)
{
	struct cursor entry;

	for (const struct node *node = list ? list->child : NULL; node; node = node->next) {
		entry = cursor_at(at, node);
		if (shape_kind(&entry, field->entry_kinds,
			       field->shape ? field->shape->what : "a file name"))
			read(draft, &entry, access);
	}
}
