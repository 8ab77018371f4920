// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage: picks the command. */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
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
	{ "audit verify", cmd_audit_verify, "verify that a log is as it was written" },
	{ "metrics", cmd_metrics, "print the daemon's counters for Prometheus" },
	{ "kill", cmd_kill, "end a job" },
	{ "whois", cmd_whois, "say which job a process belongs to" },
	{ "policy check", cmd_policy_check, "say all that is wrong with policy files" },
	{ "policy explain", cmd_policy_explain, "say what a policy allows, and by which rule" },
	{ "daemon", cmd_daemon, "start and look after everybody's jobs" },
	{ "attach", cmd_attach, "make a job of a cgroup that exists" },
	{ "reload", cmd_reload, "read site and policies again, for running jobs too" },
	{ "doctor", cmd_doctor, "say what this kernel can enforce, and what is missing" },
};

/* Of "policy": "policy check" and the like; of NULL: all of them. */
static bool is_in_family(const char *name, const char *family)
{
	size_t len = family ? strlen(family) : 0;

	return !family || (!strncmp(name, family, len) && name[len] == ' ');
}

static bool is_family(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (is_in_family(commands[i].name, word))
			return true;
	return false;
}

static void print_help(FILE *out, const char *family)
{
	fputs("Usage: jobcage COMMAND [OPTION...]\n"
	      "Cages training jobs: datasets, network and programs by policy, enforced in kernel.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (is_in_family(commands[i].name, family))
			fprintf(out, "  %-14s  %s\n", commands[i].name, commands[i].help);
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

static bool is_help(const char *word)
{
	return word && (!strcmp(word, "--help") || !strcmp(word, "-h"));
}

/* How many arguments name the command; 0 if they name another. */
static int matches(const char *name, char **argv)
{
	size_t len = strcspn(name, " ");

	if (strncmp(argv[1], name, len) || argv[1][len])
		return 0;
	if (!name[len])
		return 1;
	return argv[2] && !strcmp(argv[2], name + len + 1) ? 2 : 0;
}

/* No command: the list of those there are, or of those that begin with this word. */
static int run_none(char **argv)
{
	if (!argv[1] || is_help(argv[1])) {
		print_help(argv[1] ? stdout : stderr, NULL);
		return argv[1] ? 0 : EXIT_LAUNCHER;
	}
	if (is_family(argv[1])) {
		print_help(is_help(argv[2]) ? stdout : stderr, argv[1]);
		return is_help(argv[2]) ? 0 : EXIT_LAUNCHER;
	}
	fprintf(stderr, "jobcage: unknown command '%s'; 'jobcage --help' lists them\n", argv[1]);
	return EXIT_LAUNCHER;
}

int main(int argc, char **argv)
{
	reserve_standard_streams();
	libbpf_set_print(getenv("JOBCAGE_DEBUG") ? debug_print : NULL);
	if (argc > 1 && !strcmp(argv[1], "--version")) {
		puts("jobcage " JOBCAGE_VERSION);
		return 0;
	}
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++) {
		int words = matches(commands[i].name, argv);

		if (words)
			return commands[i].run(argc - words, argv + words);
	}
	return run_none(argv);
}
