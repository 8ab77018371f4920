// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage run: run a command as a job.
 *
 * Has the policy put in force for this very process, by the daemon or, for root where none listens,
 * by a monitor process of its own; then becomes the command: same process id, terminal, signals,
 * limits and exit status. Whatever fails before that is said in one line, with status 125.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "cmd/named.h"
#include "daemon/client.h"
#include "daemon/controller.h"
#include "daemon/monitor.h"
#include "job/environment.h"
#include "job/launch.h"
#include "job/state.h"
#include "policy/policy.h"
#include "policy/site.h"

static const char help_text[] =
	"Usage: jobcage run --policy POLICY [OPTION...] [--] COMMAND [ARGUMENT...]\n"
	"Runs COMMAND as a job: it and all it starts obey the policy, enforced in kernel.\n"
	"\n"
	"  -p, --policy POLICY a policy of the site by name, or a file (required)\n"
	"  -j, --job ID        the job's id in alerts (default: made from the policy's name)\n"
	"  -k, --keep-fd FD    let the job inherit this descriptor besides 0, 1 and 2; may be repeated\n"
	"  -h, --help          this text\n"
	"\n"
	"For root:\n"
	"  -u, --user USER     run the command as this user\n"
	"  -a, --alerts FILE   append alerts to FILE, '-' for standard output, which needs --no-daemon\n"
	"                      (default: what the site says, or " DEFAULT_ALERTS ")\n"
	"      --no-self-test  do not try the rules before the command runs\n"
	"      --no-daemon     look after the job by a process of its own, whatever daemon runs\n"
	"  -s, --site FILE     the site file (default: " SITE_FILE
	", if it exists), with --no-daemon\n"
	"\n"
	"Without a daemon only root can start jobs, and --no-daemon goes without saying.\n"
	"\n"
	"Exit status: the command's own, or\n"
	"  125  jobcage failed, nothing was started\n"
	"  126  the command cannot be executed\n"
	"  127  the command was not found\n";

struct run_options {
	const char *policy, *site, *job, *user, *alerts;
	int keep[INHERIT_MAX];
	size_t keep_cnt;
	bool no_daemon, no_self_test;
	char **command;
};

/* What is known of the job by the time that it may run. */
struct launch {
	const struct run_options *options;
	struct launch_user user;
	struct policy *policy; /* NULL: made no environment */
	char command[JOB_COMMAND_MAX];
	struct site *site; /* NULL: none */
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

enum { OPTION_NO_DAEMON = 256, OPTION_NO_SELF_TEST };

/* Returns -1 to go on, or an exit status. */
static int check_options(const struct run_options *options)
{
	if (!options->policy)
		return fail("--policy is missing: which policy is the job to obey?");
	if (!*options->command)
		return fail("the command is missing");
	if (geteuid() && (options->user || options->alerts || options->site || options->no_daemon ||
			  options->no_self_test))
		return fail(
			"--user, --alerts, --site, --no-daemon and --no-self-test are for root");
	return -1;
}

static int parse_options(int argc, char **argv, struct run_options *options)
{
	static const struct option longopts[] = {
		{ "policy", required_argument, NULL, 'p' },
		{ "site", required_argument, NULL, 's' },
		{ "job", required_argument, NULL, 'j' },
		{ "user", required_argument, NULL, 'u' },
		{ "alerts", required_argument, NULL, 'a' },
		{ "keep-fd", required_argument, NULL, 'k' },
		{ "no-daemon", no_argument, NULL, OPTION_NO_DAEMON },
		{ "no-self-test", no_argument, NULL, OPTION_NO_SELF_TEST },
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
		case OPTION_NO_DAEMON: options->no_daemon = true; break;
		case OPTION_NO_SELF_TEST: options->no_self_test = true; break;
		case 'h': fputs(help_text, stdout); return 0;
		default: return fail("'jobcage run --help' lists the options");
		}
	}
	options->command = argv + optind;
	return check_options(options);
}

/* For people: the arguments with blanks between, cut at the end of the room. */
static void join_command(char *const *argv, char *room, size_t size)
{
	size_t len = 0;

	*room = '\0';
	for (; *argv && len < size; argv++)
		len += snprintf(room + len, size - len, "%s%s", len ? " " : "", *argv);
}

/* Prints all that is wrong; a policy that is sound but for warnings is returned. */
static struct policy *load_policy(const struct run_options *options, struct site **ret_site)
{
	_cleanup_free_ char *path = NULL;
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	struct site *site = NULL;
	int r = site_find(options->site, &diags, &site);

	if (!r && named_is_file(options->policy))
		path = strdup(options->policy);
	else if (!r && site_policy_path(site, options->policy, &path))
		fail("a policy's name is letters, digits, '.', '_' and '-'");
	if (path)
		policy_load(path, site, &diags, &policy);
	diag_print(&diags, stderr);
	diag_free(&diags);
	*ret_site = site;
	return policy;
}

/* --- by a monitor of its own ------------------------------------------------------------------ */

/* The monitor works from another directory. */
static char *absolute_target(const char *target)
{
	if (!target)
		return strdup(DEFAULT_ALERTS);
	return strcmp(target, "-") ? named_absolute(target) : strdup(target);
}

static int start_monitor(struct launch *launch, int scratch_fd, struct error *err)
{
	const struct run_options *options = launch->options;
	_cleanup_free_ char *alerts = absolute_target(options->alerts);
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	char id[JOB_ID_MAX + 1];
	struct job_request request = {
		.id = options->job ? options->job : id,
		.command = launch->command,
		.user = launch->user.name,
		.uid = launch->user.uid,
		.pid = getpid(),
		.pidfd = pidfd,
		.scratch_fd = scratch_fd,
		.alerts = alerts,
		.site = launch->site,
		.inherit_cnt = options->keep_cnt,
	};

	if (!alerts)
		return error_errno(err, -ENOMEM, "cannot name the alerts file");
	if (pidfd < 0)
		return error_errno(err, -errno, "cannot open a pidfd of this process");
	if (!options->job && job_id_make(launch->policy->name, err, id))
		return err->code;
	memcpy(request.inherit, options->keep, sizeof(options->keep));
	return monitor_start(&request, launch->policy, !options->no_self_test, err);
}

static int enforce_alone(struct launch *launch, struct error *err)
{
	_cleanup_fd_ int scratch_fd = -1;
	int r;

	if (geteuid())
		return error_set(
			err, -EPERM,
			"no jobcage daemon listens, and only root can start a job without one; "
			"ask the platform's admin");
	if (launch->options->job && job_id_check(launch->options->job, err))
		return err->code;
	launch->policy = load_policy(launch->options, &launch->site);
	if (!launch->policy)
		return -EINVAL;
	r = environment_make(launch->policy, launch->options->user ? &launch->user : NULL, NULL,
			     NULL, err, &scratch_fd);
	return r ? r : start_monitor(launch, scratch_fd, err);
}

/* --- by the daemon ---------------------------------------------------------------------------- */

/* root names what the daemon is to read; what others bring, they read themselves. */
static int name_policy(const struct run_options *options, struct error *err, json_t **ret_members)
{
	struct policy *policy;
	struct site *site = NULL;

	if (!geteuid() || !named_is_file(options->policy)) {
		*ret_members = named_policy(options->policy);
	} else {
		policy = load_policy(options, &site);
		site_free(site);
		if (!policy)
			return -EINVAL;
		*ret_members = json_pack("{s:s}", "policy_text", policy->canonical);
		policy_free(policy);
	}
	return *ret_members ? 0 : error_errno(err, -ENOMEM, "cannot ask the daemon");
}

static int build_request(const struct launch *launch, struct error *err, json_t **ret_members)
{
	const struct run_options *options = launch->options;
	json_t *command = json_string(launch->command);
	json_auto_t *members = NULL;
	_cleanup_free_ char *alerts = options->alerts ? named_absolute(options->alerts) : NULL;
	int r = name_policy(options, err, &members);

	if (r) {
		json_decref(command);
		return r;
	}
	/* A command line of any bytes is described as well as JSON can. */
	json_object_set_new(members, "command", command ? command : json_string(options->policy));
	if (options->job)
		json_object_set_new(members, "job", json_string(options->job));
	if (options->user)
		json_object_set_new(members, "uid", json_integer(launch->user.uid));
	if (alerts)
		json_object_set_new(members, "alerts", json_string(alerts));
	if (options->no_self_test)
		json_object_set_new(members, "self_test", json_false());
	*ret_members = json_incref(members);
	return 0;
}

static int ask_ids(void *arg, struct error *err)
{
	json_auto_t *answer = NULL;

	return client_call(*(int *)arg, "map_ids", NULL, err, &answer);
}

/* Makes the environment that the daemon's answer asks for, and asks again. */
static int make_environment(struct launch *launch, int sock, json_t *members, json_t *answer,
			    struct error *err)
{
	const char *text = json_string_value(json_object_get(answer, "policy_text"));
	struct diag_list diags = { 0 };
	_cleanup_fd_ int scratch_fd = -1;
	json_auto_t *again = NULL;
	int r = text ? policy_parse(text, strlen(text), "the daemon's policy", NULL, &diags,
				    &launch->policy)
		     : -EBADMSG;

	if (r)
		diag_error(&diags, r, "the policy that the daemon sent", err);
	diag_free(&diags);
	if (r)
		return r;
	r = environment_make(launch->policy, launch->options->user ? &launch->user : NULL, ask_ids,
			     &sock, err, &scratch_fd);
	if (r)
		return r;
	json_object_set_new(members, "environment_of", json_string(launch->policy->digest));
	if (scratch_fd >= 0)
		json_object_set_new(members, "scratch", json_integer(scratch_fd));
	r = client_call(sock, "run", json_incref(members), err, &again);
	if (!r && json_object_get(again, "step"))
		r = error_set(err, -EAGAIN, "the policy was changed meanwhile; run it again");
	return r;
}

static int enforce_by_daemon(struct launch *launch, int sock, struct error *err)
{
	const struct run_options *options = launch->options;
	int keep[INHERIT_MAX + 1], r;
	json_auto_t *members = NULL, *answer = NULL;

	if (options->site)
		return error_set(err, -EINVAL,
				 "a daemon runs, which has its own site file; --site "
				 "needs --no-daemon");
	if (options->alerts && !strcmp(options->alerts, "-"))
		return error_set(err, -EINVAL,
				 "a daemon runs, which cannot write to this standard "
				 "output; --alerts - needs --no-daemon");
	memcpy(keep, options->keep, sizeof(options->keep));
	keep[options->keep_cnt] = sock;
	r = launch_close_files(keep, options->keep_cnt + 1);
	if (r)
		return error_errno(err, r, "cannot close descriptors");
	r = build_request(launch, err, &members);
	if (!r)
		r = client_call(sock, "run", json_incref(members), err, &answer);
	if (!r && json_object_get(answer, "step"))
		r = make_environment(launch, sock, members, answer, err);
	return r;
}

/* --- the command ------------------------------------------------------------------------------ */

static int enforce(struct launch *launch, struct error *err)
{
	_cleanup_fd_ int sock = launch->options->no_daemon ? -ENOENT : client_connect(err);

	if (sock >= 0)
		return enforce_by_daemon(launch, sock, err);
	if (sock != -ENOENT)
		return sock;
	*err = (struct error){ 0 };
	return enforce_alone(launch, err);
}

static int become_job(const struct launch *launch, struct error *err)
{
	const struct run_options *options = launch->options;
	int r = launch_close_files(options->keep, options->keep_cnt);

	if (r) {
		error_errno(err, r, "cannot close descriptors");
		return EXIT_LAUNCHER;
	}
	if (options->user && launch_become_user(&launch->user, err))
		return EXIT_LAUNCHER;
	if (launch->policy && (environment_variables(launch->policy, err) ||
			       environment_enter_directory(launch->policy, err)))
		return EXIT_LAUNCHER;
	return launch_exec(options->command, err);
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = { .keep = { 0, 1, 2 }, .keep_cnt = 3 };
	struct launch launch = { .options = &options };
	struct error err = { 0 };
	char uid[16];
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	join_command(options.command, launch.command, sizeof(launch.command));
	snprintf(uid, sizeof(uid), "%u", geteuid());
	if (launch_find_user(options.user ? options.user : uid, &err, &launch.user) ||
	    enforce(&launch, &err))
		status = EXIT_LAUNCHER;
	else
		status = become_job(&launch, &err);
	policy_free(launch.policy);
	site_free(launch.site);
	launch_user_free(&launch.user);
	if (err.code)
		fail(err.text);
	return status;
}
