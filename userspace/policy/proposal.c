// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Pieces of policies into one; see proposal.h. */
#include "policy/proposal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *one = json_object_get(a, key), *other = json_object_get(b, key);

	return one && other ? json_equal(one, other) : one == other;
}

/* Two entries of a list that speak of the same thing. */
static bool is_about_same(const json_t *a, const json_t *b)
{
	static const char *const keys[] = { "path", "name", "cidr", "protocol" };

	if (!json_is_object(a) || !json_is_object(b))
		return json_equal(a, b);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!is_same(a, b, keys[i]))
			return false;
	return true;
}

static json_t *find_same(const json_t *list, const json_t *entry)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item) if (is_about_same(item, entry)) return item;
	return NULL;
}

static bool is_number_before(const json_t *a, const json_t *b)
{
	return json_is_integer(a) && json_is_integer(b) &&
	       json_integer_value(a) < json_integer_value(b);
}

/* Ports in their order; of others each behind what is there. */
static int insert(json_t *list, json_t *entry)
{
	size_t i = 0;

	while (i < json_array_size(list) && !is_number_before(entry, json_array_get(list, i)))
		i++;
	return json_array_insert(list, i, entry) ? -ENOMEM : 0;
}

static int add_to_list(json_t *list, const json_t *piece)
{
	size_t i;
	json_t *entry, *copy;
	int err = 0;

	json_array_foreach(piece, i, entry)
	{
		json_t *same = find_same(list, entry);

		if (same && json_is_object(same)) {
			err = proposal_add(same, entry);
		} else if (!same) {
			copy = json_deep_copy(entry);
			err = copy ? insert(list, copy) : -ENOMEM;
			json_decref(copy);
		}
		if (err)
			return err;
	}
	return 0;
}

static bool is_word(const json_t *value, const char *word)
{
	return json_is_string(value) && !strcmp(json_string_value(value), word);
}

/* A word in place of another: "write" is more than "read", and "read" is no reason to take it back. */
static int set(json_t *proposal, const char *key, json_t *value)
{
	if (!strcmp(key, "access") && is_word(json_object_get(proposal, key), "write"))
		return 0;
	return json_object_set_new(proposal, key, json_deep_copy(value)) ? -ENOMEM : 0;
}

int proposal_add(json_t *proposal, const json_t *piece)
{
	const char *key;
	json_t *value;
	int err;

	json_object_foreach((json_t *)piece, key, value)
	{
		json_t *there = json_object_get(proposal, key);

		if (there && json_typeof(there) != json_typeof(value))
			return -EINVAL;
		if (json_is_array(there))
			err = add_to_list(there, value);
		else if (json_is_object(there))
			err = proposal_add(there, value);
		else
			err = set(proposal, key, value);
		if (err)
			return err;
	}
	return 0;
}
