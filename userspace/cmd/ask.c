// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the asking commands share; see ask.h. */
#include "cmd/ask.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "daemon/client.h"

static int usage(const struct ask_options *options, const char *what)
{
	fprintf(stderr, "jobcage %s: %s; 'jobcage %s --help' says more\n", options->command, what,
		options->command);
	return EXIT_USAGE;
}

/* Returns -1 to go on, or an exit status. */
static int take_option(int c, struct ask_options *options)
{
	switch (c) {
	case 'h': fputs(options->help_text, stdout); return 0;
	case 'j':
		if (!options->has_json)
			return usage(options, "there is no option --json");
		options->json = true;
		return -1;
	case 'q':
		if (!options->has_quiet)
			return usage(options, "there is no option --quiet");
		options->quiet = true;
		return -1;
	default: return EXIT_USAGE;
	}
}

int ask_parse(int argc, char **argv, struct ask_options *options)
{
	static const struct option longopts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, status = -1;

	while (status < 0 && (c = getopt_long(argc, argv, "jqh", longopts, NULL)) != -1)
		status = take_option(c, options);
	if (status >= 0)
		return status;
	options->args = argv + optind;
	options->arg_cnt = argc - optind;
	if (options->arg_cnt < options->args_min)
		return usage(options, "an argument is missing");
	if (options->arg_cnt > options->args_max)
		return usage(options, "too many arguments");
	return -1;
}

int ask(const struct ask_options *options, const char *op, json_t *members, json_t **ret_answer)
{
	struct error err = { 0 };

	if (!client_ask(op, members, &err, ret_answer))
		return 0;
	fprintf(stderr, "jobcage %s: %s\n", options->command, err.text);
	return EXIT_REFUSED;
}

int ask_print_json(const json_t *value)
{
	int r = json_dumpf(value, stdout, JSON_INDENT(2));

	return r || putchar('\n') == EOF || fflush(stdout) ? EXIT_REFUSED : 0;
}

const char *ask_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : "-";
}
