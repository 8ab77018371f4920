// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage jobs: which jobs run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "daemon/client.h"
#include "daemon/report.h"

struct jobs_options {
	bool json, quiet;
};

static const struct option_row rows[] = {
	OPTION_FLAG(struct jobs_options, json, 'j', "json", "as a JSON array"),
	OPTION_FLAG(struct jobs_options, quiet, 'q', "quiet",
		    "only the ids, one a line: jobcage kill $(jobcage jobs -q)"),
	OPTION_END,
};

static const struct command command = {
	.name = "jobs",
	.synopsis = "[--json | --quiet]",
	.about =
		"Lists the jobs that run: your own, or all for root. Without a daemon root sees what the jobs'\n"
		"state files say.",
	.rows = rows,
	.notes = "Exit status: 0; 1 if the daemon cannot be asked; 2 for wrong usage.",
	.usage_status = EXIT_USAGE,
};

/* 2d03h, 3h07m, 12m05s, 42s */
static void format_age(json_int_t start_ms, char *room, size_t size)
{
	long s = (clock_ms(CLOCK_REALTIME) - start_ms) / 1000;

	if (s < 0)
		s = 0;
	if (s >= 86400)
		snprintf(room, size, "%ldd%02ldh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(room, size, "%ldh%02ldm", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(room, size, "%ldm%02lds", s / 60, s % 60);
	else
		snprintf(room, size, "%lds", s);
}

/* The command gets what is left of the line on a terminal, and all of it elsewhere. */
static int command_width(int used)
{
	struct winsize window;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) ||
	    window.ws_col <= used)
		return 4096;
	return window.ws_col - used;
}

static int widest(const json_t *jobs, const char *key, size_t at_least)
{
	size_t i, width = at_least;
	json_t *job;

	json_array_foreach(jobs, i, job) if (strlen(ask_text(job, key)) > width)
		width = strlen(ask_text(job, key));
	return width;
}

static void print_table(const json_t *jobs)
{
	int id = widest(jobs, "job", 3), policy = widest(jobs, "policy", 6),
	    user = widest(jobs, "user", 4);
	int width = command_width(id + policy + user + 30);
	json_t *job;
	size_t i;

	printf("%-*s  %-*s  %-7s  %-*s  %7s  %6s  %s\n", id, "JOB", policy, "POLICY", "MODE", user,
	       "USER", "PID", "AGE", "COMMAND");
	json_array_foreach(jobs, i, job)
	{
		char age[32];

		format_age(json_integer_value(json_object_get(job, "start_ms")), age, sizeof(age));
		printf("%-*s  %-*s  %-7s  %-*s  %7lld  %6s  %.*s\n", id, ask_text(job, "job"),
		       policy, ask_text(job, "policy"), ask_text(job, "mode"), user,
		       ask_text(job, "user"),
		       (long long)json_integer_value(json_object_get(job, "pid")), age, width,
		       ask_text(job, "command"));
	}
}

static void print_ids(const json_t *jobs)
{
	json_t *job;
	size_t i;

	json_array_foreach(jobs, i, job) puts(ask_text(job, "job"));
}

static int list_state_files(json_t **ret_jobs)
{
	json_auto_t *jobs = json_array();
	int r = jobs ? report_others(NULL, jobs) : -ENOMEM;

	if (r) {
		command_error(&command, "cannot read the jobs' state files: %s", strerror(-r));
		return EXIT_REFUSED;
	}
	*ret_jobs = json_incref(jobs);
	return 0;
}

/* Root is told without a daemon too; one that was killed has left its socket. */
static int list(json_t **ret_jobs)
{
	json_auto_t *answer = NULL;
	struct error err = { 0 };
	_cleanup_fd_ int sock = client_connect(&err);

	if (sock == -ENOENT && !geteuid())
		return list_state_files(ret_jobs);
	if (sock < 0 || client_call(sock, "jobs", NULL, &err, &answer)) {
		command_error(&command, "%s", err.text);
		return EXIT_REFUSED;
	}
	*ret_jobs = json_incref(json_object_get(answer, "jobs"));
	return 0;
}

int cmd_jobs(int argc, char **argv)
{
	struct jobs_options options = { 0 };
	char **words;
	int status = command_parse(&command, argc, argv, &options, &words);
	json_auto_t *jobs = NULL;

	if (status >= 0)
		return status;
	status = list(&jobs);
	if (status)
		return status;
	if (options.json)
		return ask_print_json(&command, jobs);
	if (options.quiet)
		print_ids(jobs);
	else
		print_table(jobs);
	return command_printed(&command) ? 0 : EXIT_REFUSED;
}
