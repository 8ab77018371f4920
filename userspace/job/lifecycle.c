// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A job from its first trace to its last; see lifecycle.h. */
#include "job/lifecycle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/selftest.h"
#include "kern/identify.h"
#include "kern/publish.h"

/* How long to wait for killed processes to be gone: uninterruptible ones take their time. */
#define REAP_TRIES 500
#define REAP_PAUSE_NS (20 * 1000 * 1000)

static void cleanup_job(struct job **job)
{
	job_free(*job);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

static struct job *job_new(struct kern *kern)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->kern = kern;
	job->cgroup = (struct cgroup)CGROUP_NONE;
	job->state = (struct job_state)JOB_STATE_NONE;
	return job;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	cgroup_close(&job->cgroup);
	job_state_close(&job->state);
	policy_free(job->own_policy);
	roots_free(&job->roots);
	free(job->cgroup_path);
	free(job->id);
	free(job->command);
	free(job->user);
	free(job->alerts);
	free(job);
}

static int parse_policy(struct job *job, const char *text, struct error *err)
{
	struct diag_list diags = { 0 };
	int r = policy_parse(text, strlen(text), "the job's policy", NULL, &diags,
			     &job->own_policy);

	if (r)
		error_set(err, r, "cannot read the job's policy back: %s",
			  diags.cnt ? diags.items[0].text : strerror(-r));
	diag_free(&diags);
	job->policy = job->own_policy;
	return r;
}

/* --- state file ------------------------------------------------------------------------------- */

/* JSON holds text, and these may be any bytes: what is not UTF-8 is kept in hexadecimal. */
static json_t *bytes_to_json(const char *bytes)
{
	json_t *text = json_string(bytes);
	size_t len = strlen(bytes);
	char *hex;

	if (text)
		return text;
	hex = calloc(len + 1, 2);
	for (size_t i = 0; hex && i < len; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
	text = hex ? json_pack("{s:s}", "hex", hex) : NULL;
	free(hex);
	return text;
}

static char *bytes_from_json(const json_t *value)
{
	const char *hex = json_string_value(json_object_get(value, "hex"));
	char *bytes;
	size_t len;

	if (!hex)
		return json_is_string(value) ? strdup(json_string_value(value)) : NULL;
	len = strlen(hex) / 2;
	bytes = calloc(len + 1, 1);
	for (size_t i = 0; bytes && i < len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", (unsigned char *)&bytes[i]) != 1)
			bytes[i] = '?';
	return bytes;
}

static json_t *state_of(const struct job *job)
{
	return json_pack("{s:i, s:s, s:I, s:I, s:I, s:o, s:o, s:s, s:I, s:I, s:I, s:o, s:s}",
			 "version", 1, "id", job->id, "slot", (json_int_t)job->label.slot,
			 "generation", (json_int_t)job->label.generation, "policy_slot",
			 (json_int_t)job->policy_slot, "cgroup", bytes_to_json(job->cgroup_path),
			 "command", bytes_to_json(job->command), "user", job->user, "uid",
			 (json_int_t)job->uid, "pid", (json_int_t)job->pid, "start_ms",
			 (json_int_t)job->start_ms, "alerts", bytes_to_json(job->alerts), "policy",
			 job->policy->canonical);
}

static int write_state(struct job *job, struct error *err)
{
	json_t *content = state_of(job);
	int r;

	if (!content)
		return error_errno(err, -ENOMEM, "cannot write the job's state");
	r = job_state_create(job->id, content, err, &job->state);
	json_decref(content);
	return r;
}

static int read_state(struct job *job, const json_t *content, struct error *err)
{
	const json_t *cgroup, *command, *alerts;
	const char *id, *user, *policy;
	json_int_t slot, generation, policy_slot, uid, pid, start_ms;
	json_error_t json_err;
	int version;

	if (json_unpack_ex((json_t *)content, &json_err, 0,
			   "{s:i, s:s, s:I, s:I, s:I, s:o, s:o, s:s, s:I, s:I, s:I, s:o, s:s}",
			   "version", &version, "id", &id, "slot", &slot, "generation", &generation,
			   "policy_slot", &policy_slot, "cgroup", &cgroup, "command", &command,
			   "user", &user, "uid", &uid, "pid", &pid, "start_ms", &start_ms, "alerts",
			   &alerts, "policy", &policy))
		return error_set(err, -EINVAL, "state file: %s", json_err.text);
	if (version != 1)
		return error_set(err, -EINVAL, "state file: version %d, this build knows 1",
				 version);
	job->label = (struct job_label){ .slot = slot, .generation = generation };
	job->policy_slot = policy_slot;
	job->uid = uid;
	job->pid = pid;
	job->start_ms = start_ms;
	job->id = strdup(id);
	job->cgroup_path = bytes_from_json(cgroup);
	job->command = bytes_from_json(command);
	job->user = strdup(user);
	job->alerts = bytes_from_json(alerts);
	if (!job->id || !job->cgroup_path || !job->command || !job->user || !job->alerts)
		return error_errno(err, -ENOMEM, "state file");
	return parse_policy(job, policy, err);
}

/* --- start ------------------------------------------------------------------------------------ */

static int fill_job(struct job *job, const struct job_request *request, struct error *err)
{
	job->id = strdup(request->id);
	job->command = strdup(request->command);
	job->user = strdup(request->user);
	job->alerts = strdup(request->alerts);
	job->policy = request->policy;
	job->uid = request->uid;
	job->pid = request->pid;
	job->start_ms = now_ms();
	if (!job->id || !job->command || !job->user || !job->alerts)
		return error_errno(err, -ENOMEM, "cannot start the job");
	return 0;
}

static int choose_places(struct job *job, struct error *err)
{
	int r = cgroup_plan(job->id, err, &job->cgroup_path);

	if (!r)
		r = job_choose_slot(job->kern, err, &job->label);
	if (!r)
		r = policy_choose_slot(job->kern, err, &job->policy_slot);
	return r;
}

static const char *refusal(const struct identity *id)
{
	if (id->access == ACCESS_NONE)
		return "which the policy closes";
	if (id->is_writable && id->access == ACCESS_READ)
		return "open for writing, which the policy lets the job only read";
	return NULL;
}

static bool is_open(pid_t pid, int fd)
{
	char link[64];
	struct stat st;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
	return !lstat(link, &st);
}

static int refuse_inherited(const struct job *job, const struct job_request *request, int fd,
			    const struct identity *id, const char *why, struct error *err)
{
	const struct rule *rule = id ? policy_rule(job->policy, id->rule) : NULL;
	char link[64], path[512];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", request->pid, fd);
	len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	return error_set(err, -EPERM,
			 "descriptor %d is %s, %s (rule \"%s\"); redirect it elsewhere", fd, path,
			 why, rule ? rule->id : "none");
}

/* A descriptor open before the policy must not be a way round it. */
static int check_inherited(struct job *job, const struct job_request *request, struct error *err)
{
	_cleanup_free_ struct identity *ids = NULL;
	size_t cnt;
	int r = identify_files(job->kern, request->pid, job->policy_slot, err, &ids, &cnt);

	for (size_t i = 0; !r && i < request->inherit_cnt; i++) {
		int fd = request->inherit[i];
		const struct identity *id = identity_of_fd(ids, cnt, fd);
		const char *why = id ? refusal(id) : "which the kernel does not name";

		if (why && (id || is_open(request->pid, fd)))
			r = refuse_inherited(job, request, fd, id, why, err);
	}
	return r;
}

static int make_cgroup(struct job *job, struct error *err)
{
	int r = cgroup_create(job->cgroup_path, err, &job->cgroup);

	if (!r)
		r = kern_attach_cgroup(job->kern, job->cgroup.fd, job->cgroup.id, job->label, err);
	if (!r)
		r = job_label_cgroup(job->kern, job->cgroup.id, job->label, err);
	return r;
}

/* A terminal, a pipe or /dev/null as the place for alerts is not ours to close. */
static bool is_regular(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

static int put_in_force(struct job *job, struct error *err)
{
	const char *const own[] = { KERN_PIN_ROOT, STATE_ROOT,
				    is_regular(job->alerts) ? job->alerts : NULL, NULL };
	int r = job_make_ring(job->kern, job->label, err);

	if (!r)
		r = policy_publish(job->kern, job->policy, own, job->policy_slot, err,
				   &job->roots);
	if (!r)
		r = job_publish(job->kern, job->label, job->policy_slot, err);
	if (!r)
		r = make_cgroup(job, err);
	return r;
}

int job_create(struct kern *kern, const struct job_request *request, struct error *err,
	       struct job **ret_job)
{
	_cleanup_(cleanup_job) struct job *job = job_new(kern);
	int r;

	if (!job)
		return error_errno(err, -ENOMEM, "cannot start the job");
	r = fill_job(job, request, err);
	if (!r)
		r = choose_places(job, err);
	if (!r)
		r = write_state(job, err);
	if (r)
		return r;
	r = put_in_force(job, err);
	if (r) {
		job_end(job, NULL);
		return r;
	}
	*ret_job = TAKE_PTR(job);
	return 0;
}

/* Label first: were it the other way round, a failure would leave a process in the cgroup that is
 * not under the policy. */
int job_admit(struct job *job, const struct job_request *request, struct error *err)
{
	int r = check_inherited(job, request, err);

	if (!r)
		r = job_label_task(job->kern, request->pidfd, job->label, err);
	if (r)
		return r;
	r = cgroup_enter(&job->cgroup, request->pid, err);
	if (r)
		job_unlabel_task(job->kern, request->pidfd);
	else
		job->state.progress->is_admitted = 1;
	return r;
}

int job_adopt(struct kern *kern, struct job_state *state, const json_t *content, struct error *err,
	      struct job **ret_job)
{
	_cleanup_(cleanup_job) struct job *job = job_new(kern);
	int r;

	if (!job)
		return error_errno(err, -ENOMEM, "cannot adopt the job");
	r = read_state(job, content, err);
	if (r)
		return r;
	/*
	 * Gone if the controller died before it was made, or if someone removed it after the last
	 * process.
	 */
	r = cgroup_open(job->cgroup_path, err, &job->cgroup);
	if (r && r != -ENOENT)
		return r;
	job->is_adopted = true;
	job->state = *state;
	*state = (struct job_state)JOB_STATE_NONE;
	*ret_job = TAKE_PTR(job);
	return 0;
}

/* --- end -------------------------------------------------------------------------------------- */

static int kill_and_remove_cgroup(struct job *job)
{
	struct timespec pause = { .tv_nsec = REAP_PAUSE_NS };
	int r = -EBUSY;

	for (int i = 0; i < REAP_TRIES && r == -EBUSY; i++) {
		if (i)
			nanosleep(&pause, NULL);
		cgroup_kill(&job->cgroup);
		r = cgroup_remove(&job->cgroup);
	}
	return r;
}

int job_end(struct job *job, struct error *err)
{
	if (job->cgroup.fd >= 0) {
		int r = kill_and_remove_cgroup(job);

		if (r)
			return error_errno(err, r, "cannot remove cgroup %s of job %s",
					   job->cgroup.path, job->id);
	}
	job_forget_cgroup(job->kern, job->label);
	selftest_sweep(job->label);
	job_withdraw(job->kern, job->label);
	policy_withdraw(job->kern, job->policy_slot);
	job_state_remove(&job->state);
	return 0;
}
