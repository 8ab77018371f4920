// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage attach: a cgroup that exists becomes a job. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/named.h"

struct attach_options {
	const char *cgroup, *policy, *job, *user;
};

static const struct option_row rows[] = {
	OPTION_WORD(struct attach_options, cgroup, 'c', "cgroup", "PATH",
		    "the cgroup's directory (required)"),
	OPTION_WORD(struct attach_options, policy, 'p', "policy", "POLICY",
		    "a policy of the site by name, or a file (required)"),
	OPTION_WORD(struct attach_options, job, 'j', "job", "ID",
		    "the job's id in alerts (default: made from the policy's name)"),
	OPTION_WORD(struct attach_options, user, 'u', "user", "USER",
		    "whom its processes run as: shown, may see and end it, and gets the directories\n"
		    "that the policy creates (default: root, who gets none)"),
	OPTION_END,
};

static const struct command command = {
	.name = "attach",
	.synopsis = "--cgroup PATH --policy POLICY [--job ID] [--user USER]",
	.about =
		"Makes a job of a cgroup that a scheduler made: everything that is in it, or below, or enters it\n"
		"later, obeys the policy. The job ends when the cgroup is empty; the cgroup itself is left to\n"
		"whoever made it. For root, by the daemon.",
	.rows = rows,
	.notes =
		"Exit status: 0: the policy is in force; 1: nothing was changed; 2 for wrong usage.",
	.usage_status = EXIT_USAGE,
};

static int add_user(json_t *members, const char *name, struct error *err)
{
	_cleanup_(launch_user_free) struct launch_user user = { 0 };
	int r = launch_find_user(name, err, &user);

	if (!r)
		named_user(members, &user);
	return r;
}

static int build_request(const struct attach_options *options, json_t *members, struct error *err)
{
	_cleanup_free_ char *cgroup = realpath(options->cgroup, NULL);
	int r;

	if (!cgroup)
		return error_errno(err, -errno, "cannot find cgroup %s", options->cgroup);
	r = ask_add(members, "cgroup", cgroup, err);
	if (!r)
		r = named_policy(members, options->policy, err);
	if (!r && options->job)
		r = ask_add(members, "job", options->job, err);
	if (!r && options->user)
		r = add_user(members, options->user, err);
	return r;
}

int cmd_attach(int argc, char **argv)
{
	struct attach_options options = { 0 };
	json_auto_t *members = json_object(), *answer = NULL;
	struct error err = { 0 };
	char **words;
	int status = command_parse(&command, argc, argv, &options, &words);

	if (status >= 0)
		return status;
	if (!options.cgroup || !options.policy)
		return command_misused(&command, "--cgroup and --policy are needed");
	if (build_request(&options, members, &err)) {
		command_error(&command, "%s", err.text);
		return EXIT_REFUSED;
	}
	status = ask(&command, "attach", json_incref(members), &answer);
	if (status)
		return status;
	puts(ask_text(answer, "job"));
	return command_printed(&command) ? 0 : EXIT_REFUSED;
}
