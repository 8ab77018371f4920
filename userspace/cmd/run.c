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
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alert/text.h"
#include "base/cleanup.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/named.h"
#include "daemon/client.h"
#include "daemon/controller.h"
#include "daemon/monitor.h"
#include "job/environment.h"
#include "job/launch.h"
#include "job/origin.h"
#include "job/outputs.h"
#include "job/state.h"
#include "policy/policy.h"
#include "policy/site.h"

struct run_options {
	const char *policy, *site, *job, *user, *alerts;
	struct option_list keep_fds;
	bool no_daemon, no_self_test, tell;

	/* What comes of the line. */
	int keep[INHERIT_MAX];
	size_t keep_cnt;
	char **command;
};

static const struct option_row rows[] = {
	OPTION_WORD(struct run_options, policy, 'p', "policy", "POLICY",
		    "a policy of the site by name, or a file (required)"),
	OPTION_WORD(struct run_options, job, 'j', "job", "ID",
		    "the job's id in alerts (default: made from the policy's name)"),
	OPTION_LIST(struct run_options, keep_fds, 'k', "keep-fd", "FD",
		    "let the job inherit this descriptor besides 0, 1 and 2; may be repeated"),
	OPTION_FLAG(struct run_options, tell, 't', "tell",
		    "say on standard error, if it is a terminal or a pipe, what is denied: the\n"
		    "first of each kind"),
	OPTION_HEADING("For root:"),
	OPTION_WORD(struct run_options, user, 'u', "user", "USER",
		    "run the command as this user (default: root)"),
	OPTION_WORD(struct run_options, alerts, 'a', "alerts", "FILE",
		    "append alerts to FILE, '-' for standard output, which needs --no-daemon\n"
		    "(default: what the site says, or " DEFAULT_ALERTS ")"),
	OPTION_FLAG(struct run_options, no_self_test, 0, "no-self-test",
		    "do not try the rules before the command runs"),
	OPTION_FLAG(struct run_options, no_daemon, 0, "no-daemon",
		    "look after the job by a process of its own, whatever daemon runs"),
	OPTION_WORD(struct run_options, site, 's', "site", "FILE",
		    "the site file (default: " SITE_FILE ", if it exists), with --no-daemon"),
	OPTION_END,
};

static const struct command command = {
	.name = "run",
	.synopsis = "--policy POLICY [OPTION...] [--] COMMAND [ARGUMENT...]",
	.about = "Runs COMMAND as a job: it and all it starts obey the policy, enforced in kernel.",
	.rows = rows,
	.notes = "Without a daemon only root can start jobs, and --no-daemon goes without saying.\n"
		 "\n"
		 "Exit status: the command's own, or\n"
		 "  125  jobcage failed, nothing was started\n"
		 "  126  the command cannot be executed\n"
		 "  127  the command was not found",
	.words_min = 1,
	.words_max = INT_MAX,
	.ends_at_word = true,
	.usage_status = EXIT_LAUNCHER,
};

/* What is known of the job by the time that it may run. */
struct launch {
	const struct run_options *options;
	struct launch_user user;
	struct policy *policy; /* NULL: made no environment */
	char command[JOB_COMMAND_MAX];
	struct site *site; /* NULL: none */
	struct outputs *outputs; /* what was made for it by this process; NULL: nothing */
};

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
static int read_options(struct run_options *options)
{
	if (!options->policy)
		return command_misused(&command,
				       "--policy is missing: which policy is the job to obey?");
	if (geteuid() && (options->user || options->alerts || options->site || options->no_daemon ||
			  options->no_self_test))
		return command_misused(
			&command,
			"--user, --alerts, --site, --no-daemon and --no-self-test are for root");
	for (size_t i = 0; i < options->keep_fds.cnt; i++)
		if (!add_keep_fd(options, options->keep_fds.items[i].value))
			return command_misused(
				&command,
				"--keep-fd %s: this is not the number of an open descriptor, or one more than %d",
				options->keep_fds.items[i].value, INHERIT_MAX - 3);
	return -1;
}

/* For people: the arguments with blanks between, cut at the end of the room. */
static void join_command(char *const *argv, char *room, size_t size)
{
	size_t len = 0;

	*room = '\0';
	for (; *argv && len < size; argv++)
		len += snprintf(room + len, size - len, "%s%s", len ? " " : "", *argv);
}

/* The file that --policy says, by its name in the site's folder or as it is. */
static int find_policy(const char *policy, const struct site *site, struct error *err,
		       char **ret_path)
{
	int r;

	if (named_is_file(policy)) {
		*ret_path = strdup(policy);
		r = *ret_path ? 0 : -ENOMEM;
	} else {
		r = site_policy_path(site, policy, ret_path);
	}
	if (r == -EINVAL)
		return error_set(err, r, "a policy's name is letters, digits, '.', '_' and '-'");
	return r ? error_errno(err, r, "cannot find the policy") : 0;
}

/*
 * Site and policy. Prints all that is wrong with the files, with their lines; what is wrong besides
 * is in err. Returns 0 or -errno.
 */
static int load_policy(const struct run_options *options, struct error *err, struct site **ret_site,
		       struct policy **ret_policy)
{
	_cleanup_free_ char *path = NULL;
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	int r = site_find(options->site, &diags, &site);

	if (!r)
		r = find_policy(options->policy, site, err, &path);
	if (!r)
		r = policy_load(path, site, &diags, ret_policy);
	diag_print(&diags, stderr);
	if (r && !err->code && (r == -ENOMEM || !diags.error_cnt))
		error_errno(err, r, "cannot load the policy");
	diag_free(&diags);
	if (r)
		site_free(site);
	else
		*ret_site = site;
	return r;
}

/* --- by a monitor of its own ------------------------------------------------------------------ */

/* The monitor works from another directory. */
static int find_target(const char *target, struct error *err, char **ret_target)
{
	if (target && strcmp(target, "-"))
		return named_absolute(target, err, ret_target);
	*ret_target = strdup(target ? target : DEFAULT_ALERTS);
	return *ret_target ? 0 : error_errno(err, -ENOMEM, "cannot name the alerts file");
}

static int start_monitor(struct launch *launch, int scratch_fd, struct error *err)
{
	const struct run_options *options = launch->options;
	_cleanup_free_ char *alerts = NULL;
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	json_auto_t *origin = origin_of_environment();
	char id[JOB_ID_MAX + 1];
	struct job_request request = {
		.id = options->job ? options->job : id,
		.command = launch->command,
		.origin = origin,
		.user = launch->user.name,
		.uid = launch->user.uid,
		.gid = launch->options->user ? launch->user.gid : getegid(),
		.pid = getpid(),
		.pidfd = pidfd,
		.scratch_fd = scratch_fd,
		.site = launch->site,
		.inherit_cnt = options->keep_cnt,
		.is_told = options->tell,
	};

	if (pidfd < 0)
		return error_errno(err, -errno, "cannot open a pidfd of this process");
	if (find_target(options->alerts, err, &alerts))
		return err->code;
	request.alerts = alerts;
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
	if (launch->options->job &&
	    (ask_check(launch->options->job, err) || job_id_check(launch->options->job, err)))
		return err->code;
	r = load_policy(launch->options, err, &launch->site, &launch->policy);
	if (r)
		return r;
	r = environment_make(launch->policy, launch->options->user ? &launch->user : NULL, NULL,
			     NULL, err, &scratch_fd);
	return r ? r : start_monitor(launch, scratch_fd, err);
}

/* --- by the daemon ---------------------------------------------------------------------------- */

/*
 * root names what the daemon is to read; what others bring they read themselves, and they make the
 * directories that it creates.
 */
static int add_policy(json_t *members, struct launch *launch, struct error *err)
{
	const struct run_options *options = launch->options;
	struct policy *policy = NULL;
	struct site *site = NULL;
	int r;

	if (!geteuid() || !named_is_file(options->policy))
		return named_policy(members, options->policy, err);
	r = load_policy(options, err, &site, &policy);
	if (!r)
		r = ask_add(members, "policy_text", policy->canonical, err);
	if (!r)
		r = outputs_make_own(policy, err, &launch->outputs);
	site_free(site);
	policy_free(policy);
	return r;
}

static int add_alerts(json_t *members, const char *alerts, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r = named_absolute(alerts, err, &path);

	return r ? r : ask_add(members, "alerts", path, err);
}

static int build_request(struct launch *launch, json_t *members, struct error *err)
{
	const struct run_options *options = launch->options;
	json_t *line = json_string(launch->command);
	int r = add_policy(members, launch, err);

	/* Of any bytes. */
	json_object_set_new(members, "command", line ? line : text_json(launch->command));
	json_object_set_new(members, "origin", origin_of_environment());
	if (!r && options->job)
		r = ask_add(members, "job", options->job, err);
	if (!r && options->alerts)
		r = add_alerts(members, options->alerts, err);
	if (options->user)
		named_user(members, &launch->user);
	if (options->no_self_test)
		json_object_set_new(members, "self_test", json_false());
	if (options->tell)
		json_object_set_new(members, "tell", json_true());
	return r;
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
	json_auto_t *members = json_object(), *answer = NULL;

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
	r = build_request(launch, members, err);
	if (!r)
		r = client_call(sock, "run", json_incref(members), err, &answer);
	if (!r && json_object_get(answer, "step"))
		r = make_environment(launch, sock, members, answer, err);
	if (!r)
		outputs_keep(launch->outputs);
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

static int run(const struct run_options *options)
{
	struct launch launch = { .options = options };
	struct error err = { 0 };
	char uid[16];
	int status;

	join_command(options->command, launch.command, sizeof(launch.command));
	snprintf(uid, sizeof(uid), "%u", geteuid());
	if (launch_find_user(options->user ? options->user : uid, &err, &launch.user) ||
	    enforce(&launch, &err))
		status = EXIT_LAUNCHER;
	else
		status = become_job(&launch, &err);
	outputs_free(launch.outputs);
	policy_free(launch.policy);
	site_free(launch.site);
	launch_user_free(&launch.user);
	if (err.code)
		command_error(&command, "%s", err.text);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = { .keep = { 0, 1, 2 }, .keep_cnt = 3 };
	int status = command_parse(&command, argc, argv, &options, &options.command);

	if (status < 0)
		status = read_options(&options);
	if (status < 0)
		status = run(&options);
	option_list_free(&options.keep_fds);
	return status;
}
