/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names from a job as text that JSON can carry and a terminal survives.
 *
 * A name is any bytes. It becomes UTF-8 in which every byte that could mislead stands as \xNN (two
 * lower-case hex digits): bytes that are no valid UTF-8, control characters (C0, DEL, C1),
 * characters that are invisible or reorder what follows (zero width, line and paragraph separators,
 * bidirectional controls, tags), and the backslash itself. So every backslash starts an escape, and
 * replacing each \xNN by its byte gives back the name exactly.
 */
#ifndef JOBCAGE_ALERT_TEXT_H
#define JOBCAGE_ALERT_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* raw escaped as above. A new string, or NULL when out of memory. */
char *text_escape(const char *raw);

/*
 * For sentences: the same, and in double quotes (with '"' as \x22) if raw is empty or has a sign
 * that could be taken for part of the sentence. A new string, or NULL when out of memory.
 */
char *text_quote(const char *raw);
char *text_quote_always(const char *raw);

/* Whether text_quote() would leave raw as it is, byte by byte. */
bool text_is_word(const char *raw);

/* Prints raw as text_quote() gives it. 0 or -ENOMEM. */
int text_put(FILE *out, const char *raw);

/*
 * Ends a stream of open_memstream() that writes to *text. err is what the writing came to so far.
 * Returns the text, or NULL (and frees it) if err is not 0 or memory ran out.
 */
char *text_finish(FILE *out, char **text, int err);

/* text_escape() as a JSON string: a new reference, or NULL when out of memory. */
json_t *text_json(const char *raw);

/* Whether raw can stand in a policy: valid UTF-8, whatever its characters. */
bool text_is_utf8(const char *raw);

/* Whether text_escape() would leave raw as it is. */
bool text_is_plain(const char *raw);

#endif
