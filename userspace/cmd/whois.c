// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage whois: which job a process belongs to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

struct whois_options {
	bool json;
};

static const struct option_row rows[] = {
	OPTION_FLAG(struct whois_options, json, 'j', "json", "as a JSON object"),
	OPTION_END,
};

static const struct command command = {
	.name = "whois",
	.synopsis = "[--json] PID",
	.about =
		"Says which job a process belongs to, by the label in the kernel that it cannot shed: for\n"
		"workload attestors.",
	.rows = rows,
	.notes =
		"Exit status: 0; 1 if it is in no job (of yours), or the daemon cannot be asked; 2 for wrong\n"
		"usage.",
	.words_min = 1,
	.words_max = 1,
	.usage_status = EXIT_USAGE,
};

/* 0: it is none. */
static long parse_pid(const char *text)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	return errno || *end || pid < 0 ? 0 : pid;
}

int cmd_whois(int argc, char **argv)
{
	struct whois_options options = { 0 };
	char **words;
	int status = command_parse(&command, argc, argv, &options, &words);
	json_auto_t *answer = NULL;
	long pid;

	if (status >= 0)
		return status;
	pid = parse_pid(*words);
	if (!pid)
		return command_misused(&command, "'%s' is no process id", *words);
	status = ask(&command, "whois", json_pack("{s:I}", "pid", (json_int_t)pid), &answer);
	if (status)
		return status;
	if (options.json)
		return ask_print_json(&command, answer);
	printf("%s  policy %s (%.12s), user %s\n", ask_text(answer, "job"),
	       ask_text(answer, "policy"), ask_text(answer, "digest"), ask_text(answer, "user"));
	return command_printed(&command) ? 0 : EXIT_REFUSED;
}
