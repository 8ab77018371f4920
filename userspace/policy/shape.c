// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Objects against their tables; see shape.h. */
#include "policy/shape.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/nearest.h"

#define KEYS_TEXT_MAX 256

static const struct {
	unsigned int kind;
	const char *name;
} kind_names[] = {
	{ KIND_OBJECT, "an object" },   { KIND_LIST, "a list" },
	{ KIND_STRING, "a string" },    { KIND_INTEGER, "a whole number" },
	{ KIND_BOOLEAN, "true or false" },
};

static unsigned int kind_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return KIND_OBJECT;
	case JSON_ARRAY:
		return KIND_LIST;
	case JSON_STRING:
		return KIND_STRING;
	case JSON_INTEGER:
		return KIND_INTEGER;
	case JSON_TRUE:
	case JSON_FALSE:
		return KIND_BOOLEAN;
	default:
		return 0;
	}
}

static const char *type_name(const json_t *value)
{
	unsigned int kind = kind_of(value);

	if (json_is_null(value))
		return "null";
	if (json_is_real(value))
		return "a fraction";
	if (kind == KIND_BOOLEAN)
		return json_is_true(value) ? "true" : "false";
	for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (kind_names[i].kind == kind)
			return kind_names[i].name;
	}
	return "something else";
}

static void append(char *text, size_t size, const char *separator, const char *word)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", len ? separator : "", word);
}

bool shape_kind(const struct cursor *at, unsigned int kinds, const char *what)
{
	char wanted[KEYS_TEXT_MAX] = "";

	if (kind_of(at->node->value) & kinds)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
		if (kinds & kind_names[i].kind)
			append(wanted, sizeof(wanted), " or ", kind_names[i].name);
	}
	if (what)
		cursor_error(at, "%s must be %s, not %s", what, wanted, type_name(at->node->value));
	else
		cursor_error(at, "'%s' must be %s, not %s", at->node->key, wanted,
			     type_name(at->node->value));
	return false;
}

static const struct field *field_by_key(const struct shape *shape, const char *key)
{
	for (size_t i = 0; i < shape->field_cnt; i++) {
		if (!strcmp(shape->fields[i].key, key))
			return &shape->fields[i];
	}
	return NULL;
}

static const char *reason_to_refuse(const struct shape *shape, const char *key)
{
	for (size_t i = 0; i < shape->refused_cnt; i++) {
		if (!strcmp(shape->refused[i].key, key))
			return shape->refused[i].reason;
	}
	return NULL;
}

static void report_unknown(const struct shape *shape, const struct cursor *at)
{
	struct nearest nearest = nearest_start(at->node->key);
	char keys[KEYS_TEXT_MAX] = "";

	for (size_t i = 0; i < shape->field_cnt; i++) {
		if (shape->fields[i].is_internal)
			continue;
		nearest_offer(&nearest, shape->fields[i].key);
		append(keys, sizeof(keys), ", ", shape->fields[i].key);
	}
	if (nearest.best)
		cursor_key_error(at, "unknown key '%s'; did you mean '%s'?", at->node->key,
				 nearest.best);
	else
		cursor_key_error(at, "unknown key '%s'; %s has: %s", at->node->key, shape->what,
				 keys);
}

static bool read_member(const struct shape *shape, const struct cursor *at,
			const struct node **ret_members)
{
	const struct field *field = field_by_key(shape, at->node->key);
	const char *reason = reason_to_refuse(shape, at->node->key);

	if (field && shape_kind(at, field->kinds, NULL)) {
		ret_members[field - shape->fields] = at->node;
		return true;
	}
	if (!field && reason)
		cursor_key_error(at, "'%s' %s", at->node->key, reason);
	else if (!field)
		report_unknown(shape, at);
	return false;
}

bool shape_has_key(const struct node *object, const char *key)
{
	for (const struct node *node = object->child; node; node = node->next) {
		if (!strcmp(node->key, key))
			return true;
	}
	return false;
}

bool shape_members(const struct shape *shape, const struct cursor *at,
		   const struct node **ret_members)
{
	struct cursor member;
	bool is_good = true;

	memset(ret_members, 0, shape->field_cnt * sizeof(*ret_members));
	if (!shape_kind(at, KIND_OBJECT, shape->what))
		return false;
	for (const struct node *node = at->node->child; node; node = node->next) {
		member = cursor_at(at, node);
		is_good &= read_member(shape, &member, ret_members);
	}
	for (size_t i = 0; i < shape->field_cnt; i++) {
		if (!shape->fields[i].is_required || shape_has_key(at->node, shape->fields[i].key))
			continue;
		cursor_error(at, "%s needs the key '%s'", shape->what, shape->fields[i].key);
		is_good = false;
	}
	return is_good;
}
