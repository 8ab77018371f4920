// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage reload: site and policies are read again, and running jobs follow. */
#include <stdio.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

static const struct command command = {
	.name = "reload",
	.synopsis = "[JOB]",
	.about =
		"Reads the site file and the policies again, for JOB or for all jobs. Jobs whose policy changed\n"
		"obey the new one from then on, without a moment without rules; a policy with an error changes\n"
		"nothing for its jobs. For root.",
	.notes =
		"Exit status: 0; 1 if a job keeps its rules because of an error, or the daemon cannot be asked;\n"
		"2 for wrong usage.",
	.words_max = 1,
	.usage_status = EXIT_USAGE,
};

int cmd_reload(int argc, char **argv)
{
	char **ids;
	int status = command_parse(&command, argc, argv, NULL, &ids);
	json_auto_t *answer = NULL;
	long long replaced, unchanged;

	if (status < 0)
		status = ask_about(&command, "reload", *ids, &answer);
	if (!answer)
		return status;
	replaced = json_integer_value(json_object_get(answer, "replaced"));
	unchanged = json_integer_value(json_object_get(answer, "unchanged"));
	printf("%lld job%s new rules, %lld %s unchanged\n", replaced,
	       replaced == 1 ? " obeys" : "s obey", unchanged, unchanged == 1 ? "is" : "are");
	return command_printed(&command) ? 0 : EXIT_REFUSED;
}
