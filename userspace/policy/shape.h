/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shape of JSON objects, as tables: which keys they may have, of which type, and what to say
 * about others.
 *
 * shape_members() checks one object against its table and hands out its members by number, so
 * that the code that reads a policy deals with values of the right type only.
 */
#ifndef JOBCAGE_POLICY_SHAPE_H
#define JOBCAGE_POLICY_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "policy/document.h"

/* Types of values, as bits. */
#define KIND_OBJECT (1u << 0)
#define KIND_LIST (1u << 1)
#define KIND_STRING (1u << 2)
#define KIND_INTEGER (1u << 3)
#define KIND_BOOLEAN (1u << 4)

struct shape;

struct field {
	const char *key;
	unsigned int kinds;
	bool is_required;
	bool is_internal;          /* for canonical texts only: no one writes it */
	unsigned int entry_kinds;  /* KIND_LIST: the types of its entries */
	const struct shape *shape; /* of the object, or of the list's entries that are objects */
};

/* A key that is refused with a reason of its own. */
struct refused_key {
	const char *key;
	const char *reason; /* follows the quoted key: "'limits' is not ..." */
};

/* A rule that loads but does not bite is worse than none. */
#define NOT_ENFORCED "is not enforced by this version of jobcage; remove it"

/* A table and the number of its entries, as a shape wants them. */
#define FIELDS(table) (table), ARRAY_SIZE(table)

struct shape {
	const char *what; /* "a policy" */
	const struct field *fields;
	size_t field_cnt;
	const struct refused_key *refused;
	size_t refused_cnt;
};

/*
 * Finds the fields of an object: ret_members[i] is the member of shape->fields[i], or NULL if it
 * is absent or of a wrong type. Everything wrong is reported; returns whether nothing was.
 */
bool shape_members(const struct shape *shape, const struct cursor *at,
		   const struct node **ret_members);

/* Whether the object has that member, of whatever type. */
bool shape_has_key(const struct node *object, const char *key);

/* Reports a value that is of none of the types. what may be NULL: the value's own key. */
bool shape_kind(const struct cursor *at, unsigned int kinds, const char *what);

#endif
