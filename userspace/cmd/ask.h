/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the commands share that ask the daemon one thing and print the answer.
 */
#ifndef JOBCAGE_CMD_ASK_H
#define JOBCAGE_CMD_ASK_H

#include <jansson.h>

#include "base/error.h"
#include "cmd/command.h"

/* Exit statuses of those commands. */
#define EXIT_REFUSED 1 /* the daemon refuses, or there is none */
#define EXIT_USAGE 2

/*
 * Whether a word of the command line can stand in requests and alerts. Returns 0 or -EILSEQ: they are
 * JSON, which is UTF-8.
 */
int ask_check(const char *word, struct error *err);

/* Adds such a word to a request. Returns 0 or -errno. */
int ask_add(json_t *members, const char *key, const char *word, struct error *err);

/*
 * Asks the daemon (members are taken over). Returns 0 and the answer (decref it), or the exit
 * status after it has said why not.
 */
int ask(const struct command *command, const char *op, json_t *members, json_t **ret_answer);

/* The same about a job; id: NULL for all of them, where the operation can. */
int ask_about(const struct command *command, const char *op, const char *id, json_t **ret_answer);

/* Prints a value as JSON for a script, with a newline. Returns 0, or EXIT_REFUSED and has said why. */
int ask_print_json(const struct command *command, const json_t *value);

/* A member as text that a terminal survives, "-" if it is absent. */
const char *ask_text(const json_t *object, const char *key);

#endif
