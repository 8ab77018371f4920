/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A JSON document that knows where each of its values stands.
 *
 * jansson checks the syntax and holds the values, but forgets their places once it has parsed. A
 * second scan of the same text, in step with jansson's tree, makes a node for every value with
 * its line and column, so that each later complaint can point at the very value. One pass,
 * whatever the size.
 */
#ifndef JOBCAGE_POLICY_DOCUMENT_H
#define JOBCAGE_POLICY_DOCUMENT_H

#include <jansson.h>
#include <stddef.h>

#include "base/diag.h"

#define DOCUMENT_SIZE_MAX (64UL << 20) /* bytes of one file */
#define DOCUMENT_DEPTH_MAX 32

struct place {
	unsigned int line;   /* from 1 */
	unsigned int column; /* from 1, in bytes */
};

struct node {
	const json_t *value;
	const char *key; /* of an object's member, else NULL */
	struct place key_place;
	struct place place;
	const struct node *child; /* the first entry or member, or NULL */
	const struct node *next;  /* the next one in the same list or object, or NULL */
};

struct document {
	const char *file; /* borrowed: outlives the document and all origins that name it */
	json_t *json;
	struct node *root;
};

/* A value being checked, and where complaints about it go. */
struct cursor {
	const struct document *document;
	const struct node *node;
	struct diag_list *diags;
};

/* Returns 0, or -EINVAL or -ENOMEM with what is wrong in diags. Free with document_free. */
int document_parse(const char *text, size_t len, const char *file, struct diag_list *diags,
		   struct document **ret_document);
void document_free(struct document *document);
void cleanup_document(struct document **document);

struct cursor cursor_at(const struct cursor *at, const struct node *node);
struct origin cursor_origin(const struct cursor *at);
const char *cursor_string(const struct cursor *at);

/*
 * Adds an error at the value, at its key, or anywhere; or a warning at the value. What the text quotes may come from a file
 * of unknown hands: control characters become '?', and it is cut short after a few lines' worth.
 */
void cursor_error(const struct cursor *at, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cursor_warning(const struct cursor *at, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cursor_key_error(const struct cursor *at, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void origin_error(struct diag_list *diags, struct origin origin, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
