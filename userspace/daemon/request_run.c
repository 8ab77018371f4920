// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests that put something under a policy; see request_run.h. */
#include "daemon/request_run.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "job/cgroup.h"
#include "job/environment.h"

/* --- the policy ------------------------------------------------------------------------------- */

int request_load_policy(struct daemon *daemon, const char *file, struct error *err,
			struct policy **ret_policy)
{
	struct diag_list diags = { 0 };
	int r = policy_load(file, daemon->site, &diags, ret_policy);

	if (r)
		diag_error(&diags, r, "the policy", err);
	diag_free(&diags);
	return r;
}

static int parse_text(struct daemon *daemon, const char *text, struct error *err,
		      struct policy **ret_policy)
{
	struct diag_list diags = { 0 };
	int r = policy_parse(text, strlen(text), "the request's policy", daemon->site, &diags,
			     ret_policy);

	if (r)
		diag_error(&diags, r, "the policy", err);
	diag_free(&diags);
	return r;
}

/* How a request names its policy: one of them. */
struct policy_choice {
	const char *name; /* of the site */
	const char *file; /* for root */
	const char *text; /* where the site lets the user bring one */
};

static int check_choice(const struct daemon *daemon, const struct peer *peer,
			const struct policy_choice *choice, struct error *err)
{
	const char *name = choice->name;

	if (!!name + !!choice->file + !!choice->text != 1)
		return error_set(err, -EINVAL, "the request names no policy, or more than one");
	if (name && !site_may_run(daemon->site, peer->uid, peer->groups, peer->group_cnt, name))
		return error_set(
			err, -EPERM,
			"the site does not let you run policy \"%s\"; ask the platform's admin",
			name);
	if (choice->file && peer->uid)
		return error_set(err, -EPERM, "only root may name a policy's file");
	if (choice->text &&
	    !site_may_bring_policy(daemon->site, peer->uid, peer->groups, peer->group_cnt))
		return error_set(
			err, -EPERM,
			"the site does not let you bring a policy of your own; name one of its "
			"policies");
	return 0;
}

static int name_source(const struct daemon *daemon, const struct policy_choice *choice,
		       struct error *err, char **ret_source)
{
	char *source = NULL;
	int r = 0;

	if (choice->name)
		r = site_policy_path(daemon->site, choice->name, &source);
	else
		source = strdup(choice->file);
	if (r || !source)
		return error_errno(err, r ? r : -ENOMEM, "policy \"%s\"",
				   choice->name ? choice->name : choice->file);
	*ret_source = source;
	return 0;
}

/* *ret_source: the policy's file; NULL if the request brings its text. */
static int find_policy(struct daemon *daemon, const struct message *message,
		       const struct peer *peer, struct error *err, char **ret_source,
		       struct policy **ret_policy)
{
	const struct policy_choice choice = {
		.name = message_string(message, "policy"),
		.file = message_string(message, "policy_file"),
		.text = message_string(message, "policy_text"),
	};
	_cleanup_free_ char *source = NULL;
	int r = check_choice(daemon, peer, &choice, err);

	if (r)
		return r;
	if (choice.text)
		return parse_text(daemon, choice.text, err, ret_policy);
	r = name_source(daemon, &choice, err, &source);
	if (r)
		return r;
	r = request_load_policy(daemon, source, err, ret_policy);
	if (!r)
		*ret_source = TAKE_PTR(source);
	return r;
}

/* --- what the job is -------------------------------------------------------------------------- */

static size_t jobs_of(const struct controller *controller, uid_t uid)
{
	size_t cnt = 0;

	for (const struct watch *w = controller->watches; w; w = w->next)
		cnt += w->job->asked_by == uid;
	return cnt;
}

static int check_limits(const struct daemon *daemon, const struct peer *peer, struct error *err)
{
	const struct controller *controller = daemon->controller;
	const struct site_limits *limits = daemon->site ? &daemon->site->limits : NULL;

	if (daemon->is_stopping || daemon->is_tearing_down)
		return error_set(err, -ESHUTDOWN,
				 "the daemon is stopping; ask again when it is back");
	if (limits && limits->jobs && controller->watch_cnt >= limits->jobs)
		return error_set(
			err, -EDQUOT,
			"%zu jobs are running, as many as the site allows (limits.jobs); wait until one has ended",
			controller->watch_cnt);
	if (limits && limits->jobs_per_user && peer->uid &&
	    jobs_of(controller, peer->uid) >= limits->jobs_per_user)
		return error_set(
			err, -EDQUOT,
			"you run as many jobs as the site allows (limits.jobs_per_user: %llu); wait until one has ended",
			(unsigned long long)limits->jobs_per_user);
	return 0;
}

static const char *user_name(uid_t uid, char *room, size_t size)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry)
		snprintf(room, size, "%s", entry->pw_name);
	else
		snprintf(room, size, "%u", uid);
	return room;
}

/* root runs jobs for others; everybody else for themselves. */
static void fill_user(const struct message *message, const struct peer *peer,
		      struct job_request *request, char *room, size_t size)
{
	const json_t *uid = json_object_get(message->json, "uid");

	request->asked_by = peer->uid;
	request->uid = !peer->uid && json_is_integer(uid) ? json_integer_value(uid) : peer->uid;
	request->user = user_name(request->uid, room, size);
}

/* The places are the caller's; they live as long as the request. */
struct rooms {
	char id[JOB_ID_MAX + 1];
	char user[256];
	char command[JOB_COMMAND_MAX];
};

/* Every event has it, so it is bounded; cut between characters. */
static void fill_command(const char *command, char *room, size_t size)
{
	size_t len = command ? strlen(command) : 0;

	if (len >= size)
		len = size - 1;
	while (command && len && ((unsigned char)command[len] & 0xc0) == 0x80)
		len--;
	memcpy(room, command ? command : "", len);
	room[len] = '\0';
}

static int fill_request(struct daemon *daemon, const struct message *message,
			const struct peer *peer, struct policy *policy, struct rooms *rooms,
			struct error *err, struct job_request *request)
{
	const char *id = message_string(message, "job"),
		   *alerts = message_string(message, "alerts");
	const char *site_alerts = daemon->site && daemon->site->alerts ? daemon->site->alerts
								       : DEFAULT_ALERTS;

	if (alerts && (peer->uid || *alerts != '/'))
		return error_set(
			err, -EPERM,
			"the daemon's alerts go where the site says; only root may name an "
			"absolute path");
	if (!id && job_id_make(policy->name, err, rooms->id))
		return err->code;
	request->id = id ? id : rooms->id;
	fill_command(message_string(message, "command"), rooms->command, sizeof(rooms->command));
	request->command = rooms->command;
	request->alerts = alerts ? alerts : site_alerts;
	fill_user(message, peer, request, rooms->user, sizeof(rooms->user));
	return job_id_check(request->id, err);
}

/* root may leave the self-test out; the site decides for everybody else. */
static bool is_self_tested(const struct daemon *daemon, const struct message *message,
			   const struct peer *peer)
{
	if (!peer->uid && json_is_false(json_object_get(message->json, "self_test")))
		return false;
	return !daemon->site || daemon->site->self_test;
}

static int start(struct daemon *daemon, const struct message *message, const struct peer *peer,
		 struct job_request *request, struct policy *policy, struct error *err,
		 json_t **ret_answer)
{
	struct rooms rooms;
	struct watch *watch;
	int r = check_limits(daemon, peer, err);

	if (!r)
		r = fill_request(daemon, message, peer, policy, &rooms, err, request);
	if (r) {
		policy_free(policy);
		return r;
	}
	request->policy = policy;
	r = controller_start(daemon->controller, request, is_self_tested(daemon, message, peer),
			     err, &watch);
	if (!r)
		*ret_answer = json_pack("{s:s}", "job", watch->job->id);
	return r;
}

/* --- run -------------------------------------------------------------------------------------- */

/* The launcher makes the environment, and asks again with its scratch. */
static int ask_for_environment(struct policy *policy, json_t **ret_answer)
{
	*ret_answer =
		json_pack("{s:s, s:s}", "step", "environment", "policy_text", policy->canonical);
	policy_free(policy);
	return *ret_answer ? 0 : -ENOMEM;
}

static bool is_environment_made(const struct message *message, const struct policy *policy)
{
	const char *made = message_string(message, "environment_of");

	return !policy->environment.is_present || (made && !strcmp(made, policy->digest));
}

int request_run(struct daemon *daemon, const struct message *message, const struct peer *peer,
		struct error *err, json_t **ret_answer)
{
	_cleanup_free_ char *source = NULL;
	struct policy *policy;
	struct job_request request = {
		.pid = peer->pid,
		.pidfd = peer->pidfd,
		.scratch_fd = message_fd(message, 1),
	};
	int r = find_policy(daemon, message, peer, err, &source, &policy);

	if (r)
		return r;
	if (!is_environment_made(message, policy))
		return ask_for_environment(policy, ret_answer);
	if (!policy->environment.is_present)
		request.scratch_fd = -1;
	request.source = source;
	return start(daemon, message, peer, &request, policy, err, ret_answer);
}

int request_map_ids(struct daemon *daemon, const struct message *message, const struct peer *peer,
		    struct error *err, json_t **ret_answer)
{
	(void)daemon;
	(void)message;
	(void)ret_answer;
	return environment_map_ids(peer->pid, peer->pidfd, peer->uid, peer->gid, peer->groups,
				   peer->group_cnt, err);
}

/* --- attach ----------------------------------------------------------------------------------- */

/* A daemon under the rules of a job could look after none. One cgroup has one job. */
static int check_cgroup(const struct daemon *daemon, const char *path, struct error *err)
{
	_cleanup_free_ char *own = NULL;
	int r = cgroup_of(getpid(), err, &own);

	if (r)
		return r;
	if (path_is_in(own, path))
		return error_set(err, -EINVAL, "the daemon itself is in cgroup %s", path);
	for (const struct watch *w = daemon->controller->watches; w; w = w->next)
		if (path_is_in(path, w->job->cgroup_path) || path_is_in(w->job->cgroup_path, path))
			return error_set(err, -EEXIST,
					 "cgroup %s is, holds or belongs to job \"%s\" already",
					 path, w->job->id);
	return 0;
}

int request_attach(struct daemon *daemon, const struct message *message, const struct peer *peer,
		   struct error *err, json_t **ret_answer)
{
	_cleanup_free_ char *source = NULL;
	struct policy *policy;
	struct job_request request = {
		.cgroup = message_string(message, "cgroup"),
		.pidfd = -1,
		.scratch_fd = -1,
	};
	int r;

	if (!request.cgroup || *request.cgroup != '/')
		return error_set(err, -EINVAL, "the request names no cgroup");
	r = check_cgroup(daemon, request.cgroup, err);
	if (r)
		return r;
	r = find_policy(daemon, message, peer, err, &source, &policy);
	if (r)
		return r;
	if (policy->environment.is_present) {
		policy_free(policy);
		return error_set(
			err, -EINVAL,
			"the policy has an environment, which a cgroup that exists cannot be "
			"given; attach it under a policy without one");
	}
	request.source = source;
	return start(daemon, message, peer, &request, policy, err, ret_answer);
}
