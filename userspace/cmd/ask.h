/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the commands share that ask the daemon one thing and print the answer.
 */
#ifndef JOBCAGE_CMD_ASK_H
#define JOBCAGE_CMD_ASK_H

#include <jansson.h>
#include <stdbool.h>

/* Exit statuses of those commands. */
#define EXIT_REFUSED 1 /* the daemon refuses, or there is none */
#define EXIT_USAGE 2

struct ask_options {
	const char *command;
	const char *help_text;
	int args_min, args_max; /* words besides the options */
	bool has_json;          /* takes --json */
	bool has_quiet;         /* takes --quiet */
	bool json, quiet;       /* results: they were given */
	char **args;            /* result */
	int arg_cnt;
};

/* Parses the command line. Returns -1 to go on, or an exit status. */
int ask_parse(int argc, char **argv, struct ask_options *options);

/*
 * Asks the daemon (members are taken over). Returns 0 and the answer (decref it), or the exit
 * status after it has said why not.
 */
int ask(const struct ask_options *options, const char *op, json_t *members, json_t **ret_answer);

/* Prints a value as JSON for a script, with a newline. Returns an exit status. */
int ask_print_json(const json_t *value);

/* A member as text that a terminal survives, "-" if it is absent. */
const char *ask_text(const json_t *object, const char *key);

#endif
