// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests that put something under a policy; see request_run.h. */
#include "daemon/request_run.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"
#include "daemon/tell.h"
#include "job/cgroup.h"
#include "job/environment.h"

/* --- what the job is -------------------------------------------------------------------------- */

static size_t jobs_of(const struct controller *controller, uid_t uid)
{
	size_t cnt = 0;

	for (const struct watch *w = controller->watches; w; w = w->next)
		cnt += w->job->asked_by == uid;
	return cnt;
}

/*
 * A self-test that does not end holds up everybody for some seconds, and who owns the cgroup above
 * the job's can have that by freezing it. Not over and over.
 */
#define SLOW_PAUSE_MS 60000

static int check_slow(const struct daemon *daemon, const struct peer *peer, struct error *err)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	for (size_t i = 0; i < SLOW_USERS_MAX; i++)
		if (daemon->slow_users[i].uid == peer->uid && daemon->slow_users[i].until_ms > now)
			return error_set(
				err, -EAGAIN,
				"the self-test of a job of yours did not come to its end (is its "
				"cgroup frozen?); wait %lld s, then run it again",
				(long long)(daemon->slow_users[i].until_ms - now) / 1000 + 1);
	return 0;
}

static void note_slow(struct daemon *daemon, const struct peer *peer)
{
	if (!peer->uid)
		return;
	daemon->slow_users[daemon->slow_user_next++ % SLOW_USERS_MAX] = (struct slow_user){
		.uid = peer->uid,
		.until_ms = clock_ms(CLOCK_MONOTONIC) + SLOW_PAUSE_MS,
	};
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

/* The places are the caller's; they live as long as the request. */
struct rooms {
	char id[JOB_ID_MAX + 1];
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

static int fill_job(struct daemon *daemon, const struct request *request, struct rooms *rooms,
		    struct error *err, struct job_request *job)
{
	const struct message *message = &request->message;
	const char *id = message_string(message, "job"),
		   *alerts = message_string(message, "alerts");
	const char *site_alerts = daemon->site && daemon->site->alerts ? daemon->site->alerts
								       : DEFAULT_ALERTS;

	if (alerts && (request->peer.uid || *alerts != '/'))
		return error_set(
			err, -EPERM,
			"the daemon's alerts go where the site says; only root may name an "
			"absolute path");
	if (!id && job_id_make(request->policy->name, err, rooms->id))
		return err->code;
	job->id = id ? id : rooms->id;
	fill_command(message_string(message, "command"), rooms->command, sizeof(rooms->command));
	job->command = rooms->command;
	job->origin = json_object_get(message->json, "origin");
	job->alerts = alerts ? alerts : site_alerts;
	job->source = request->source;
	job->asked_by = request->peer.uid;
	job->uid = request->uid;
	job->user = request->user;
	return job_id_check(job->id, err);
}

/* root may leave the self-test out; the site decides for everybody else. */
static bool is_self_tested(const struct daemon *daemon, const struct request *request)
{
	if (!request->peer.uid &&
	    json_is_false(json_object_get(request->message.json, "self_test")))
		return false;
	return !daemon->site || daemon->site->self_test;
}

static int start(struct daemon *daemon, struct request *request, struct job_request *job,
		 struct error *err, json_t **ret_answer)
{
	struct rooms rooms;
	struct watch *watch;
	int r = check_limits(daemon, &request->peer, err);

	if (!r)
		r = check_slow(daemon, &request->peer, err);
	if (!r)
		r = fill_job(daemon, request, &rooms, err, job);
	if (r)
		return r;
	job->places = TAKE_PTR(request->places);
	r = controller_start(daemon->controller, job, is_self_tested(daemon, request), err, &watch);
	if (r == -ETIMEDOUT)
		note_slow(daemon, &request->peer);
	if (r)
		return r;
	if (job->pidfd >= 0 && json_is_true(json_object_get(request->message.json, "tell")))
		watch->tell_fd = tell_open(job->pid, job->pidfd, job->asked_by);
	*ret_answer = json_pack("{s:s}", "job", watch->job->id);
	return 0;
}

/* --- run -------------------------------------------------------------------------------------- */

static int ask_for_environment(const struct policy *policy, json_t **ret_answer)
{
	*ret_answer = json_pack("{s:s, s:s}", "step", "environment", "policy_text",
				policy->canonical);
	return *ret_answer ? 0 : -ENOMEM;
}

bool request_lacks_environment(const struct request *request)
{
	const char *made = message_string(&request->message, "environment_of");

	return request->operation->fn == request_run && request->policy->environment.is_present &&
	       !(made && !strcmp(made, request->policy->digest));
}

int request_run(struct daemon *daemon, struct request *request, struct error *err,
		json_t **ret_answer)
{
	const struct peer *peer = &request->peer;
	struct job_request job = {
		.pid = peer->pid,
		.pidfd = peer->pidfd,
		.asked_by_gid = peer->gid,
		.scratch_fd = -1,
	};

	if (request_lacks_environment(request))
		return ask_for_environment(request->policy, ret_answer);
	if (request->policy->environment.is_present)
		job.scratch_fd = request->scratch_fd;
	return start(daemon, request, &job, err, ret_answer);
}

int request_map_ids(struct daemon *daemon, struct request *request, struct error *err,
		    json_t **ret_answer)
{
	const struct peer *peer = &request->peer;

	(void)daemon;
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

int request_attach(struct daemon *daemon, struct request *request, struct error *err,
		   json_t **ret_answer)
{
	struct job_request job = {
		.cgroup = message_string(&request->message, "cgroup"),
		.pidfd = -1,
		.scratch_fd = -1,
	};
	int r;

	if (!job.cgroup || *job.cgroup != '/')
		return error_set(err, -EINVAL, "the request names no cgroup");
	r = check_cgroup(daemon, job.cgroup, err);
	if (r)
		return r;
	if (request->policy->environment.is_present)
		return error_set(
			err, -EINVAL,
			"the policy has an environment, which a cgroup that exists cannot be "
			"given; attach it under a policy without one");
	return start(daemon, request, &job, err, ret_answer);
}
