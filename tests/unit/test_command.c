// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * command: what a line gives, what is refused of it and how, and the help that comes of the same
 * table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio_ext.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/command.h"
#include "command_fixture.h"
#include "policy_fixture.h"

#define HINT "; 'jobcage two words --help' says more\n"

struct options {
	const char *file;
	bool quiet, loud;
	struct option_list ports;
};

static const struct option_row rows[] = {
	OPTION_WORD(struct options, file, 'f', "file", "FILE", "from there\n(default: nowhere)"),
	OPTION_FLAG(struct options, quiet, 'q', "quiet", "say little"),
	OPTION_HEADING("For others:"),
	OPTION_LIST(struct options, ports, 'p', "port", "N", "one more"),
	OPTION_LIST(struct options, ports, 0, "range", "N", "more at once"),
	OPTION_FLAG(struct options, loud, 0, "loud", "say much"),
	OPTION_END,
};

static struct command command;

/* What the last line gave. */
static struct options options;
static char **words;
static int status;

static int parse(int argc, char **argv)
{
	words = NULL;
	status = command_parse(&command, argc, argv, &options, &words);
	return status;
}

static int setup(void **state)
{
	command = (struct command){
		.name = "two words",
		.synopsis = "[OPTION...] WORD\n--loud",
		.about = "Says something.\nMore than once.",
		.rows = rows,
		.notes = "Exit status: 7 for wrong usage.",
		.words_max = 2,
		.usage_status = 7,
	};
	options = (struct options){ 0 };
	return enter_folder(state);
}

static int teardown(void **state)
{
	option_list_free(&options.ports);
	return leave_folder(state);
}

/* A line that is right: words is what is left of it. The array has to live on for that. */
#define GIVE(...)                                              \
	char *line[] = { (char *)"words", __VA_ARGS__, NULL }; \
	assert_int_equal(parse(ARRAY_SIZE(line) - 1, line), -1)

#define REFUSE(text, ...)                                                                      \
	expect(run_command(parse, (const char *const[]){ "words", __VA_ARGS__, NULL }), 7, "", \
	       "jobcage two words: " text HINT)

static void gives_nothing(void **state)
{
	char *line[] = { (char *)"words", NULL };

	(void)state;
	assert_int_equal(parse(1, line), -1);
	assert_null(options.file);
	assert_false(options.quiet || options.loud);
	assert_int_equal(options.ports.cnt, 0);
	assert_null(*words);
}

static void gives_each_kind(void **state)
{
	GIVE("--file", "a", "one", "-q", "--file=b", "two");
	(void)state;
	assert_string_equal(options.file, "b"); /* the last counts */
	assert_true(options.quiet);
	assert_false(options.loud);
	assert_string_equal(words[0], "one");
	assert_string_equal(words[1], "two");
	assert_null(words[2]);
}

static void keeps_the_order_of_lists(void **state)
{
	static const char *const names[] = { "port", "range", "port" }, *const values[] = { "1",
											    "2",
											    "3" };
	GIVE("-p1", "--range", "2", "--port=3");

	(void)state;
	assert_int_equal(options.ports.cnt, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(options.ports.items[i].name, names[i]);
		assert_string_equal(options.ports.items[i].value, values[i]);
	}
}

static void leaves_what_follows_two_dashes(void **state)
{
	GIVE("-q", "--", "--loud", "-x");
	(void)state;
	assert_true(options.quiet);
	assert_false(options.loud);
	assert_string_equal(words[0], "--loud");
	assert_string_equal(words[1], "-x");
}

static void leaves_what_follows_a_word(void **state)
{
	command.ends_at_word = true;
	GIVE("-q", "one", "--loud");
	(void)state;
	assert_true(options.quiet);
	assert_false(options.loud);
	assert_string_equal(words[1], "--loud");
}

static void parses_again(void **state)
{
	gives_each_kind(state);
	options = (struct options){ 0 };
	gives_each_kind(state);
}

static void refuses(void **state)
{
	(void)state;
	REFUSE("there is no option --fil-e", "--fil-e");
	REFUSE("there is no option --nonsense=1", "--nonsense=1", "x");
	REFUSE("there is no option -x", "-qx");
	REFUSE("--file wants a value", "--file");
	REFUSE("--port wants a value", "one", "-p");
	REFUSE("--quiet takes no value", "--quiet=1");
	REFUSE("--help takes no value", "--help=1");
	REFUSE("too many arguments", "a", "b", "c");
	command.words_min = 1;
	REFUSE("an argument is missing", "-q");
	command.rows = NULL;
	REFUSE("there is no option --quiet", "--quiet", "x");
}

static const char help[] = "Usage: jobcage two words [OPTION...] WORD\n"
			   "       jobcage two words --loud\n"
			   "Says something.\n"
			   "More than once.\n"
			   "\n"
			   "  -f, --file FILE  from there\n"
			   "                   (default: nowhere)\n"
			   "  -q, --quiet      say little\n"
			   "  -h, --help       this text\n"
			   "\n"
			   "For others:\n"
			   "  -p, --port N     one more\n"
			   "      --range N    more at once\n"
			   "      --loud       say much\n"
			   "\n"
			   "Exit status: 7 for wrong usage.\n";

static void prints_its_help(void **state)
{
	static const char *const lines[][6] = {
		{ "words", "--help" },
		{ "words", "-h", "too", "many", "words" },
		{ "words", "--loud", "-p1", "-h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		expect(run_command(parse, lines[i]), 0, help, "");
		assert_null(words); /* nothing to go on with */
	}
	/* What is wrong comes first, wherever it stands. */
	REFUSE("there is no option -x", "--help", "-x");
}

static void prints_the_help_of_no_options(void **state)
{
	(void)state;
	command.rows = NULL;
	command.synopsis = "WORD";
	expect(run_command(parse, (const char *const[]){ "words", "-h", NULL }), 0,
	       "Usage: jobcage two words WORD\nSays something.\nMore than once.\n\n"
	       "  -h, --help  this text\n\nExit status: 7 for wrong usage.\n",
	       "");
}

static int complain(int argc, char **argv)
{
	command_error(&command, "%d of %s", argc, argv[0]);
	return command_misused(&command, "%s is wrong", argv[1]);
}

static void begins_with_its_name(void **state)
{
	(void)state;
	expect(run_command(complain, (const char *const[]){ "words", "a", NULL }), 7, "",
	       "jobcage two words: 2 of words\njobcage two words: a is wrong" HINT);
}

/* To standard output, or to the file that is named. */
static int print(int argc, char **argv)
{
	int out = argc > 1 ? redirect(STDOUT_FILENO, argv[1]) : -1;
	bool is_printed;

	printf("hello\n");
	is_printed = command_printed(&command);
	if (out >= 0) {
		__fpurge(stdout);
		clearerr(stdout);
		restore(STDOUT_FILENO, out);
	}
	return is_printed ? 0 : 1;
}

static void notices_what_cannot_be_written(void **state)
{
	(void)state;
	expect(run_command(print, (const char *const[]){ "words", NULL }), 0, "hello\n", "");
	expect(run_command(print, (const char *const[]){ "words", "/dev/full", NULL }), 1, "",
	       "jobcage two words: cannot write to standard output: No space left on device\n");
}

#define prepared(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		prepared(gives_nothing),
		prepared(gives_each_kind),
		prepared(keeps_the_order_of_lists),
		prepared(leaves_what_follows_two_dashes),
		prepared(leaves_what_follows_a_word),
		prepared(parses_again),
		prepared(refuses),
		prepared(prints_its_help),
		prepared(prints_the_help_of_no_options),
		prepared(begins_with_its_name),
		prepared(notices_what_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
