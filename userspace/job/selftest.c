// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Do the job's rules bite? See selftest.h. */
#include "job/selftest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "job/canary.h"
#include "job/state.h"
#include "kern/jobs.h"

/* Each may be absent, and is a line of the record then. */
#define OPTIONAL_EXECS_MAX 8

/* Rules that deny programs, of which each is tried by running and by mapping one. */
#define EXEC_RULES_MAX (OPTIONAL_EXECS_MAX + 1)

/*
 * Acts in no table: exec, socket, two guards, family, received, three packets, what is allowed (a
 * place, a file without a name), chroot.
 */
#define SINGLE_ACTS 12

/* One self-test while it is made. */
struct trial {
	struct job_label label;
	const struct policy *policy;
	char folder[64];
	int file_fd; /* OWN_FILE; -1 until there is one */
	struct attempt *attempts;
	bool *is_recorded;
	size_t cnt;
	struct attempt_result *results; /* shared with the canary */
	size_t results_len;
	int stream_fd, datagram_fd; /* what the canary must not reach; -1: not there */
	int socket_fd;              /* what it must not receive; -1: this kernel has none */
	struct objects objects;     /* what it must not use */
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* --- the canary's folder ---------------------------------------------------------------------- */

static void name_folder(struct job_label label, char *ret_path, size_t size)
{
	snprintf(ret_path, size, STATE_ROOT "/canary-%u", label.slot);
}

/* Its name goes by the job's slot, which no other job has meanwhile. */
void selftest_sweep(struct job_label label)
{
	static const char *const names[] = { OWN_FILE, OWN_DIR, OWN_LINK,
					     OWN_NEW, OWN_STREAM, OWN_DATAGRAM };
	_cleanup_fd_ int fd = -1;
	char path[64];

	name_folder(label, path, sizeof(path));
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (unlinkat(fd, names[i], 0))
			unlinkat(fd, names[i], AT_REMOVEDIR);
	rmdir(path);
}

/* In a folder that is open, because its path may be longer than an address holds. */
static int make_socket(int folder_fd, const char *name, int type)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", folder_fd, name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    (type == SOCK_STREAM && listen(fd, 1)))
		return -errno;
	return TAKE_FD(fd);
}

/* Empty, but for what a self-test does not know. Returns a descriptor or -errno. */
static int open_new_folder(const struct trial *trial)
{
	int fd, r = mkdir(trial->folder, 0700) ? -errno : 0;

	if (r == -EEXIST) {
		selftest_sweep(trial->label);
		r = mkdir(trial->folder, 0700) && errno != EEXIST ? -errno : 0;
	}
	if (r)
		return r;
	fd = open(trial->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int make_folder(struct trial *trial, struct error *err)
{
	_cleanup_fd_ int fd = -1;

	name_folder(trial->label, trial->folder, sizeof(trial->folder));
	fd = open_new_folder(trial);
	if (fd < 0)
		return error_errno(err, fd, "self-test: cannot make %s", trial->folder);
	trial->file_fd = openat(fd, OWN_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (trial->file_fd < 0 || mkdirat(fd, OWN_DIR, 0700) || symlinkat(OWN_FILE, fd, OWN_LINK))
		return error_errno(err, -errno, "self-test: cannot fill %s", trial->folder);
	trial->stream_fd = make_socket(fd, OWN_STREAM, SOCK_STREAM);
	trial->datagram_fd = make_socket(fd, OWN_DATAGRAM, SOCK_DGRAM);
	if (trial->stream_fd < 0 || trial->datagram_fd < 0)
		return error_errno(err, trial->stream_fd < 0 ? trial->stream_fd : trial->datagram_fd,
				   "self-test: cannot make a socket in %s", trial->folder);
	trial->socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	objects_make(&trial->objects);
	return 0;
}

/* --- what to attempt -------------------------------------------------------------------------- */

static struct attempt *add(struct trial *trial, const struct act *act)
{
	struct attempt *attempt = &trial->attempts[trial->cnt++];

	*attempt = (struct attempt){ .act = act };
	return attempt;
}

/* Is there a rule that lets something below that place run after all? */
static bool has_exception(const struct policy *policy, const char *path)
{
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (policy->rules[i].class == RULE_EXEC && policy->rules[i].access == EXEC_ALLOW &&
		    path_is_in(policy->rules[i].path, path))
			return true;
	return false;
}

/* By default, or only by rules: then one of those is enough to try the hook on. */
static void add_exec(struct trial *trial)
{
	const struct policy *policy = trial->policy;
	struct attempt *attempt = add(trial, &exec_act);
	unsigned int optional_cnt = 0;

	for (size_t i = 0; i < map_act_cnt; i++)
		add(trial, &map_acts[i])->is_left_out = policy->exec_default == EXEC_ALLOW;
	if (policy->exec_default != EXEC_ALLOW)
		return;
	attempt->is_left_out = true;
	for (size_t i = 0; i < policy->rule_cnt; i++) {
		const struct rule *rule = &policy->rules[i];

		if (rule->class != RULE_EXEC || rule->access != EXEC_DENY ||
		    (rule->is_optional && optional_cnt >= OPTIONAL_EXECS_MAX) ||
		    has_exception(policy, rule->path))
			continue;
		add(trial, &exec_rule_act)->rule = rule;
		add(trial, &map_rule_act)->rule = rule;
		if (!rule->is_optional)
			break;
		optional_cnt++;
	}
}

static void add_socket(struct trial *trial)
{
	size_t i = 0;

	while (i + 1 < socket_act_cnt && trial->policy->sockets >> socket_acts[i].socket_class & 1)
		i++;
	add(trial, &socket_acts[i])->is_left_out =
		trial->policy->sockets >> socket_acts[i].socket_class & 1;
}

static bool has_capability(const struct trial *trial, unsigned int capability)
{
	return trial->policy->capabilities >> capability & 1;
}

static void add_guard(struct trial *trial)
{
	for (size_t i = 0; i < guard_act_cnt; i++)
		add(trial, &guard_acts[i]);
	for (size_t i = 0; i < object_act_cnt; i++)
		add(trial, &object_acts[i])->objects = &trial->objects;
	for (size_t i = 0; i < allowed_object_act_cnt; i++)
		add(trial, &allowed_object_acts[i]);
	add(trial, &capability_act)->is_left_out = has_capability(trial, CAP_SYS_RESOURCE);
	add(trial, &user_namespace_act)->is_left_out = trial->policy->user_namespaces;
}

static void add_net(struct trial *trial)
{
	const struct policy *policy = trial->policy;

	add(trial, &family_act)->is_left_out = policy->egress_default == EGRESS_ALLOW;
	for (size_t i = 0; i < net_act_cnt; i++) {
		struct attempt *attempt = add(trial, &net_acts[i]);

		attempt->is_left_out =
			destination_find_denied(policy, net_acts[i].kind, &attempt->to) != 0;
	}
}

static void add_unix(struct trial *trial)
{
	for (size_t i = 0; i < unix_act_cnt; i++)
		add(trial, &unix_acts[i]);
}

/* Sockets that no program of the job's cgroup would see. */
static void add_foreign_sockets(struct trial *trial)
{
	bool is_unjudged = trial->policy->egress_default == EGRESS_ALLOW &&
			   trial->policy->ingress_default == INGRESS_ALLOW;
	struct attempt *received = add(trial, &receive_socket_act);
	struct attempt *moved = add(trial, &moved_socket_act);

	received->socket_fd = trial->socket_fd;
	received->is_left_out = is_unjudged;
	moved->is_left_out = is_unjudged;
}

static void add_packets(struct trial *trial)
{
	struct destination to = destination_loopback();
	struct attempt *attempt = add(trial, &allowed_own_act);

	attempt->to = to;
	attempt = add(trial, &packet_out_act);
	attempt->to = to;
	attempt->is_left_out = trial->policy->egress_default == EGRESS_ALLOW;
	attempt = add(trial, &packet_in_act);
	attempt->is_left_out =
		destination_find_stranger(trial->policy, &attempt->to, &attempt->from) != 0;
}

static void add_datasets(struct trial *trial)
{
	for (size_t i = 0; i < trial->policy->rule_cnt; i++) {
		const struct rule *rule = &trial->policy->rules[i];

		if (rule->class == RULE_DATASET && rule->access == ACCESS_READ)
			add(trial, &dataset_write_act)->rule = rule;
		else if (rule->class == RULE_DATASET && rule->access == ACCESS_NONE)
			add(trial, &dataset_read_act)->rule = rule;
	}
}

static bool is_open(const struct rule *rule)
{
	return (rule->class == RULE_DATASET || rule->class == RULE_FILESYSTEM) &&
	       rule->access >= ACCESS_READ && !rule->is_optional &&
	       !path_is_in(rule->path, STATE_ROOT) && !path_is_in(rule->path, KERN_PIN_ROOT);
}

static bool names_root(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (policy->rules[i].class == RULE_FILESYSTEM &&
		    !strcmp(policy->rules[i].path, "/"))
			return true;
	return false;
}

/* The root of a rule that opens something, else the root directory if the default does. */
static void add_allowed_place(struct trial *trial)
{
	const struct policy *policy = trial->policy;

	for (size_t i = 0; i < policy->rule_cnt; i++) {
		if (!is_open(&policy->rules[i]))
			continue;
		add(trial, &allowed_place_act)->rule = &policy->rules[i];
		return;
	}
	if (policy->file_default >= ACCESS_READ && !names_root(policy))
		add(trial, &allowed_place_act)->path = "/";
}

/* On files of our own and on mounts, by those tables whose hooks the policy gives something to do. */
static void add_hooks(struct trial *trial, int cgroup_fd)
{
	bool may_mount = trial->policy->mounts == MOUNTS_ALLOW;

	for (size_t i = 0; i < hook_act_cnt; i++)
		add(trial, &hook_acts[i])->cgroup_fd = cgroup_fd;
	for (size_t i = 0; i < attr_act_cnt; i++)
		add(trial, &attr_acts[i])->file_fd = trial->file_fd;
	for (size_t i = 0; i < mount_act_cnt; i++)
		add(trial, &mount_acts[i])->is_left_out = may_mount;
}

/* What the acts need to come to their hooks; never the one that capability_act is refused. */
static uint64_t find_lifted(const struct trial *trial)
{
	uint64_t lifted = 0;

	for (size_t i = 0; i < trial->cnt; i++)
		if (!trial->attempts[i].is_left_out)
			lifted |= trial->attempts[i].act->capabilities;
	return lifted & ~(1ULL << CAP_SYS_RESOURCE);
}

static int make_plan(struct trial *trial, int cgroup_fd)
{
	/* Of each rule that is tried, one act, and of those of programs another. */
	size_t room = hook_act_cnt + attr_act_cnt + map_act_cnt + mount_act_cnt + net_act_cnt +
		      unix_act_cnt + guard_act_cnt + object_act_cnt + allowed_object_act_cnt + SINGLE_ACTS + trial->policy->rule_cnt +
		      EXEC_RULES_MAX;

	trial->attempts = calloc(room, sizeof(*trial->attempts));
	trial->is_recorded = calloc(room, sizeof(*trial->is_recorded));
	if (!trial->attempts || !trial->is_recorded)
		return -ENOMEM;
	add_hooks(trial, cgroup_fd);
	add_exec(trial);
	add_socket(trial);
	add_unix(trial);
	add_foreign_sockets(trial);
	add_packets(trial); /* before what may leave the network that has a loopback */
	add_guard(trial);
	add_net(trial);
	add_datasets(trial);
	add_allowed_place(trial);
	add(trial, &allowed_nameless_act);
	add(trial, &chroot_act);
	trial->results_len = trial->cnt * sizeof(*trial->results);
	trial->results = mmap(NULL, trial->results_len, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trial->results == MAP_FAILED)
		trial->results = NULL;
	return trial->results ? 0 : -ENOMEM;
}

static void trial_free(struct trial *trial)
{
	cleanup_fd(&trial->file_fd);
	if (trial->folder[0])
		selftest_sweep(trial->label);
	cleanup_fd(&trial->stream_fd);
	cleanup_fd(&trial->datagram_fd);
	cleanup_fd(&trial->socket_fd);
	objects_remove(&trial->objects);
	if (trial->results)
		munmap(trial->results, trial->results_len);
	free(trial->attempts);
	free(trial->is_recorded);
}

/* --- what the kernel says of it --------------------------------------------------------------- */

static bool is_proof(const struct trial *trial, const struct act *act, const struct event *event)
{
	bool is_audit = trial->policy->mode == MODE_AUDIT;
	bool by_cgroup = act->is_by_cgroup || (is_audit && act->audit_hook);

	return (event->op == act->op || (act->other_op && event->op == act->other_op)) &&
	       (!act->reason || event->reason == act->reason) &&
	       !(event->flags & EVENT_BY_CGROUP) == !by_cgroup &&
	       (event->verdict == VERDICT_DENY ||
		(is_audit && event->verdict == VERDICT_WOULD_DENY));
}

/* Nothing else that the canary does makes such a record. */
static void on_packet(struct trial *trial, const struct event *event)
{
	for (size_t i = 0; i < trial->cnt; i++)
		if (trial->attempts[i].act->proof == PROOF_PACKET &&
		    is_proof(trial, trial->attempts[i].act, event))
			trial->is_recorded[i] = true;
}

/* Records of what was undone in audit mode have the attempt's name too, but another operation. */
static void on_record(void *arg, const void *data, size_t len)
{
	struct trial *trial = arg;
	const struct event *event = data;
	size_t i;

	if (len < sizeof(*event) || event->slot != trial->label.slot ||
	    event->generation != trial->label.generation)
		return;
	if (event->flags & EVENT_WITHOUT_TASK) {
		on_packet(trial, event);
		return;
	}
	if (sscanf(event->comm, CANARY_COMM, &i) != 1 || i >= trial->cnt)
		return;
	/*
	 * Of what must be allowed, any refusal; without a capability the kernel may find another way, so of
	 * guarded acts only its own.
	 */
	if ((!trial->attempts[i].act->refusal &&
	     (event->kind != EVENT_GUARD || event->op == trial->attempts[i].act->op)) ||
	    (trial->attempts[i].act->proof == PROOF_RECORD &&
	     is_proof(trial, trial->attempts[i].act, event)))
		trial->is_recorded[i] = true;
}

static void count_forks(struct trial *trial, __u64 refused)
{
	for (size_t i = 0; i < trial->cnt; i++)
		if (trial->attempts[i].act->proof == PROOF_FORK)
			trial->is_recorded[i] = refused > 0;
}

/* Takes the canary's records off the ring and its acts out of the counters. */
static int collect(struct kern *kern, struct ring *ring, struct trial *trial, struct error *err)
{
	struct job_stats stats = { 0 };
	int r;

	ring_drain_to(ring, on_record, trial);
	r = job_read_stats(kern, trial->label, &stats);
	if (!r)
		r = job_reset_stats(kern, trial->label);
	if (r)
		return error_errno(err, r, "self-test: cannot read what the kernel has recorded");
	count_forks(trial, stats.fork_failures);
	return 0;
}

/*
 * In a cgroup that is being attached peers are refused already. At rest, each refusal goes with the
 * canary's, or stays in the ring and in the counters.
 */
static int collect_at_rest(struct kern *kern, const struct cgroup *cgroup, struct ring *ring,
			   struct trial *trial, struct error *err)
{
	bool is_populated = true;
	int r;

	cgroup_is_populated(cgroup, &is_populated);
	r = is_populated ? cgroup_freeze(cgroup, true, err) : 0;
	if (r)
		return r;
	r = collect(kern, ring, trial, err);
	if (is_populated)
		cgroup_freeze(cgroup, false, NULL);
	return r;
}

/* --- verdicts --------------------------------------------------------------------------------- */

static enum selftest_outcome judge_allowed(const struct attempt_result *result, bool is_recorded)
{
	if (is_recorded)
		return OUTCOME_NOT_ALLOWED;
	return result->error ? OUTCOME_ELSEWHERE : OUTCOME_ALLOWED;
}

static enum selftest_outcome judge(const struct trial *trial, size_t i)
{
	const struct attempt *attempt = &trial->attempts[i];
	const struct attempt_result *result = &trial->results[i];
	int error = result->error;

	if (attempt->is_left_out)
		return OUTCOME_NOT_DENIED;
	if (result->state == ATTEMPT_IMPOSSIBLE)
		return OUTCOME_IMPOSSIBLE;
	if (!attempt->act->refusal)
		return judge_allowed(result, trial->is_recorded[i]);
	if (trial->is_recorded[i] &&
	    (error == -attempt->act->refusal || trial->policy->mode == MODE_AUDIT))
		return OUTCOME_REFUSED;
	if (attempt->rule && error)
		return error == -EROFS ? OUTCOME_MOUNT : OUTCOME_ELSEWHERE;
	return error == -EACCES || error == -EPERM ? OUTCOME_NOT_OURS : OUTCOME_NOT_REFUSED;
}

static const char *target_of(const struct trial *trial, size_t i)
{
	const struct attempt *attempt = &trial->attempts[i];

	if (trial->results[i].target[0])
		return trial->results[i].target;
	return attempt->rule ? attempt->rule->path : attempt->path;
}

static int fill_item(const struct trial *trial, size_t i, struct selftest_result *item)
{
	const struct act *act = trial->attempts[i].act;
	bool is_audit = trial->policy->mode == MODE_AUDIT;
	const char *target = target_of(trial, i);

	*item = (struct selftest_result){
		.name = act->name,
		.hook = is_audit && act->audit_hook ? act->audit_hook : act->hook,
		.noted_by = act->noted_by,
		.what = act->what,
		.target = target ? strdup(target) : NULL,
		.outcome = judge(trial, i),
		.error = trial->results[i].error,
		.is_recorded = trial->is_recorded[i],
	};
	return target && !item->target ? -ENOMEM : 0;
}

static int fill_selftest(const struct trial *trial, struct selftest *ret_selftest)
{
	_cleanup_(selftest_free) struct selftest selftest = { 0 };
	int r = 0;

	selftest.items = calloc(trial->cnt, sizeof(*selftest.items));
	if (!selftest.items)
		return -ENOMEM;
	for (size_t i = 0; !r && i < trial->cnt; i++)
		r = fill_item(trial, i, &selftest.items[selftest.cnt++]);
	if (r)
		return r;
	*ret_selftest = selftest;
	selftest = (struct selftest){ 0 };
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

int selftest_run(struct kern *kern, struct job_label label, const struct cgroup *cgroup,
		 struct ring *ring, const struct policy *policy, struct error *err,
		 struct selftest *ret_selftest)
{
	_cleanup_(trial_free) struct trial trial = {
		.label = label, .policy = policy, .file_fd = -1, .stream_fd = -1, .datagram_fd = -1,
		.socket_fd = -1,
		.objects = NO_OBJECTS,
	};
	uint64_t start_us = now_us();
	int r, collected;

	r = make_folder(&trial, err);
	if (r)
		return r;
	r = make_plan(&trial, cgroup->fd);
	if (r)
		return error_errno(err, r, "self-test: cannot start");
	r = canary_run(kern, label, cgroup,
		       &(struct canary_plan){ .folder = trial.folder,
					      .file_fd = trial.file_fd,
					      .socket_fd = trial.socket_fd,
					      .attempts = trial.attempts,
					      .cnt = trial.cnt,
					      .lifted = find_lifted(&trial),
					      .results = trial.results },
		       err);
	/* Also what a canary that died has left, maybe because somebody else froze it. */
	collected = r ? collect(kern, ring, &trial, NULL)
		      : collect_at_rest(kern, cgroup, ring, &trial, err);
	if (r || collected)
		return r ? r : collected;
	r = fill_selftest(&trial, ret_selftest);
	if (r)
		return error_errno(err, r, "self-test");
	ret_selftest->duration_us = now_us() - start_us;
	return 0;
}
