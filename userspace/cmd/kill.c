// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage kill: end jobs. */
#include <limits.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

static const struct command command = {
	.name = "kill",
	.synopsis = "JOB...",
	.about = "Ends jobs: SIGKILL to each of their processes, at once.",
	.notes =
		"Exit status: 0; 1 if one of them is no job of yours, or the daemon cannot be asked; the others\n"
		"are ended all the same; 2 for wrong usage.",
	.words_min = 1,
	.words_max = INT_MAX,
	.usage_status = EXIT_USAGE,
};

int cmd_kill(int argc, char **argv)
{
	char **ids;
	int status = command_parse(&command, argc, argv, NULL, &ids);

	if (status >= 0)
		return status;
	for (status = 0; *ids; ids++) {
		json_auto_t *answer = NULL;

		if (ask_about(&command, "kill", *ids, &answer))
			status = EXIT_REFUSED;
	}
	return status;
}
