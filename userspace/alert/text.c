// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names from a job as safe text; see text.h. */
#include "alert/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct code_range {
	uint32_t lo;
	uint32_t hi;
};

/* Characters that a reader cannot see or that change how others are shown. Sorted. */
static const struct code_range misleading[] = {
	{ 0x00, 0x1f },       /* C0 controls */
	{ 0x5c, 0x5c },       /* backslash: keeps the escaping unambiguous */
	{ 0x7f, 0x9f },       /* DEL and C1 controls */
	{ 0xad, 0xad },       /* soft hyphen */
	{ 0x61c, 0x61c },     /* Arabic letter mark */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200f },   /* zero width, direction marks */
	{ 0x2028, 0x202e },   /* line and paragraph separators, bidirectional embedding */
	{ 0x2060, 0x206f },   /* word joiner, isolates, deprecated controls */
	{ 0xfe00, 0xfe0f },   /* variation selectors */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xfff0, 0xffff },   /* specials, non-characters */
	{ 0xe0000, 0xe0fff }, /* tags, variation selectors */
};

static bool is_misleading(uint32_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(misleading); i++)
		if (code >= misleading[i].lo && code <= misleading[i].hi)
			return true;
	return false;
}

static size_t sequence_len(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

/* The character at text and its length in bytes; 0 if no valid UTF-8 starts there. Stops at NUL. */
static size_t next_char(const char *text, uint32_t *ret_code)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = sequence_len((unsigned char)*text);
	uint32_t code;

	if (len == 0)
		return 0;
	code = len == 1 ? (unsigned char)*text : (unsigned char)*text & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte & 0x3f);
	}
	if (code < smallest[len] || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return 0;
	*ret_code = code;
	return len;
}

static char *put_escape(char *out, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'x';
	*out++ = digits[byte >> 4];
	*out++ = digits[byte & 15];
	return out;
}

/*
 * Every byte may become four; quote is added in front and behind if it is not NUL, and escaped
 * inside.
 */
static char *escape(const char *raw, char quote)
{
	char *text = malloc(4 * strlen(raw) + 3), *out = text;

	if (!text)
		return NULL;
	if (quote)
		*out++ = quote;
	while (*raw) {
		uint32_t code = 0;
		size_t len = next_char(raw, &code);
		bool is_safe = len && !is_misleading(code) &&
			       (!quote || code != (unsigned char)quote);

		if (is_safe)
			out = mempcpy(out, raw, len);
		for (size_t i = 0; !is_safe && i < (len ? len : 1); i++)
			out = put_escape(out, (unsigned char)raw[i]);
		raw += len ? len : 1;
	}
	if (quote)
		*out++ = quote;
	*out = '\0';
	return text;
}

char *text_escape(const char *raw)
{
	return escape(raw, '\0');
}

bool text_is_word(const char *raw)
{
	static const bool ordinary[256] = {
		['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['/'] = true,
		['.'] = true,	      ['_'] = true,	    ['-'] = true,	  ['+'] = true,
		['@'] = true,	      ['%'] = true,	    ['='] = true,	  ['~'] = true,
		['#'] = true,	      [','] = true,
	};
	size_t len = 0;

	while (ordinary[(unsigned char)raw[len]])
		len++;
	return len > 0 && !raw[len];
}

char *text_quote(const char *raw)
{
	return escape(raw, text_is_word(raw) ? '\0' : '"');
}

char *text_quote_always(const char *raw)
{
	return escape(raw, '"');
}

int text_put(FILE *out, const char *raw)
{
	_cleanup_free_ char *text = text_quote(raw);

	return text && fputs(text, out) >= 0 ? 0 : -ENOMEM;
}

char *text_finish(FILE *out, char **text, int err)
{
	bool is_whole = !ferror(out) && !err;

	is_whole = fclose(out) == 0 && is_whole;
	if (is_whole)
		return *text;
	free(*text);
	*text = NULL;
	return NULL;
}

json_t *text_json(const char *raw)
{
	_cleanup_free_ char *text = text_escape(raw);

	return text ? json_string(text) : NULL;
}

/* Most text is nothing else: what is said of one such character need not be asked. */
static const char *skip_ascii(const char *text)
{
	while (*text >= ' ' && *text < 0x7f && *text != '\\')
		text++;
	return text;
}

bool text_is_utf8(const char *raw)
{
	while (*(raw = skip_ascii(raw))) {
		uint32_t code;
		size_t len = next_char(raw, &code);

		if (len == 0)
			return false;
		raw += len;
	}
	return true;
}

bool text_is_plain(const char *raw)
{
	while (*(raw = skip_ascii(raw))) {
		uint32_t code;
		size_t len = next_char(raw, &code);

		if (len == 0 || is_misleading(code))
			return false;
		raw += len;
	}
	return true;
}
