// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What clients may ask of the daemon; see request.h. */
#include "daemon/request.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/bodies.h"
#include "daemon/learned.h"
#include "daemon/reload.h"
#include "daemon/report.h"
#include "daemon/request_run.h"
#include "job/outputs.h"
#include "job/process.h"
#include "kern/jobs.h"

/* --- answers ---------------------------------------------------------------------------------- */

json_t *request_failure(const struct error *err)
{
	return json_pack("{s:i, s:b, s:s, s:s}", "version", MESSAGE_VERSION, "ok", 0, "errno",
			 strerrorname_np(-err->code) ?: "EIO", "error", err->text);
}

json_t *request_success(json_t *members)
{
	json_t *answer = json_pack("{s:i, s:b}", "version", MESSAGE_VERSION, "ok", 1);

	if (answer && members)
		json_object_update(answer, members);
	json_decref(members);
	return answer;
}

/* --- whose job -------------------------------------------------------------------------------- */

static bool is_owner(const struct peer *peer, const struct job *job)
{
	return !peer->uid || peer->uid == job->uid || peer->uid == job->asked_by;
}

/* To others a job that is not theirs is no job. */
static int find_job(struct daemon *daemon, const struct request *request, struct error *err,
		    struct watch **ret_watch)
{
	const char *id = message_string(&request->message, "job");
	struct watch *watch = id ? controller_find(daemon->controller, id) : NULL;

	if (!id)
		return error_set(err, -EINVAL, "the request names no job");
	if (!watch || !is_owner(&request->peer, watch->job))
		return error_set(err, -ENOENT, "there is no job \"%s\"", id);
	*ret_watch = watch;
	return 0;
}

/* --- operations ------------------------------------------------------------------------------- */

static int request_jobs(struct daemon *daemon, struct request *request, struct error *err,
			json_t **ret_answer)
{
	json_auto_t *jobs = json_array();

	if (!jobs)
		return error_errno(err, -ENOMEM, "cannot list the jobs");
	for (struct watch *watch = daemon->controller->watches; watch; watch = watch->next)
		if (is_owner(&request->peer, watch->job) && json_array_append_new(jobs, report_job(watch)))
			return error_errno(err, -ENOMEM, "cannot list the jobs");
	if (!request->peer.uid && report_others(daemon->controller, jobs))
		return error_errno(err, -ENOMEM, "cannot list the jobs");
	*ret_answer = json_pack("{s:O}", "jobs", jobs);
	return *ret_answer ? 0 : error_errno(err, -ENOMEM, "cannot list the jobs");
}

static int request_status(struct daemon *daemon, struct request *request, struct error *err,
			  json_t **ret_answer)
{
	json_auto_t *report = NULL;
	struct watch *watch;
	int r = find_job(daemon, request, err, &watch);

	if (r)
		return r;
	watch_drain(watch);
	report = report_status(watch);
	if (report && json_object_set_new(report, "names", learned_report(watch->job)))
		return error_errno(err, -ENOMEM, "cannot tell where its names lead");
	/* Where a site keeps its evidence is not for everybody. */
	if (report && !request->peer.uid &&
	    json_object_set_new(report, "sinks", sinks_report(daemon->controller->sinks)))
		return error_errno(err, -ENOMEM, "cannot tell the job's status");
	*ret_answer = json_pack("{s:O}", "job", report);
	return *ret_answer ? 0 : error_errno(err, -ENOMEM, "cannot tell the job's status");
}

static int request_kill(struct daemon *daemon, struct request *request, struct error *err,
			json_t **ret_answer)
{
	struct watch *watch;
	int r = find_job(daemon, request, err, &watch);

	(void)ret_answer;
	if (r)
		return r;
	r = job_kill(watch->job, END_BY_KILL);
	return r ? error_errno(err, r, "cannot kill job \"%s\"", watch->job->id) : 0;
}

static int request_whois(struct daemon *daemon, struct request *request, struct error *err,
			 json_t **ret_answer)
{
	json_int_t pid = json_integer_value(json_object_get(request->message.json, "pid"));
	_cleanup_fd_ int pidfd = -1;
	struct job_label label;
	struct watch *watch;
	int r;

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return error_set(err, -ESRCH, "there is no process %lld", (long long)pid);
	r = job_of_pid(daemon->controller->kern, pidfd, &label);
	watch = r ? NULL : controller_find_label(daemon->controller, label);
	if (!watch || !is_owner(&request->peer, watch->job))
		return error_set(err, -ENOENT, "process %lld is in no job%s", (long long)pid,
				 request->peer.uid ? " of yours" : "");
	*ret_answer = report_job(watch);
	return *ret_answer ? 0 : error_errno(err, -ENOMEM, "cannot tell whose process it is");
}

static int request_reload(struct daemon *daemon, struct request *request, struct error *err,
			  json_t **ret_answer)
{
	const char *id = message_string(&request->message, "job");
	struct watch *watch;
	size_t unchanged;
	int r = id ? find_job(daemon, request, err, &watch) : 0;

	if (!r)
		r = daemon_reload(daemon, id, err, &unchanged);
	if (r < 0)
		return r;
	*ret_answer = json_pack("{s:i, s:I}", "replaced", r, "unchanged", (json_int_t)unchanged);
	return 0;
}

static int request_metrics(struct daemon *daemon, struct request *request, struct error *err,
			   json_t **ret_answer)
{
	json_auto_t *jobs = json_array();
	struct kernel_stats stats = { 0 };

	(void)request;
	for (struct watch *watch = daemon->controller->watches; jobs && watch; watch = watch->next)
		if (json_array_append_new(jobs, report_status(watch)))
			return error_errno(err, -ENOMEM, "cannot collect the counters");
	kern_read_stats(daemon->controller->kern, &stats);
	*ret_answer = json_pack("{s:O, s:o, s:{s:I, s:I, s:I, s:I, s:I}}", "jobs", jobs, "sinks",
				sinks_report(daemon->controller->sinks), "kernel", "not_in_force",
				(json_int_t)stats.not_in_force, "label_misses",
				(json_int_t)stats.label_misses, "enter_failures",
				(json_int_t)stats.enter_failures, "names_lost",
				(json_int_t)stats.names_lost, "connections_cut",
				(json_int_t)stats.cut);
	return *ret_answer ? 0 : error_errno(err, -ENOMEM, "cannot collect the counters");
}

static int request_teardown(struct daemon *daemon, struct request *request, struct error *err,
			    json_t **ret_answer)
{
	(void)request;
	(void)err;
	(void)ret_answer;
	daemon_tear_down(daemon);
	return 0;
}

/* --- dispatch --------------------------------------------------------------------------------- */

static const struct operation operations[] = {
	{ "run", .fn = request_run, .has_policy = true },
	{ "attach", .fn = request_attach, .is_for_root = true, .has_policy = true },
	{ "map_ids", .fn = request_map_ids },
	{ "jobs", .fn = request_jobs },
	{ "status", .fn = request_status },
	{ "kill", .fn = request_kill },
	{ "whois", .fn = request_whois },
	{ "reload", .fn = request_reload, .is_for_root = true },
	{ "teardown", .fn = request_teardown, .is_for_root = true },
	{ "metrics", .fn = request_metrics, .is_for_root = true },
};

const struct operation *request_operation(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(operations); i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

static int check_outside(struct daemon *daemon, const struct peer *peer, struct error *err)
{
	struct job_label label;
	int r = job_of_pid(daemon->controller->kern, peer->pidfd, &label);

	if (!r)
		return error_set(err, -EPERM, "a process in a job cannot ask the daemon");
	return r == -ENOENT ? 0 : error_errno(err, r, "cannot tell whether the sender is in a job");
}

int request_execute(struct daemon *daemon, struct request *request, struct error *err,
		    json_t **ret_members)
{
	/* It may have waited for its turn. */
	int r = process_check(request->peer.pid, request->peer.pidfd);

	if (r)
		return error_errno(err, r, "who asks is gone");
	r = check_outside(daemon, &request->peer, err);
	if (!r)
		r = request->operation->fn(daemon, request, err, ret_members);
	if (r && !err->code)
		error_errno(err, r, "the daemon failed");
	return r;
}

void request_clear(struct request *request)
{
	places_free(request->places);
	outputs_free(request->outputs);
	policy_free(request->policy);
	free(request->source);
	cleanup_fd(&request->scratch_fd);
	message_free(&request->message);
	bodies_return(request->peer.uid, request->body_len);
	peer_free(&request->peer);
	*request = (struct request)REQUEST_NONE;
}
