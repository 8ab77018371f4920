// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage daemon: the controller of a whole machine. */
#include <errno.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "daemon/client.h"
#include "daemon/daemon.h"
#include "daemon/lock.h"
#include "daemon/teardown.h"

struct daemon_options {
	const char *site;
	bool teardown;
};

static const struct option_row rows[] = {
	OPTION_WORD(struct daemon_options, site, 's', "site", "FILE",
		    "the site file (default: " SITE_FILE ", if it exists)"),
	OPTION_FLAG(struct daemon_options, teardown, 0, "teardown",
		    "kill every job, also of another build, and end the daemon if one runs: nothing is left"),
	OPTION_END,
};

static const struct command command = {
	.name = "daemon",
	.synopsis = "[--site FILE]\n"
		    "--teardown",
	.about =
		"Starts jobs for everybody on this machine and looks after them, in the foreground; systemd's\n"
		"unit jobcage.service runs it. SIGTERM ends it and leaves every job running and enforced, for\n"
		"the next daemon. SIGHUP is 'jobcage reload'. For root.",
	.rows = rows,
	.notes =
		"Exit status: 0 after SIGTERM, SIGINT or --teardown; 1 for an error, or if a daemon runs already;\n"
		"2 for wrong usage.",
	.usage_status = EXIT_USAGE,
};

/* The daemon answers at once, and ends when the jobs it looks after are gone. */
static int end_daemon(struct error *err)
{
	json_auto_t *answer = NULL;
	int r = client_ask("teardown", NULL, err, &answer);

	if (!r)
		lock_wait();
	return r;
}

/* Where no daemon listens, or it was killed meanwhile, something may be left. */
static int tear_down(void)
{
	struct error err = { 0 };
	int r = end_daemon(&err);

	if (!r || (r == -ENOENT && !geteuid()))
		r = teardown_rest(&err);
	if (!r)
		return 0;
	command_error(&command, "%s", err.text);
	return EXIT_REFUSED;
}

static int run(const char *site)
{
	struct error err = { 0 };

	if (geteuid()) {
		command_error(&command, "only root can run it");
		return EXIT_REFUSED;
	}
	if (!daemon_run(site, &err))
		return 0;
	command_error(&command, "%s", err.text);
	return EXIT_REFUSED;
}

int cmd_daemon(int argc, char **argv)
{
	struct daemon_options options = { 0 };
	char **words;
	int status = command_parse(&command, argc, argv, &options, &words);

	if (status >= 0)
		return status;
	if (options.teardown && options.site)
		return command_misused(&command, "--teardown takes no --site");
	return options.teardown ? tear_down() : run(options.site);
}
