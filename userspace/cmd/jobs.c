// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage jobs: which jobs run. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "daemon/message.h"
#include "daemon/report.h"

static const char help_text[] =
	"Usage: jobcage jobs [--json | --quiet]\n"
	"Lists the jobs that run: your own, or all for root.\n"
	"\n"
	"  -j, --json   as a JSON array\n"
	"  -q, --quiet  only the ids, one a line: jobcage kill $(jobcage jobs -q)\n"
	"  -h, --help   this text\n"
	"\n"
	"Without a daemon root sees the jobs of 'jobcage run' processes. Exit status: 0; 1 if the\n"
	"daemon cannot be asked.\n";

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
	int command = command_width(id + policy + user + 30);
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
		       (long long)json_integer_value(json_object_get(job, "pid")), age, command,
		       ask_text(job, "command"));
	}
}

static void print_ids(const json_t *jobs)
{
	json_t *job;
	size_t i;

	json_array_foreach(jobs, i, job) puts(ask_text(job, "job"));
}

/* The state files tell root what there is without a daemon. */
static int list(const struct ask_options *options, json_t **ret_jobs)
{
	json_auto_t *answer = NULL;
	int status;

	if (!geteuid() && access(CONTROL_SOCKET, F_OK)) {
		*ret_jobs = json_array();
		if (!report_others(NULL, *ret_jobs))
			return 0;
		fputs("jobcage jobs: cannot read the jobs' state files\n", stderr);
		return EXIT_REFUSED;
	}
	status = ask(options, "jobs", NULL, &answer);
	if (!status)
		*ret_jobs = json_incref(json_object_get(answer, "jobs"));
	return status;
}

int cmd_jobs(int argc, char **argv)
{
	struct ask_options options = { .command = "jobs",
				       .help_text = help_text,
				       .has_json = true,
				       .has_quiet = true };
	int status = ask_parse(argc, argv, &options);
	json_auto_t *jobs = NULL;

	if (status >= 0)
		return status;
	status = list(&options, &jobs);
	if (status)
		return status;
	if (options.json)
		return ask_print_json(jobs);
	if (options.quiet)
		print_ids(jobs);
	else
		print_table(jobs);
	return fflush(stdout) ? EXIT_REFUSED : 0;
}
