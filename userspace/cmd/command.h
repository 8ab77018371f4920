/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a command takes: one table, by which its line is parsed and its help printed.
 *
 * Parsing records, and does nothing else: what an option stands for is done when the whole line is
 * known to be right, and not at all if --help is in it.
 *
 *     struct list_options {
 *             bool json;
 *             const char *job;
 *     };
 *
 *     static const struct option_row rows[] = {
 *             OPTION_WORD(struct list_options, job, 0, "job", "JOB", "only this job's"),
 *             OPTION_FLAG(struct list_options, json, 'j', "json", "as a JSON array"),
 *             OPTION_END,
 *     };
 */
#ifndef JOBCAGE_CMD_COMMAND_H
#define JOBCAGE_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* Rows of a table, without its end. */
#define OPTION_ROWS_MAX 16

/* Options that may be repeated, in the order of the line. */
struct option_list {
	struct option_given {
		const char *name; /* of its row */
		const char *value;
	} * items;
	size_t cnt;
};

enum option_kind {
	OPTION_IS_END,
	OPTION_IS_HEADING, /* a line of the help */
	OPTION_IS_FLAG,    /* into a bool */
	OPTION_IS_WORD,    /* into a const char *; the last one counts */
	OPTION_IS_LIST,    /* into a struct option_list, which rows may share */
};

struct option_row {
	enum option_kind kind;
	char letter;       /* 0: it has none */
	const char *name;  /* without the dashes */
	const char *value; /* what the help calls its value; NULL: it takes none */
	const char *help;  /* lines, with '\n' between */
	size_t at;         /* in the command's struct of options */
};

/* Where a member is, which must be of that type. */
#define OPTION_AT(type, member, wanted)                                                           \
	(offsetof(type, member) +                                                                 \
	 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((type *)NULL)->member), wanted) \
				 ? 1                                                              \
				 : -1]))

#define OPTION_FLAG(type, member, letter, name, help)                                   \
	{                                                                               \
		OPTION_IS_FLAG, letter, name, NULL, help, OPTION_AT(type, member, bool) \
	}
#define OPTION_WORD(type, member, letter, name, value, help)                                     \
	{                                                                                        \
		OPTION_IS_WORD, letter, name, value, help, OPTION_AT(type, member, const char *) \
	}
#define OPTION_LIST(type, member, letter, name, value, help)        \
	{                                                           \
		OPTION_IS_LIST, letter, name, value, help,          \
			OPTION_AT(type, member, struct option_list) \
	}
#define OPTION_HEADING(text)                            \
	{                                               \
		.kind = OPTION_IS_HEADING, .help = text \
	}
#define OPTION_END                    \
	{                             \
		.kind = OPTION_IS_END \
	}

struct command {
	const char *name;              /* "policy check": as it is called after "jobcage" */
	const char *synopsis;          /* what follows the name; lines are other ways to call it */
	const char *about;             /* what it does; lines, as those below */
	const struct option_row *rows; /* --help is not among them; NULL: no others */
	const char *notes;             /* what is to be said after the options */
	int words_min, words_max;      /* besides the options */
	bool ends_at_word;             /* options after the first word are not the command's own */
	int usage_status;              /* exit status of wrong usage */
};

/*
 * Records the options of a line in the command's struct, which is zeroed or has its defaults, and
 * what is left in *ret_words, up to a NULL. Returns -1 to go on, or an exit status, after the help or
 * what is wrong has been printed. Lists are to be freed in any case.
 */
int command_parse(const struct command *command, int argc, char **argv, void *options,
		  char ***ret_words);

void option_list_free(struct option_list *list);

/* Prints 'jobcage NAME: ' and the sentence, to standard error. */
void command_error(const struct command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for wrong usage, and that --help says more. Returns the exit status of that. */
int command_misused(const struct command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* --- standard output -------------------------------------------------------------------------- */

/* Whether standard output has taken all that was printed; says so if it has not. */
bool command_printed(const struct command *command);

/* Whether to print in colour: to a terminal that shows it, unless NO_COLOR is set. */
bool command_has_colour(void);

#endif
