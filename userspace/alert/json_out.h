/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes JSON as text, without building it first: an event has a hundred members, and a tree of
 * them costs ten times as much as what it says.
 *
 * Commas come by themselves. What fails, for want of memory or because a string is no UTF-8, is
 * remembered, and out_finish() tells; nothing else need be looked at. key: a constant of letters
 * and '_', or NULL in a list and at the top.
 */
#ifndef JOBCAGE_ALERT_JSON_OUT_H
#define JOBCAGE_ALERT_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct json_out {
	char *text; /* owned */
	size_t len, room;
	int error;      /* 0 or the first -errno */
	bool is_spaced; /* for people: a blank behind each comma and colon */
	bool is_short;  /* names lose their middle that are longer than OUT_SHORT_MAX bytes */
};

#define OUT_SHORT_MAX 256

/*
 * What the rest is made of: bytes; and the comma, if something stands before, the key and the first
 * bytes of its value, in one go.
 */
void out_bytes(struct json_out *out, const char *bytes, size_t len);
void out_member(struct json_out *out, const char *key, size_t key_len, const char *bytes,
		size_t len);

/* Here, so that the compiler knows how long constants are. */
static inline void out_begin(struct json_out *out, const char *key, const char *opening)
{
	out_member(out, key, key ? strlen(key) : 0, opening, strlen(opening));
}

static inline void out_open(struct json_out *out, const char *key)
{
	out_begin(out, key, "{");
}

static inline void out_close(struct json_out *out)
{
	out_bytes(out, "}", 1);
}

static inline void out_open_list(struct json_out *out, const char *key)
{
	out_begin(out, key, "[");
}

static inline void out_close_list(struct json_out *out)
{
	out_bytes(out, "]", 1);
}

static inline void out_bool(struct json_out *out, const char *key, bool value)
{
	out_begin(out, key, value ? "true" : "false");
}

void out_int(struct json_out *out, const char *key, int64_t value);
void out_add_uint(struct json_out *out, uint64_t value);

/* A string that is put together between these two, of constants, numbers and names. */
static inline void out_begin_string(struct json_out *out, const char *key)
{
	out_begin(out, key, "\"");
}

static inline void out_end_string(struct json_out *out)
{
	out_bytes(out, "\"", 1);
}

static inline void out_add(struct json_out *out, const char *word)
{
	out_bytes(out, word, strlen(word));
}

/* A constant of ours, which has nothing to escape. */
static inline void out_word(struct json_out *out, const char *key, const char *word)
{
	out_begin_string(out, key);
	out_add(out, word);
	out_end_string(out);
}

/* How a name stands in a sentence: as text_escape(), text_quote() or text_quote_always() has it. */
enum out_quotes {
	QUOTES_NEVER,
	QUOTES_IF_NEEDED,
	QUOTES_ALWAYS,
};

void out_add_string(struct json_out *out, const char *text); /* as out_string() */
void out_add_name(struct json_out *out, const char *raw, enum out_quotes quotes);
/* As printf() does, of numbers and constants: nothing is escaped. At most 255 bytes. */
__attribute__((format(printf, 2, 3))) void out_addf(struct json_out *out, const char *format, ...);

/* Text that is ready but for JSON's own escapes: UTF-8. */
void out_string(struct json_out *out, const char *key, const char *text);

/* Names of a job: any bytes, escaped as text_escape() does. Nothing if raw is NULL. */
void out_text(struct json_out *out, const char *key, const char *raw);
/* The same of its first len bytes. */
void out_text_span(struct json_out *out, const char *key, const char *raw, size_t len);

/* Something else went wrong: no more is written. */
void out_fail(struct json_out *out, int error);

/* Returns 0 or what went wrong first. The text ends with NUL then. */
int out_finish(struct json_out *out);
void out_free(struct json_out *out);

#endif
