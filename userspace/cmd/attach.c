// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage attach: a cgroup that exists becomes a job. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/named.h"
#include "daemon/client.h"

static const char help_text[] =
	"Usage: jobcage attach --cgroup PATH --policy POLICY [--job ID]\n"
	"Makes a job of a cgroup that a scheduler made: everything that is in it, or below, or enters it\n"
	"later, obeys the policy. The job ends when the cgroup is empty; the cgroup itself is left to\n"
	"whoever made it. Needs root and the daemon.\n"
	"\n"
	"  -c, --cgroup PATH     the cgroup's directory\n"
	"  -p, --policy POLICY   a policy of the site by name, or a file\n"
	"  -j, --job ID          the job's id in alerts (default: made from the policy's name)\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0: the policy is in force; 1: nothing was changed.\n";

struct attach_options {
	const char *cgroup, *policy, *job;
};

/* Returns -1 to go on, or an exit status. */
static int parse(int argc, char **argv, struct attach_options *options)
{
	static const struct option longopts[] = {
		{ "cgroup", required_argument, NULL, 'c' },
		{ "policy", required_argument, NULL, 'p' },
		{ "job", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:p:j:h", longopts, NULL)) != -1) {
		switch (c) {
		case 'c': options->cgroup = optarg; break;
		case 'p': options->policy = optarg; break;
		case 'j': options->job = optarg; break;
		case 'h': fputs(help_text, stdout); return 0;
		default: return EXIT_USAGE;
		}
	}
	if (options->cgroup && options->policy && optind == argc)
		return -1;
	fputs("jobcage attach: --cgroup and --policy are needed, and nothing else; 'jobcage attach "
	      "--help' says more\n",
	      stderr);
	return EXIT_USAGE;
}

int cmd_attach(int argc, char **argv)
{
	const struct ask_options asking = { .command = "attach" };
	struct attach_options options = { 0 };
	_cleanup_free_ char *cgroup = NULL;
	json_auto_t *answer = NULL;
	json_t *members;
	int status = parse(argc, argv, &options);

	if (status >= 0)
		return status;
	cgroup = realpath(options.cgroup, NULL);
	if (!cgroup) {
		perror(options.cgroup);
		return EXIT_REFUSED;
	}
	members = named_policy(options.policy);
	if (members && options.job)
		json_object_set_new(members, "job", json_string(options.job));
	if (members)
		json_object_set_new(members, "cgroup", json_string(cgroup));
	status = ask(&asking, "attach", members, &answer);
	if (!status)
		printf("%s\n", ask_text(answer, "job"));
	return status;
}
