// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * JSON with places; see document.h.
 *
 * The scanner below knows tokens, not grammar. It runs over text that jansson accepted (to place
 * every value) or refused (to find where the refused token begins: jansson only tells where it
 * ends).
 */
#include "policy/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DIAG_TEXT_MAX 480

struct scanner {
	const char *text;
	size_t len;
	size_t pos;
	size_t line_start;
	unsigned int line;
};

struct token {
	char kind; /* its first byte; 0: the end of the text, which holds no NUL */
	size_t start;
	struct place place;
};

/* Walks the text and jansson's tree together. */
struct locator {
	struct scanner scanner;
	struct node *nodes;
	size_t cnt;
};

/* Scanning */

static struct place place_of(const struct scanner *s, size_t offset)
{
	return (struct place){ s->line, (unsigned int)(offset - s->line_start) + 1 };
}

static void skip_space(struct scanner *s)
{
	for (; s->pos < s->len && strchr(" \t\r\n", s->text[s->pos]) && s->text[s->pos]; s->pos++) {
		if (s->text[s->pos] != '\n')
			continue;
		s->line++;
		s->line_start = s->pos + 1;
	}
}

/* A string that is not closed on its line is broken anyway: it ends there. */
static void skip_string(struct scanner *s)
{
	for (s->pos++; s->pos < s->len && s->text[s->pos] != '\n'; s->pos++) {
		if (s->text[s->pos] == '"') {
			s->pos++;
			return;
		}
		if (s->text[s->pos] == '\\' && s->pos + 1 < s->len && s->text[s->pos + 1] != '\n')
			s->pos++;
	}
}

static bool is_mark(char c)
{
	return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':';
}

static void skip_word(struct scanner *s)
{
	while (s->pos < s->len && !is_mark(s->text[s->pos]) &&
	       !memchr(" \t\r\n\"", s->text[s->pos], 5))
		s->pos++;
}

static struct token next_token(struct scanner *s)
{
	struct token token = { 0 };

	skip_space(s);
	token.start = s->pos;
	token.place = place_of(s, s->pos);
	if (s->pos == s->len)
		return token;
	token.kind = s->text[s->pos];
	if (token.kind == '"')
		skip_string(s);
	else if (is_mark(token.kind))
		s->pos++;
	else
		skip_word(s);
	return token;
}

static struct scanner scanner_start(const char *text, size_t len)
{
	return (struct scanner){ .text = text, .len = len, .line = 1 };
}

static struct place place_of_offset(const char *text, size_t offset)
{
	struct scanner s = scanner_start(text, offset);

	for (size_t i = 0; i < offset; i++) {
		if (text[i] != '\n')
			continue;
		s.line++;
		s.line_start = i + 1;
	}
	return place_of(&s, offset);
}

/* Errors */

static void clean_text(char *text)
{
	size_t len = strlen(text);

	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	if (len <= DIAG_TEXT_MAX)
		return;
	len = DIAG_TEXT_MAX - 3;
	while (len && ((unsigned char)text[len] & 0xc0) == 0x80) /* not amid a UTF-8 sequence */
		len--;
	memcpy(text + len, "...", 4);
}

static void report(struct diag_list *diags, enum diag_level level, struct origin origin,
		   const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0) {
		diag_add(diags, DIAG_ERROR, origin, "out of memory");
		return;
	}
	clean_text(text);
	diag_add(diags, level, origin, "%s", text);
	free(text);
}

void origin_error(struct diag_list *diags, struct origin origin, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(diags, DIAG_ERROR, origin, fmt, ap);
	va_end(ap);
}

void cursor_error(const struct cursor *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(at->diags, DIAG_ERROR, cursor_origin(at), fmt, ap);
	va_end(ap);
}

void cursor_warning(const struct cursor *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(at->diags, DIAG_WARNING, cursor_origin(at), fmt, ap);
	va_end(ap);
}

void cursor_key_error(const struct cursor *at, const char *fmt, ...)
{
	struct origin origin = { at->document->file, at->node->key_place.line,
				 at->node->key_place.column };
	va_list ap;

	va_start(ap, fmt);
	report(at->diags, DIAG_ERROR, origin, fmt, ap);
	va_end(ap);
}

struct cursor cursor_at(const struct cursor *at, const struct node *node)
{
	return (struct cursor){ at->document, node, at->diags };
}

struct origin cursor_origin(const struct cursor *at)
{
	return (struct origin){ at->document->file, at->node->place.line, at->node->place.column };
}

const char *cursor_string(const struct cursor *at)
{
	return json_string_value(at->node->value);
}

/* Syntax errors */

/* The two most common slips of a hand used to other notations. */
static const char *syntax_hint(const struct token *last, char before)
{
	if (before == ',' && (last->kind == '}' || last->kind == ']'))
		return "; remove the comma before it";
	if (last->kind == '#' || last->kind == '/')
		return "; JSON has no comments";
	return "";
}

/* jansson names one of its own flags here. */
static const char *syntax_text(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a string holds \\u0000";
	default:
		return error->text;
	}
}

/* jansson stops behind the token that it could not use; people look for its beginning. */
static void report_token(const char *text, size_t len, const char *file, const json_error_t *error,
			 struct diag_list *diags)
{
	struct scanner s = scanner_start(text, len);
	struct token last = { 0 }, token;
	char before = 0;

	for (token = next_token(&s); token.kind; token = next_token(&s)) {
		if (token.start >= (size_t)error->position)
			break;
		before = last.kind;
		last = token;
	}
	origin_error(diags, (struct origin){ file, last.place.line, last.place.column },
		     "not JSON: %s%s", syntax_text(error), syntax_hint(&last, before));
}

static bool has_token_place(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_invalid_utf8:
	case json_error_premature_end_of_input:
	case json_error_out_of_memory:
		return false;
	default:
		return error->position > 0;
	}
}

static int report_syntax(const char *text, size_t len, const char *file, const json_error_t *error,
			 struct diag_list *diags)
{
	size_t offset = error->position > 0 ? (size_t)error->position : 0;
	struct place place = place_of_offset(text, offset < len ? offset : len);

	if (has_token_place(error)) {
		report_token(text, len, file, error, diags);
		return -EINVAL;
	}
	origin_error(diags, (struct origin){ file, place.line, place.column }, "not JSON: %s",
		     error->text);
	return json_error_code(error) == json_error_out_of_memory ? -ENOMEM : -EINVAL;
}

/* Nothing to parse, or nothing to scan as text. */
static int check_text(const char *text, size_t len, const char *file, struct diag_list *diags)
{
	struct scanner s = scanner_start(text, len);
	const char *nul = memchr(text, '\0', len);
	struct place place;

	if (!nul && next_token(&s).kind)
		return 0;
	place = nul ? place_of_offset(text, (size_t)(nul - text)) : (struct place){ 1, 1 };
	origin_error(diags, (struct origin){ file, place.line, place.column }, "%s",
		     nul ? "not JSON: a NUL byte" : "empty, where a JSON object is expected");
	return -EINVAL;
}

/* Also keeps every recursion over the tree shallow. */
static int check_depth(const char *text, size_t len, const char *file, struct diag_list *diags)
{
	struct scanner s = scanner_start(text, len);
	size_t depth = 0;

	for (struct token token = next_token(&s); token.kind; token = next_token(&s)) {
		if (token.kind == '{' || token.kind == '[')
			depth++;
		else if ((token.kind == '}' || token.kind == ']') && depth)
			depth--;
		if (depth <= DOCUMENT_DEPTH_MAX)
			continue;
		origin_error(diags, (struct origin){ file, token.place.line, token.place.column },
			     "nested more than %d levels deep", DOCUMENT_DEPTH_MAX);
		return -EINVAL;
	}
	return 0;
}

/* Places */

static size_t node_cnt(const json_t *value)
{
	size_t cnt = 1, i;
	const char *key;
	json_t *entry;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, entry)
			cnt += node_cnt(entry);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, entry)
			cnt += node_cnt(entry);
	}
	return cnt;
}

static struct node *locate(struct locator *l, const json_t *value);

static void locate_entries(struct locator *l, struct node *parent)
{
	const struct node **link = &parent->child;
	struct node *node;
	json_t *entry;
	size_t i;

	json_array_foreach(parent->value, i, entry) {
		node = locate(l, entry);
		*link = node;
		link = &node->next;
		next_token(&l->scanner); /* , or ] */
	}
	if (!json_array_size(parent->value))
		next_token(&l->scanner);
}

/* jansson keeps members in the order of the text. */
static void locate_members(struct locator *l, struct node *parent)
{
	const struct node **link = &parent->child;
	struct token token;
	struct node *node;
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)parent->value, key, member) {
		token = next_token(&l->scanner);
		next_token(&l->scanner); /* : */
		node = locate(l, member);
		node->key = key;
		node->key_place = token.place;
		*link = node;
		link = &node->next;
		next_token(&l->scanner); /* , or } */
	}
	if (!json_object_size(parent->value))
		next_token(&l->scanner);
}

static struct node *locate(struct locator *l, const json_t *value)
{
	struct token token = next_token(&l->scanner);
	struct node *node = &l->nodes[l->cnt++];

	node->value = value;
	node->place = token.place;
	if (json_is_object(value))
		locate_members(l, node);
	else if (json_is_array(value))
		locate_entries(l, node);
	return node;
}

static int place_nodes(struct document *document, const char *text, size_t len)
{
	struct locator l = { .scanner = scanner_start(text, len) };

	l.nodes = calloc(node_cnt(document->json), sizeof(*l.nodes));
	if (!l.nodes)
		return -ENOMEM;
	document->root = locate(&l, document->json);
	return 0;
}

/* The document */

void document_free(struct document *document)
{
	if (!document)
		return;
	json_decref(document->json);
	free(document->root); /* the first of the one array that holds them all */
	free(document);
}

void cleanup_document(struct document **document)
{
	document_free(*document);
}

static int out_of_memory(const char *file, struct diag_list *diags)
{
	origin_error(diags, (struct origin){ .file = file }, "out of memory");
	return -ENOMEM;
}

int document_parse(const char *text, size_t len, const char *file, struct diag_list *diags,
		   struct document **ret_document)
{
	_cleanup_(cleanup_document) struct document *document = NULL;
	json_error_t error;
	int err;

	err = check_text(text, len, file, diags);
	if (!err)
		err = check_depth(text, len, file, diags);
	if (err)
		return err;
	document = calloc(1, sizeof(*document));
	if (!document)
		return out_of_memory(file, diags);
	document->file = file;
	document->json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!document->json)
		return report_syntax(text, len, file, &error, diags);
	if (place_nodes(document, text, len))
		return out_of_memory(file, diags);
	*ret_document = TAKE_PTR(document);
	return 0;
}
