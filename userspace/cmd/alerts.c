// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage alerts: the log, for people.
 *
 * Repeats in a row are one line with their number. In a log that is followed, a row ends where
 * reading caught up with writing.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "daemon/controller.h"

#define FOLLOW_NS (200 * 1000 * 1000)

struct options {
	const char *job, *kind, *since;
	bool follow, json;

	/* What comes of the line. */
	const char *file;
	int64_t since_ms;
	bool has_colour;
};

static const struct option_row rows[] = {
	OPTION_FLAG(struct options, follow, 'f', "follow",
		    "go on as lines are written, through rotations"),
	OPTION_WORD(struct options, job, 0, "job", "JOB", "only this job's"),
	OPTION_WORD(struct options, kind, 0, "kind", "KIND",
		    "only file, exec, net, guard, job, finding or log events, or one event_code"),
	OPTION_WORD(struct options, since, 0, "since", "TIME",
		    "only later ones: 90s, 15m, 6h or 2d ago, or 2026-01-31T12:00:00Z"),
	OPTION_FLAG(struct options, json, 'j', "json", "the lines as they are"),
	OPTION_END,
};

static const struct command command = {
	.name = "alerts",
	.synopsis = "[OPTION...] [FILE]",
	.about = "Shows the log of alerts (default: what the site says, or " DEFAULT_ALERTS ").",
	.rows = rows,
	.notes = "Exit status: 0; 1 if the log cannot be read; 2 for wrong usage.",
	.words_max = 1,
	.usage_status = EXIT_USAGE,
};

/* What one line says, as far as it is shown. */
struct row {
	int64_t time_ms;
	char *job, *code, *message;
	const char *verdict; /* of a table below */
	const char *colour;
	json_int_t count;
};

/* --- rows ------------------------------------------------------------------------------------- */

static const struct {
	json_int_t action;
	const char *verdict, *colour;
} verdicts[] = {
	{ 1, "allowed", "" },
	{ 2, "DENIED", "\033[31m" },
	{ 3, "would deny", "\033[33m" },
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void set_verdict(struct row *row, const json_t *event)
{
	json_int_t action = json_integer_value(json_object_get(event, "action_id"));

	row->verdict = row->colour = "";
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (verdicts[i].action == action) {
			row->verdict = verdicts[i].verdict;
			row->colour = verdicts[i].colour;
		}
	if (!action && json_integer_value(json_object_get(event, "severity_id")) >= 3) {
		row->verdict = "LOOK";
		row->colour = "\033[35m";
	}
}

static void row_clear(struct row *row)
{
	free(row->job);
	free(row->code);
	free(row->message);
	*row = (struct row){ 0 };
}

static int fill_row(const json_t *event, struct row *row)
{
	const json_t *metadata = json_object_get(event, "metadata");

	row->time_ms = json_integer_value(json_object_get(event, "time"));
	row->count = json_integer_value(json_object_get(event, "count"));
	row->job = strdup(text_of(metadata, "correlation_uid"));
	row->code = strdup(text_of(metadata, "event_code"));
	row->message = strdup(text_of(event, "message"));
	set_verdict(row, event);
	return row->job && row->code && row->message ? 0 : -ENOMEM;
}

static bool is_same(const struct row *a, const struct row *b)
{
	return a->job && !strcmp(a->job, b->job) && !strcmp(a->code, b->code) &&
	       a->verdict == b->verdict && !strcmp(a->message, b->message);
}

/* 0: it is none. C1's, too: of U+009B some terminals make what they make of ESC and '['. */
static size_t control_len(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
		return 2;
	return c[0] < ' ' || c[0] == 0x7f;
}

/* The log escapes what could move a cursor, but the file may be anybody's. */
static void print_text(const char *text, int width)
{
	int n = 0;

	for (; *text; text++, n++) {
		size_t len = control_len(text);

		putchar(len ? '?' : *text);
		text += len > 1;
	}
	for (; n < width; n++)
		putchar(' ');
}

static void print_row(const struct options *options, const struct row *row)
{
	time_t seconds = row->time_ms / 1000;
	char when[32] = "-", count[32] = "";
	struct tm tm;

	if (!row->job)
		return;
	if (localtime_r(&seconds, &tm))
		strftime(when, sizeof(when), "%F %T", &tm);
	if (row->count > 1)
		snprintf(count, sizeof(count), "x%lld", (long long)row->count);
	printf("%s  ", when);
	print_text(*row->job ? row->job : "-", 20);
	printf("  ");
	print_text(row->code, 15);
	printf("  %s%-10s%s  %6s  ", options->has_colour ? row->colour : "", row->verdict,
	       options->has_colour && *row->colour ? "\033[0m" : "", count);
	print_text(row->message, 0);
	putchar('\n');
}

/* --- choosing --------------------------------------------------------------------------------- */

static bool is_kind(const char *code, const char *kind)
{
	size_t len = strlen(kind);

	return !strcmp(code, kind) || (!strncmp(code, kind, len) && code[len] == '_');
}

static bool is_wanted(const struct options *options, const json_t *event)
{
	const json_t *metadata = json_object_get(event, "metadata");

	if (options->job && strcmp(text_of(metadata, "correlation_uid"), options->job))
		return false;
	if (options->kind && !is_kind(text_of(metadata, "event_code"), options->kind))
		return false;
	return json_integer_value(json_object_get(event, "time")) >= options->since_ms;
}

/* Adds a line to the row, which is printed when another one begins. */
static void take_line(const struct options *options, const char *text, struct row *row)
{
	json_auto_t *event = json_loads(text, 0, NULL);
	struct row next = { 0 };

	if (!event || !is_wanted(options, event))
		return;
	if (options->json) {
		fputs(text, stdout);
		if (!strchr(text, '\n'))
			putchar('\n');
		return;
	}
	if (fill_row(event, &next)) {
		row_clear(&next);
		return;
	}
	if (is_same(row, &next)) {
		row->count += next.count;
		row_clear(&next);
		return;
	}
	print_row(options, row);
	row_clear(row);
	*row = next;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Another file has its name, or it was emptied. */
static bool was_replaced(const char *path, FILE *in)
{
	struct stat now, open;

	if (stat(path, &now) || fstat(fileno(in), &open))
		return false;
	return now.st_ino != open.st_ino || now.st_dev != open.st_dev || now.st_size < ftell(in);
}

/*
 * Of a file that was replaced the rest is read first: what was written between the last look and then.
 * *is_left: it has been.
 */
static FILE *wait_for_more(const struct options *options, FILE *in, bool *is_left)
{
	const struct timespec pause = { .tv_nsec = FOLLOW_NS };
	FILE *next = *is_left ? fopen(options->file, "re") : NULL;

	if (next) {
		fclose(in);
		*is_left = false;
		return next;
	}
	fflush(stdout);
	nanosleep(&pause, NULL);
	*is_left = was_replaced(options->file, in);
	clearerr(in);
	return in;
}

/* A line that is being written has no newline yet: it is read again, whole. */
static bool read_line(FILE *in, char **text, size_t *room)
{
	long at = ftell(in);
	ssize_t len = getline(text, room, in);

	if (len <= 0)
		return false;
	if ((*text)[len - 1] == '\n' || at < 0)
		return true;
	fseek(in, at, SEEK_SET);
	return false;
}

static int show(const struct options *options)
{
	FILE *in = fopen(options->file, "re");
	_cleanup_free_ char *text = NULL;
	struct row row = { 0 };
	bool is_left = false;
	size_t room = 0;

	if (!in) {
		command_error(&command, "cannot read %s: %s", options->file, strerror(errno));
		return EXIT_REFUSED;
	}
	while (!ferror(stdout)) {
		if (read_line(in, &text, &room)) {
			take_line(options, text, &row);
			continue;
		}
		print_row(options, &row);
		row_clear(&row);
		if (!options->follow)
			break;
		in = wait_for_more(options, in, &is_left);
	}
	fclose(in);
	return command_printed(&command) ? 0 : EXIT_REFUSED;
}

/* --- the command line ------------------------------------------------------------------------- */

static int64_t unit_ms(char unit)
{
	switch (unit) {
	case 's': return 1000;
	case 'm': return 60 * 1000;
	case 'h': return 3600 * 1000;
	case 'd': return 24 * 3600 * 1000;
	default: return 0;
	}
}

static bool parse_since(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end > text && *end && !end[1] && unit_ms(*end) && n < 100000) {
		*ret_ms = clock_ms(CLOCK_REALTIME) - (int64_t)n * unit_ms(*end);
		return true;
	}
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end || (*end && strcmp(end, "Z")))
		return false;
	*ret_ms = (int64_t)(*end ? timegm(&tm) : mktime(&tm)) * 1000;
	return true;
}

/* The log of the site. Another one in its place would be taken for it. */
static int show_site(struct options *options)
{
	struct diag_list diags = { 0 };
	struct error err = { 0 };
	struct site *site = NULL;
	int status = EXIT_REFUSED, r = site_find(NULL, &diags, &site);

	if (r) {
		diag_error(&diags, r, "the site file", &err);
		command_error(&command, "%s", err.text);
	} else {
		options->file = site && site->alerts ? site->alerts : DEFAULT_ALERTS;
		status = show(options);
	}
	diag_free(&diags);
	site_free(site);
	return status;
}

int cmd_alerts(int argc, char **argv)
{
	struct options options = { .has_colour = command_has_colour() };
	char **files;
	int status = command_parse(&command, argc, argv, &options, &files);

	if (status >= 0)
		return status;
	if (options.since && !parse_since(options.since, &options.since_ms))
		return command_misused(&command, "'%s' is no time for --since", options.since);
	options.file = *files;
	return options.file ? show(&options) : show_site(&options);
}
