// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage daemon: the controller of a whole machine. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "daemon/daemon.h"
#include "daemon/lock.h"

static const char help_text[] =
	"Usage: jobcage daemon [--site FILE]\n"
	"       jobcage daemon --teardown\n"
	"Starts jobs for everybody on this machine and looks after them, in the foreground; systemd's\n"
	"unit jobcage.service runs it. SIGTERM ends it and leaves every job running and enforced, for\n"
	"the next daemon. SIGHUP is 'jobcage reload'.\n"
	"\n"
	"  -s, --site FILE   the site file (default: " SITE_FILE ", if it exists)\n"
	"      --teardown    kill every job and end the daemon that runs: nothing is left\n"
	"  -h, --help        this text\n"
	"\n"
	"Exit status: 0 after SIGTERM or --teardown; 1 for an error, or if a daemon runs already.\n";

static int tear_down(void)
{
	const struct ask_options options = { .command = "daemon --teardown" };
	json_auto_t *answer = NULL;
	int status = ask(&options, "teardown", NULL, &answer);

	if (!status)
		lock_wait();
	return status;
}

static int run(const char *site)
{
	struct error err = { 0 };

	if (geteuid()) {
		fputs("jobcage daemon: only root can run it\n", stderr);
		return EXIT_REFUSED;
	}
	if (!daemon_run(site, &err))
		return 0;
	fprintf(stderr, "jobcage daemon: %s\n", err.text);
	return EXIT_REFUSED;
}

int cmd_daemon(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "site", required_argument, NULL, 's' },
		{ "teardown", no_argument, NULL, 'T' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *site = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "s:h", longopts, NULL)) != -1) {
		switch (c) {
		case 's': site = optarg; break;
		case 'T': return tear_down();
		case 'h': fputs(help_text, stdout); return 0;
		default: return EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fputs("jobcage daemon: it takes no arguments\n", stderr);
		return EXIT_USAGE;
	}
	return run(site);
}
