// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage run: run a command as a job.
 *
 * Reads and checks everything first, has the policy put in force for this very process, then
 * becomes the command: same process id, terminal, signals, limits and exit status. Whatever fails
 * before that is said in one line, with status 125.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "daemon/controller.h"
#include "daemon/monitor.h"
#include "job/launch.h"
#include "job/state.h"
#include "policy/policy.h"
#include "policy/site.h"

/* Bytes of the command line that the record keeps. */
#define COMMAND_MAX 4096

static const char help_text[] =
	"Usage: jobcage run --policy FILE [OPTION...] [--] COMMAND [ARGUMENT...]\n"
	"Runs COMMAND as a job: it and all it starts obey the policy, enforced in kernel.\n"
	"\n"
	"  -p, --policy FILE   the policy (required)\n"
	"  -s, --site FILE     the site's datasets (default: " SITE_FILE ", if it exists)\n"
	"  -j, --job ID        the job's id in alerts (default: made from the policy's name)\n"
	"  -u, --user USER     run the command as this user\n"
	"  -a, --alerts FILE   append alerts to FILE, '-' for standard output\n"
	"                      (default: " DEFAULT_ALERTS ")\n"
	"  -k, --keep-fd FD    let the job inherit this descriptor besides 0, 1 and 2; may be repeated\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit status: the command's own, or\n"
	"  125  jobcage failed, nothing was started\n"
	"  126  the command cannot be executed\n"
	"  127  the command was not found\n";

struct run_options {
	const char *policy, *site, *job, *user, *alerts;
	int keep[INHERIT_MAX];
	size_t keep_cnt;
	char **command;
};

static int fail(const char *text)
{
	fprintf(stderr, "jobcage run: %s\n", text);
	return EXIT_LAUNCHER;
}

/* --- options ---------------------------------------------------------------------------------- */

static bool add_keep_fd(struct run_options *options, const char *text)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || *end || end == text || fd < 0 || fd > INT_MAX ||
	    options->keep_cnt == INHERIT_MAX || fcntl(fd, F_GETFD) < 0)
		return false;
	options->keep[options->keep_cnt++] = fd;
	return true;
}

/* Returns -1 to go on, or an exit status. */
static int parse_options(int argc, char **argv, struct run_options *options)
{
	static const struct option longopts[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "site", required_argument, NULL, 's' },
		{ "job", required_argument, NULL, 'j' },
		{ "user", required_argument, NULL, 'u' },
		{ "alerts", required_argument, NULL, 'a' },
		{ "keep-fd", required_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+p:s:j:u:a:k:h", longopts, NULL)) != -1) {
		switch (c) {
		case 'p': options->policy = optarg; break;
		case 's': options->site = optarg; break;
		case 'j': options->job = optarg; break;
		case 'u': options->user = optarg; break;
		case 'a': options->alerts = optarg; break;
		case 'k':
			if (!add_keep_fd(options, optarg))
				return fail("--keep-fd wants the number of an open descriptor");
			break;
		case 'h': fputs(help_text, stdout); return 0;
		default: return fail("'jobcage run --help' lists the options");
		}
	}
	options->command = argv + optind;
	if (!options->policy)
		return fail("--policy is missing: which policy is the job to obey?");
	if (!*options->command)
		return fail("the command is missing");
	return -1;
}

/* --- what the job is -------------------------------------------------------------------------- */

/* Prints all that is wrong; a policy that is sound but for warnings is returned. */
static struct policy *load_policy(const struct run_options *options)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	struct site *site = NULL;

	if (!site_find(options->site, &diags, &site))
		policy_load(options->policy, site, &diags, &policy);
	diag_print(&diags, stderr);
	diag_free(&diags);
	site_free(site);
	return policy;
}

static const char *make_job_id(const struct policy *policy, char *room, size_t size)
{
	unsigned int random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = getpid();
	snprintf(room, size, "%.48s-%08x", policy->name, random);
	return room;
}

/* For people: the arguments with blanks between, cut at COMMAND_MAX. */
static void join_command(char *const *argv, char *room, size_t size)
{
	size_t len = 0;

	*room = '\0';
	for (; *argv && len < size; argv++)
		len += snprintf(room + len, size - len, "%s%s", len ? " " : "", *argv);
}

/* The monitor works from another directory. */
static char *absolute_target(const char *target)
{
	_cleanup_free_ char *cwd = NULL;
	char *path = NULL;

	if (!target)
		return strdup(DEFAULT_ALERTS);
	if (*target == '/' || !strcmp(target, "-"))
		return strdup(target);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, target) < 0)
		return NULL;
	return path;
}

static int open_pidfd(void)
{
	return syscall(SYS_pidfd_open, getpid(), 0);
}

/* --- the command ------------------------------------------------------------------------------ */

/* Asks for the policy to be put in force for this process. */
static int enforce(const struct run_options *options, const struct policy *policy,
		   const struct launch_user *user, struct error *err)
{
	_cleanup_free_ char *alerts = absolute_target(options->alerts);
	_cleanup_fd_ int pidfd = open_pidfd();
	char id[JOB_ID_MAX + 1], command[COMMAND_MAX];
	struct job_request request = {
		.id = options->job ? options->job : make_job_id(policy, id, sizeof(id)),
		.policy = policy,
		.command = command,
		.user = user->name,
		.uid = user->uid,
		.pid = getpid(),
		.pidfd = pidfd,
		.alerts = alerts,
		.inherit_cnt = options->keep_cnt,
	};

	if (!alerts)
		return error_errno(err, -ENOMEM, "cannot name the alerts file");
	if (policy->egress_default != EGRESS_ALLOW &&
	    launch_check_sockets(options->keep, options->keep_cnt, err))
		return err->code;
	if (pidfd < 0)
		return error_errno(err, -errno, "pidfd_open");
	if (job_id_check(request.id, err))
		return err->code;
	memcpy(request.inherit, options->keep, sizeof(options->keep));
	join_command(options->command, command, sizeof(command));
	return monitor_start(&request, err);
}

static int become_job(const struct run_options *options, const struct launch_user *user,
		      struct error *err)
{
	int r = launch_close_files(options->keep, options->keep_cnt);

	if (r) {
		error_errno(err, r, "cannot close descriptors");
		return EXIT_LAUNCHER;
	}
	if (options->user && launch_become_user(user, err))
		return EXIT_LAUNCHER;
	return launch_exec(options->command, err);
}

int cmd_run(int argc, char **argv)
{
	_cleanup_(launch_user_free) struct launch_user user = { 0 };
	struct run_options options = { .keep = { 0, 1, 2 }, .keep_cnt = 3 };
	struct error err = { 0 };
	struct policy *policy;
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	if (geteuid())
		return fail(
			"only root can start a job where no jobcage daemon runs; ask the platform's admin");
	policy = load_policy(&options);
	if (!policy)
		return EXIT_LAUNCHER;
	if (launch_find_user(options.user ? options.user : "0", &err, &user) ||
	    enforce(&options, policy, &user, &err))
		status = EXIT_LAUNCHER;
	else
		status = become_job(&options, &user, &err);
	policy_free(policy);
	fail(err.text);
	return status;
}
