// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a command takes; see command.h. */
#include "cmd/command.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_row help_row = {
	.kind = OPTION_IS_FLAG,
	.letter = 'h',
	.name = "help",
	.help = "this text",
};

static const struct option_row no_rows[] = { OPTION_END };

static const struct option_row *rows_of(const struct command *command)
{
	return command->rows ? command->rows : no_rows;
}

/* --- errors ----------------------------------------------------------------------------------- */

static void print_error(const struct command *command, const char *fmt, va_list ap)
{
	fprintf(stderr, "jobcage %s: ", command->name);
	vfprintf(stderr, fmt, ap);
}

void command_error(const struct command *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(command, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int command_misused(const struct command *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(command, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; 'jobcage %s --help' says more\n", command->name);
	return command->usage_status;
}

/* --- standard output -------------------------------------------------------------------------- */

bool command_printed(const struct command *command)
{
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	command_error(command, "cannot write to standard output: %s", strerror(errno));
	return false;
}

bool command_has_colour(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}

/* --- the help --------------------------------------------------------------------------------- */

/* The lines of a text, each behind what is to stand before it. */
static void print_lines(const char *text, const char *before_first, const char *before_rest)
{
	const char *before = before_first;
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		printf("%s%.*s\n", before, (int)len, text);
		before = before_rest;
	}
}

static int label_width(const struct option_row *row)
{
	return strlen(row->name) + (row->value ? 1 + strlen(row->value) : 0);
}

static int widest_label(const struct option_row *row)
{
	int width = label_width(&help_row);

	for (; row->kind; row++)
		if (row->name && label_width(row) > width)
			width = label_width(row);
	return width;
}

static void print_row(const struct option_row *row, int width)
{
	char margin[80];

	if (row->kind == OPTION_IS_HEADING) {
		print_lines(row->help, "\n", "");
		return;
	}
	printf(row->letter ? "  -%c, " : "      ", row->letter);
	printf("--%s%s%-*s", row->name, row->value ? " " : "",
	       width - (int)strlen(row->name) - !!row->value, row->value ? row->value : "");
	snprintf(margin, sizeof(margin), "%*s", width + 10, "");
	print_lines(row->help, "  ", margin);
}

/* --help comes behind the options that have no heading. */
static void print_rows(const struct option_row *row)
{
	int width = widest_label(row);

	for (; row->kind && row->kind != OPTION_IS_HEADING; row++)
		print_row(row, width);
	print_row(&help_row, width);
	for (; row->kind; row++)
		print_row(row, width);
}

static int print_help(const struct command *command)
{
	char first[64], rest[64];

	snprintf(first, sizeof(first), "Usage: jobcage %s ", command->name);
	snprintf(rest, sizeof(rest), "       jobcage %s ", command->name);
	print_lines(command->synopsis, first, rest);
	print_lines(command->about, "", "");
	putchar('\n');
	print_rows(rows_of(command));
	putchar('\n');
	print_lines(command->notes, "", "");
	return command_printed(command) ? 0 : command->usage_status;
}

/* --- parsing ---------------------------------------------------------------------------------- */

/*
 * The table as getopt_long() wants it. The value of an option that is given by name is FIRST and
 * its row's index; --help comes behind the rows.
 */
#define FIRST 256
#define HELP (FIRST + OPTION_ROWS_MAX)

struct getopt_table {
	struct option names[OPTION_ROWS_MAX + 2];
	char letters[2 * (OPTION_ROWS_MAX + 2) + 1];
};

static void fill_table(const struct command *command, struct getopt_table *table)
{
	const struct option_row *rows = rows_of(command);
	struct option *name = table->names;
	char *letter = table->letters;

	if (command->ends_at_word)
		*letter++ = '+';
	*letter++ = ':'; /* a value that is missing is told apart */
	*letter++ = help_row.letter;
	*name++ = (struct option){ help_row.name, no_argument, NULL, HELP };
	for (int i = 0; rows[i].kind; i++) {
		assert(i < OPTION_ROWS_MAX);
		if (rows[i].kind == OPTION_IS_HEADING)
			continue;
		*name++ = (struct option){ rows[i].name,
					   rows[i].value ? required_argument : no_argument, NULL,
					   FIRST + i };
		if (rows[i].letter)
			*letter++ = rows[i].letter;
		if (rows[i].letter && rows[i].value)
			*letter++ = ':';
	}
}

static const struct option_row *find_row(const struct command *command, int value)
{
	const struct option_row *row = rows_of(command);

	if (value == HELP || value == help_row.letter)
		return &help_row;
	if (value >= FIRST)
		return row + (value - FIRST);
	while (row->letter != value)
		row++;
	return row;
}

static bool append(struct option_list *list, const char *name, const char *value)
{
	struct option_given *items = reallocarray(list->items, list->cnt + 1, sizeof(*list->items));

	if (!items)
		return false;
	items[list->cnt++] = (struct option_given){ name, value };
	list->items = items;
	return true;
}

static bool record(const struct option_row *row, const char *value, void *options)
{
	void *at = (char *)options + row->at;

	if (row->kind == OPTION_IS_LIST)
		return append(at, row->name, value);
	if (row->kind == OPTION_IS_WORD)
		*(const char **)at = value;
	else
		*(bool *)at = true;
	return true;
}

/* getopt's word for what it refuses: how it names the option tells what is wrong with it. */
static int refuse(const struct command *command, char **argv, int value)
{
	if (value == ':')
		return command_misused(command, "--%s wants a value",
				       find_row(command, optopt)->name);
	if (optopt >= FIRST)
		return command_misused(command, "--%s takes no value",
				       find_row(command, optopt)->name);
	if (optopt)
		return command_misused(command, "there is no option -%c", optopt);
	return command_misused(command, "there is no option %s", argv[optind - 1]);
}

/* Returns -1 to go on, or an exit status. */
static int parse_options(const struct command *command, int argc, char **argv, void *options,
			 bool *ret_is_help)
{
	struct getopt_table table = { 0 };
	int value;

	fill_table(command, &table);
	opterr = 0;
	optind = 0; /* also if a line was parsed before */
	while ((value = getopt_long(argc, argv, table.letters, table.names, NULL)) != -1) {
		if (value == '?' || value == ':')
			return refuse(command, argv, value);
		if (find_row(command, value) == &help_row)
			*ret_is_help = true;
		else if (!record(find_row(command, value), optarg, options))
			return command_misused(command, "out of memory");
	}
	return -1;
}

int command_parse(const struct command *command, int argc, char **argv, void *options,
		  char ***ret_words)
{
	bool is_help = false;
	int status = parse_options(command, argc, argv, options, &is_help);

	if (status >= 0)
		return status;
	if (is_help)
		return print_help(command);
	if (argc - optind < command->words_min)
		return command_misused(command, "an argument is missing");
	if (argc - optind > command->words_max)
		return command_misused(command, "too many arguments");
	*ret_words = argv + optind;
	return -1;
}

void option_list_free(struct option_list *list)
{
	free(list->items);
	*list = (struct option_list){ 0 };
}
