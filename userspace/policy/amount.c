// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts, durations and sizes; see value.h.
 *
 * Numbers are whole, without sign, blanks or leading zeros. The arithmetic saturates, so that what
 * is too large to be counted is too large for every limit as well.
 */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "policy/value.h"

#define SECOND_MS 1000ULL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

struct unit {
	const char *name;
	uint64_t factor;
};

/* In the order in which they are written. */
static const struct unit duration_units[] = {
	{ "d", DAY_MS },
	{ "h", HOUR_MS },
	{ "m", MINUTE_MS },
	{ "s", SECOND_MS },
};

static const struct unit size_units[] = {
	{ "B", 1 },
	{ "kB", 1000ULL },
	{ "MB", 1000ULL * 1000 },
	{ "GB", 1000ULL * 1000 * 1000 },
	{ "TB", 1000ULL * 1000 * 1000 * 1000 },
	{ "KiB", 1ULL << 10 },
	{ "MiB", 1ULL << 20 },
	{ "GiB", 1ULL << 30 },
	{ "TiB", 1ULL << 40 },
};

static uint64_t times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

bool number_take(const char **text, uint64_t *ret_number)
{
	size_t len = strspn(*text, "0123456789");
	uint64_t number = 0;

	if (!len || (len > 1 && **text == '0'))
		return false;
	for (; len; len--)
		number = plus(times(number, 10), (uint64_t)(*(*text)++ - '0'));
	*ret_number = number;
	return true;
}

bool value_count(const struct cursor *at, uint64_t max, uint64_t *ret_count)
{
	json_int_t count = json_integer_value(at->node->value);

	if (count >= 1 && (uint64_t)count <= max) {
		*ret_count = (uint64_t)count;
		return true;
	}
	cursor_error(at, "'%s' must be 1 to %llu", at->node->key, (unsigned long long)max);
	return false;
}

/* What the amount at a cursor comes to, once it is known to be well written. */
static bool check_amount(const struct cursor *at, uint64_t amount, uint64_t max,
			 const char *max_text)
{
	if (!amount)
		cursor_error(at, "'%s' is nothing at all; leave '%s' out where there is to be no "
				 "limit", cursor_string(at), at->node->key);
	else if (amount > max)
		cursor_error(at, "'%s' is too much: at most %s", cursor_string(at), max_text);
	return amount && amount <= max;
}

/* Each unit at most once, in the order of the table. */
static bool parse_duration(const char *text, uint64_t *ret_ms)
{
	size_t i = 0, cnt = ARRAY_SIZE(duration_units);
	uint64_t total = 0, number;

	do {
		if (!number_take(&text, &number))
			return false;
		while (i < cnt && *duration_units[i].name != *text)
			i++;
		if (i == cnt)
			return false;
		total = plus(total, times(number, duration_units[i++].factor));
	} while (*++text);
	*ret_ms = total;
	return true;
}

bool value_duration(const struct cursor *at, uint64_t max_ms, uint64_t *ret_ms)
{
	char max_text[32];
	uint64_t ms;

	if (!parse_duration(cursor_string(at), &ms)) {
		cursor_error(at, "bad duration '%s'; write it like \"90s\", \"15m\", \"24h\", "
				 "\"7d\" or \"1h30m\"", cursor_string(at));
		return false;
	}
	snprintf(max_text, sizeof(max_text), "%llud", (unsigned long long)(max_ms / DAY_MS));
	if (!check_amount(at, ms, max_ms, max_text))
		return false;
	*ret_ms = ms;
	return true;
}

static const struct unit *find_size_unit(const char *name,
					 int (*compare)(const char *a, const char *b))
{
	for (size_t i = 0; i < ARRAY_SIZE(size_units); i++) {
		if (!compare(size_units[i].name, name))
			return &size_units[i];
	}
	return NULL;
}

/* Whether a 'k' means 1000 or 1024 is the first thing to get wrong, so nothing is guessed. */
static void report_size(const struct cursor *at, const char *number_end)
{
	const char *text = cursor_string(at);
	const struct unit *near = find_size_unit(number_end, strcasecmp);

	if (near && number_end > text)
		cursor_error(at, "bad size '%s'; did you mean \"%.*s%s\"?", text,
			     (int)(number_end - text), text, near->name);
	else
		cursor_error(at, "bad size '%s'; write it like \"512MiB\" or \"20GB\": a whole "
				 "number and B, kB, MB, GB, TB, KiB, MiB, GiB or TiB", text);
}

bool value_size(const struct cursor *at, uint64_t *ret_bytes)
{
	const char *text = cursor_string(at);
	const struct unit *unit = NULL;
	uint64_t number = 0;

	if (number_take(&text, &number))
		unit = find_size_unit(text, strcmp);
	if (!unit) {
		report_size(at, text);
		return false;
	}
	number = times(number, unit->factor);
	if (!check_amount(at, number, INT64_MAX, "8388607TiB"))
		return false;
	*ret_bytes = number;
	return true;
}
