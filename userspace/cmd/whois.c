// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage whois: which job a process belongs to. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

static const char help_text[] =
	"Usage: jobcage whois [--json] PID\n"
	"Says which job a process belongs to, by the label in the kernel that it cannot shed: for\n"
	"workload attestors.\n"
	"\n"
	"  -j, --json   as a JSON object\n"
	"  -h, --help   this text\n"
	"\n"
	"Exit status: 0; 1 if it is in no job (of yours), or the daemon cannot be asked.\n";

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
	struct ask_options options = {
		.command = "whois",
		.help_text = help_text,
		.args_min = 1,
		.args_max = 1,
		.has_json = true,
	};
	int status = ask_parse(argc, argv, &options);
	json_auto_t *answer = NULL;
	long pid;

	if (status >= 0)
		return status;
	pid = parse_pid(options.args[0]);
	if (!pid) {
		fprintf(stderr, "jobcage whois: '%s' is no process id\n", options.args[0]);
		return EXIT_USAGE;
	}
	status = ask(&options, "whois", json_pack("{s:I}", "pid", (json_int_t)pid), &answer);
	if (status)
		return status;
	if (options.json)
		return ask_print_json(answer);
	printf("%s  policy %s (%.12s), user %s\n", ask_text(answer, "job"),
	       ask_text(answer, "policy"), ask_text(answer, "digest"), ask_text(answer, "user"));
	return 0;
}
