// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What clients may ask of the daemon; see request.h. */
#include "daemon/request.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/peer.h"
#include "daemon/reload.h"
#include "daemon/report.h"
#include "daemon/request_run.h"
#include "job/content.h"
#include "kern/jobs.h"

/* Bodies of requests that bring no policy's text. */
#define SMALL_BODY_MAX (64 * 1024)

typedef int (*request_fn)(struct daemon *daemon, const struct message *message,
			  const struct peer *peer, struct error *err, json_t **ret_answer);

/* --- answers ---------------------------------------------------------------------------------- */

json_t *request_failure(const struct error *err)
{
	return json_pack("{s:i, s:b, s:s, s:s}", "version", MESSAGE_VERSION, "ok", 0, "errno",
			 strerrorname_np(-err->code) ?: "EIO", "error", err->text);
}

/* Takes the reference. */
static json_t *success(json_t *members)
{
	json_t *answer = json_pack("{s:i, s:b}", "version", MESSAGE_VERSION, "ok", 1);

	if (answer && members)
		json_object_update(answer, members);
	json_decref(members);
	return answer;
}

size_t request_body_max(const struct daemon *daemon, uid_t uid)
{
	/* Groups are looked at when the request is; here only the size is at stake. */
	if (!uid)
		return MESSAGE_BODY_MAX;
	for (size_t i = 0; daemon->site && i < daemon->site->permission_cnt; i++)
		if (daemon->site->permissions[i].own_policies)
			return MESSAGE_BODY_MAX;
	return SMALL_BODY_MAX;
}

/* --- whose job -------------------------------------------------------------------------------- */

static bool is_owner(const struct peer *peer, const struct job *job)
{
	return !peer->uid || peer->uid == job->uid || peer->uid == job->asked_by;
}

/* To others a job that is not theirs is no job. */
static int find_job(struct daemon *daemon, const struct message *message, const struct peer *peer,
		    struct error *err, struct watch **ret_watch)
{
	const char *id = message_string(message, "job");
	struct watch *watch = id ? controller_find(daemon->controller, id) : NULL;

	if (!id)
		return error_set(err, -EINVAL, "the request names no job");
	if (!watch || !is_owner(peer, watch->job))
		return error_set(err, -ENOENT, "there is no job \"%s\"", id);
	*ret_watch = watch;
	return 0;
}

/* --- operations ------------------------------------------------------------------------------- */

static int request_jobs(struct daemon *daemon, const struct message *message,
			const struct peer *peer, struct error *err, json_t **ret_answer)
{
	json_auto_t *jobs = json_array();

	(void)message;
	if (!jobs)
		return error_errno(err, -ENOMEM, "cannot list the jobs");
	for (struct watch *watch = daemon->controller->watches; watch; watch = watch->next)
		if (is_owner(peer, watch->job) && json_array_append_new(jobs, report_job(watch)))
			return error_errno(err, -ENOMEM, "cannot list the jobs");
	if (!peer->uid && report_others(daemon->controller, jobs))
		return error_errno(err, -ENOMEM, "cannot list the jobs");
	*ret_answer = json_pack("{s:O}", "jobs", jobs);
	return *ret_answer ? 0 : error_errno(err, -ENOMEM, "cannot list the jobs");
}

static int request_status(struct daemon *daemon, const struct message *message,
			  const struct peer *peer, struct error *err, json_t **ret_answer)
{
	struct watch *watch;
	int r = find_job(daemon, message, peer, err, &watch);

	if (r)
		return r;
	watch_drain(watch);
	*ret_answer = json_pack("{s:o}", "job", report_status(watch));
	return *ret_answer ? 0 : error_errno(err, -ENOMEM, "cannot tell the job's status");
}

static int request_kill(struct daemon *daemon, const struct message *message,
			const struct peer *peer, struct error *err, json_t **ret_answer)
{
	struct watch *watch;
	int r = find_job(daemon, message, peer, err, &watch);

	(void)ret_answer;
	if (r)
		return r;
	r = watch_kill(watch, END_BY_KILL);
	return r ? error_errno(err, r, "cannot kill job \"%s\"", watch->job->id) : 0;
}

static int request_whois(struct daemon *daemon, const struct message *message,
			 const struct peer *peer, struct error *err, json_t **ret_answer)
{
	json_int_t pid = json_integer_value(json_object_get(message->json, "pid"));
	_cleanup_fd_ int pidfd = -1;
	struct job_label label;
	struct watch *watch;
	int r;

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return error_set(err, -ESRCH, "there is no process %lld", (long long)pid);
	r = job_of_pid(daemon->controller->kern, pidfd, &label);
	watch = r ? NULL : controller_find_label(daemon->controller, label);
	if (!watch || !is_owner(peer, watch->job))
		return error_set(err, -ENOENT, "process %lld is in no job%s", (long long)pid,
				 peer->uid ? " of yours" : "");
	*ret_answer = report_job(watch);
	return *ret_answer ? 0 : error_errno(err, -ENOMEM, "cannot tell whose process it is");
}

static int request_reload(struct daemon *daemon, const struct message *message,
			  const struct peer *peer, struct error *err, json_t **ret_answer)
{
	const char *id = message_string(message, "job");
	struct watch *watch;
	size_t unchanged;
	int r = id ? find_job(daemon, message, peer, err, &watch) : 0;

	if (!r)
		r = daemon_reload(daemon, id, err, &unchanged);
	if (r < 0)
		return r;
	*ret_answer = json_pack("{s:i, s:I}", "replaced", r, "unchanged", (json_int_t)unchanged);
	return 0;
}

static int request_teardown(struct daemon *daemon, const struct message *message,
			    const struct peer *peer, struct error *err, json_t **ret_answer)
{
	(void)message;
	(void)peer;
	(void)err;
	(void)ret_answer;
	daemon_tear_down(daemon);
	return 0;
}

/* --- dispatch --------------------------------------------------------------------------------- */

static const struct {
	const char *op;
	request_fn fn;
	bool is_for_root;
} operations[] = {
	{ "run", request_run, false },          { "map_ids", request_map_ids, false },
	{ "jobs", request_jobs, false },        { "status", request_status, false },
	{ "kill", request_kill, false },        { "whois", request_whois, false },
	{ "attach", request_attach, true },     { "reload", request_reload, true },
	{ "teardown", request_teardown, true },
};

static int dispatch(struct daemon *daemon, const struct message *message, const struct peer *peer,
		    struct error *err, json_t **ret_answer)
{
	const char *op = message_string(message, "op");

	for (size_t i = 0; op && i < ARRAY_SIZE(operations); i++) {
		if (strcmp(operations[i].op, op))
			continue;
		if (operations[i].is_for_root && peer->uid)
			return error_set(err, -EPERM, "only root may ask the daemon to %s", op);
		return operations[i].fn(daemon, message, peer, err, ret_answer);
	}
	return error_set(err, -ENOSYS, "the daemon knows no such operation");
}

json_t *request_handle(struct daemon *daemon, int sock, const struct message *message)
{
	_cleanup_(peer_free) struct peer peer = { .pidfd = -1 };
	struct error err = { 0 };
	json_t *members = NULL;
	int r = peer_identify(daemon, sock, message, &err, &peer);

	if (!r)
		r = dispatch(daemon, message, &peer, &err, &members);
	if (!r)
		return success(members);
	json_decref(members);
	if (!err.code)
		error_errno(&err, r, "the daemon failed");
	return request_failure(&err);
}
