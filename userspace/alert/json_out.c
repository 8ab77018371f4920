// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* JSON as text; see json_out.h. */
#include "alert/json_out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/text.h"
#include "base/cleanup.h"

/* Most events fit. */
#define ROOM_MIN 4096

/* --- bytes ------------------------------------------------------------------------------------ */

static bool grow(struct json_out *out, size_t len)
{
	size_t room = out->room ? 2 * out->room : ROOM_MIN;
	char *text;

	while (room < out->len + len)
		room *= 2;
	text = realloc(out->text, room);
	if (!text) {
		out_fail(out, -ENOMEM);
		return false;
	}
	out->text = text;
	out->room = room;
	return true;
}

/* Room for so many bytes at the end; NULL after an error. */
static inline char *reserve(struct json_out *out, size_t len)
{
	if (out->error || (out->room - out->len < len && !grow(out, len)))
		return NULL;
	return out->text + out->len;
}

void out_bytes(struct json_out *out, const char *bytes, size_t len)
{
	char *at = reserve(out, len);

	if (!at)
		return;
	memcpy(at, bytes, len);
	out->len += len;
}

void out_member(struct json_out *out, const char *key, size_t key_len, const char *bytes,
		size_t len)
{
	char *at = reserve(out, key_len + len + 6);
	char last = out->len && at ? at[-1] : '{';

	if (!at)
		return;
	if (last != '{' && last != '[') {
		*at++ = ',';
		if (out->is_spaced)
			*at++ = ' ';
	}
	if (key) {
		*at++ = '"';
		at = mempcpy(at, key, key_len);
		*at++ = '"';
		*at++ = ':';
		if (out->is_spaced)
			*at++ = ' ';
	}
	out->len = (char *)mempcpy(at, bytes, len) - out->text;
}

/* --- strings and numbers ---------------------------------------------------------------------- */

/* From the end of digits on. Returns where they begin. */
static size_t print_uint(char digits[static 21], uint64_t value)
{
	size_t at = 21;

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return at;
}

void out_add_uint(struct json_out *out, uint64_t value)
{
	char digits[21];
	size_t at = print_uint(digits, value);

	out_bytes(out, digits + at, sizeof(digits) - at);
}

void out_int(struct json_out *out, const char *key, int64_t value)
{
	char digits[21];
	size_t at = print_uint(digits, value < 0 ? -(uint64_t)value : (uint64_t)value);

	if (value < 0)
		digits[--at] = '-';
	out_member(out, key, key ? strlen(key) : 0, digits + at, sizeof(digits) - at);
}

void out_addf(struct json_out *out, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	out_add(out, text);
}

static void put_escape(struct json_out *out, unsigned char c)
{
	static const char named[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
				      ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\' };
	const char escape[] = { '\\', named[c] };

	if (named[c])
		out_bytes(out, escape, sizeof(escape));
	else
		out_addf(out, "\\u%04X", c);
}

/* What stands for itself both as text_escape() and as JSON has it: a name that has nothing else is
 * copied. */
static bool is_ordinary(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static size_t ordinary_span(const char *text)
{
	size_t len = 0;

	while (is_ordinary((unsigned char)text[len]))
		len++;
	return len;
}

void out_add_string(struct json_out *out, const char *text)
{
	if (!text_is_utf8(text))
		out_fail(out, -EILSEQ);
	while (*text) {
		size_t len = 0;

		while ((unsigned char)text[len] >= ' ' && text[len] != '"' && text[len] != '\\')
			len++;
		out_bytes(out, text, len);
		text += len;
		if (*text)
			put_escape(out, (unsigned char)*text++);
	}
}

void out_string(struct json_out *out, const char *key, const char *text)
{
	out_begin_string(out, key);
	out_add_string(out, text);
	out_end_string(out);
}

/* Of a new string, or NULL. */
static void add_new(struct json_out *out, char *text)
{
	if (text)
		out_add_string(out, text);
	else
		out_fail(out, -ENOMEM);
	free(text);
}

/* How a name begins, "...", and how it ends. */
static const char *clip(const struct json_out *out, const char *raw, char room[static OUT_SHORT_MAX])
{
	const size_t half = (OUT_SHORT_MAX - sizeof("...")) / 2;
	size_t len = out->is_short ? strlen(raw) : 0;

	if (len < OUT_SHORT_MAX)
		return raw;
	stpcpy(stpcpy(mempcpy(room, raw, half), "..."), raw + len - half);
	return room;
}

/* What needs no escape is copied: nearly all names. */
static bool is_ready(const char *raw, enum out_quotes quotes)
{
	return quotes == QUOTES_NEVER ? !raw[ordinary_span(raw)] : text_is_word(raw);
}

static void add_ready(struct json_out *out, const char *raw, enum out_quotes quotes)
{
	if (quotes == QUOTES_ALWAYS)
		out_add(out, "\\\"");
	out_add(out, raw);
	if (quotes == QUOTES_ALWAYS)
		out_add(out, "\\\"");
}

void out_add_name(struct json_out *out, const char *given, enum out_quotes quotes)
{
	static char *(*const escapes[])(const char *raw) = {
		[QUOTES_NEVER] = text_escape,
		[QUOTES_IF_NEEDED] = text_quote,
		[QUOTES_ALWAYS] = text_quote_always,
	};
	char room[OUT_SHORT_MAX];
	const char *raw = clip(out, given, room);

	if (is_ready(raw, quotes))
		add_ready(out, raw, quotes);
	else
		add_new(out, escapes[quotes](raw));
}

void out_text(struct json_out *out, const char *key, const char *raw)
{
	if (!raw)
		return;
	out_begin_string(out, key);
	out_add_name(out, raw, QUOTES_NEVER);
	out_end_string(out);
}

void out_text_span(struct json_out *out, const char *key, const char *raw, size_t len)
{
	_cleanup_free_ char *copy = strndup(raw, len);

	if (copy)
		out_text(out, key, copy);
	else
		out_fail(out, -ENOMEM);
}

/* --- the end ---------------------------------------------------------------------------------- */

void out_fail(struct json_out *out, int error)
{
	if (!out->error)
		out->error = error;
}

int out_finish(struct json_out *out)
{
	out_bytes(out, "", 1);
	if (out->error)
		return out->error;
	out->len--;
	return 0;
}

void out_free(struct json_out *out)
{
	free(out->text);
	*out = (struct json_out){ 0 };
}
