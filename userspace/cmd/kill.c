// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage kill: end a job. */
#include "cmd/ask.h"
#include "cmd/cmd.h"

static const char help_text[] =
	"Usage: jobcage kill JOB\n"
	"Ends a job: SIGKILL to each of its processes, at once.\n"
	"\n"
	"  -h, --help   this text\n"
	"\n"
	"Exit status: 0; 1 if there is no such job of yours, or the daemon cannot be asked.\n";

int cmd_kill(int argc, char **argv)
{
	struct ask_options options = {
		.command = "kill",
		.help_text = help_text,
		.args_min = 1,
		.args_max = 1,
	};
	int status = ask_parse(argc, argv, &options);
	json_auto_t *answer = NULL;

	if (status >= 0)
		return status;
	return ask(&options, "kill", json_pack("{s:s}", "job", options.args[0]), &answer);
}
