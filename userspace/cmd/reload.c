// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage reload: site and policies are read again, and running jobs follow. */
#include <stdio.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

static const char help_text[] =
	"Usage: jobcage reload [JOB]\n"
	"Reads the site file and the policies again. Jobs whose policy changed obey the new one from\n"
	"then on, without a moment without rules; a policy with an error changes nothing for its jobs.\n"
	"\n"
	"  JOB          only this job\n"
	"  -h, --help   this text\n"
	"\n"
	"Exit status: 0; 1 if a job keeps its rules because of an error, or the daemon cannot be asked.\n";

int cmd_reload(int argc, char **argv)
{
	struct ask_options options = { .command = "reload", .help_text = help_text, .args_max = 1 };
	int status = ask_parse(argc, argv, &options);
	json_auto_t *answer = NULL;
	long long replaced, unchanged;
	json_t *members;

	if (status >= 0)
		return status;
	members = options.arg_cnt ? json_pack("{s:s}", "job", options.args[0]) : NULL;
	status = ask(&options, "reload", members, &answer);
	if (status)
		return status;
	replaced = json_integer_value(json_object_get(answer, "replaced"));
	unchanged = json_integer_value(json_object_get(answer, "unchanged"));
	printf("%lld job%s new rules, %lld %s unchanged\n", replaced,
	       replaced == 1 ? " obeys" : "s obey", unchanged, unchanged == 1 ? "is" : "are");
	return 0;
}
