// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage kill: end jobs. */
#include <limits.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

static const char help_text[] =
	"Usage: jobcage kill JOB...\n"
	"Ends jobs: SIGKILL to each of their processes, at once.\n"
	"\n"
	"  -h, --help   this text\n"
	"\n"
	"Exit status: 0; 1 if one of them is no job of yours, or the daemon cannot be asked; the others\n"
	"are ended all the same.\n";

int cmd_kill(int argc, char **argv)
{
	struct ask_options options = {
		.command = "kill",
		.help_text = help_text,
		.args_min = 1,
		.args_max = INT_MAX,
	};
	int status = ask_parse(argc, argv, &options);

	if (status >= 0)
		return status;
	status = 0;
	for (int i = 0; i < options.arg_cnt; i++) {
		json_auto_t *answer = NULL;

		if (ask(&options, "kill", json_pack("{s:s}", "job", options.args[i]), &answer))
			status = EXIT_REFUSED;
	}
	return status;
}
