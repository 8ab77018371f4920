// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage: picks the command. */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "job/launch.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "run a command as a job, under a policy" },
	{ "jobs", cmd_jobs, "list the jobs that run" },
	{ "status", cmd_status, "show one job: what was denied, is its record complete" },
	{ "alerts", cmd_alerts, "show what was denied, of all jobs or one" },
	{ "audit", cmd_audit, "verify that a log is as it was written" },
	{ "metrics", cmd_metrics, "print the daemon's counters for Prometheus" },
	{ "kill", cmd_kill, "end a job" },
	{ "whois", cmd_whois, "say which job a process belongs to" },
	{ "policy", cmd_policy, "check policy files" },
	{ "daemon", cmd_daemon, "start and look after everybody's jobs" },
	{ "attach", cmd_attach, "make a job of a cgroup that exists" },
	{ "reload", cmd_reload, "read site and policies again, for running jobs too" },
	{ "doctor", cmd_doctor, "say what this kernel can enforce, and what is missing" },
};

static void print_help(FILE *out)
{
	fputs("Usage: jobcage COMMAND [OPTION...]\n"
	      "Cages training jobs: datasets, network and programs by policy, enforced in kernel.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\n'jobcage COMMAND --help' says more; jobcage(8) says all.\n", out);
}

/* libbpf speaks only when asked: what a user must know is in our own errors. */
static int debug_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	return vfprintf(stderr, fmt, ap);
}

/*
 * What is opened later must not take the place of a standard stream that the caller closed. Closed
 * again by exec, so that the command finds them as the caller left them.
 */
static void reserve_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	reserve_standard_streams();
	libbpf_set_print(getenv("JOBCAGE_DEBUG") ? debug_print : NULL);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_LAUNCHER;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("jobcage " JOBCAGE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "jobcage: unknown command '%s'; 'jobcage --help' lists them\n", argv[1]);
	return EXIT_LAUNCHER;
}
