// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Jobs in the kernel's maps; see jobs.h.
 *
 * job_by_slot is mapped: to look through all slots takes no system call, and a job changes by
 * stores of aligned words, which is what the hooks rely on (bpf(2) copies values byte by byte).
 */
#include "kern/jobs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "kern/budget.h"
#include "kern/evidence.h"
#include "kern/iter.h"
#include "kern/names.h"

/* What carries a label may fork while it is looked for. */
#define UNLABEL_PASSES 10

static union job_force read_force(const struct job_value *value)
{
	return (union job_force){ .word = __atomic_load_n(&value->force.word, __ATOMIC_ACQUIRE) };
}

static void store_force(struct job_value *value, __u32 generation, __u32 policy)
{
	union job_force force = { .generation = generation, .policy = policy };

	__atomic_store_n(&value->force.word, force.word, __ATOMIC_RELEASE);
}

/* A label may come from a file. NULL: it names no slot. */
static struct job_value *slot_of(struct kern *kern, struct job_label label)
{
	if (label.slot == JOB_SLOT_NONE || label.slot >= JOB_SLOTS || !label.generation)
		return NULL;
	return &kern->jobs[label.slot];
}

/* The slot, as long as the job holds it. */
static struct job_value *slot_held(struct kern *kern, struct job_label label)
{
	struct job_value *value = slot_of(kern, label);

	return value && read_force(value).generation == label.generation ? value : NULL;
}

static int not_held(struct error *err)
{
	return error_set(err, -ESTALE, "the job has no place in the kernel any more");
}

/* --- slots and rings -------------------------------------------------------------------------- */

/* A low slot with a ring is ready; else the lowest, because only low slots keep their rings. */
static int find_slot(const struct kern *kern, __u32 *ret_slot)
{
	__u32 lowest = JOB_SLOT_NONE;

	for (__u32 slot = JOB_SLOT_NONE + 1; slot < JOB_SLOTS; slot++) {
		if (lowest && slot > RING_SLOTS_KEPT)
			break;
		if (read_force(&kern->jobs[slot]).generation)
			continue;
		if (kern->jobs[slot].ring_id) {
			*ret_slot = slot;
			return 0;
		}
		if (!lowest)
			lowest = slot;
	}
	if (!lowest)
		return -ENOSPC;
	*ret_slot = lowest;
	return 0;
}

static __u32 random_generation(void)
{
	__u32 generation = 0;

	while (!generation)
		if (getrandom(&generation, sizeof(generation), 0) != sizeof(generation))
			generation = 0;
	return generation;
}

int job_choose_slot(struct kern *kern, struct error *err, struct job_label *ret_label)
{
	struct job_label label = { .generation = random_generation() };
	int r = find_slot(kern, &label.slot);

	if (r)
		return error_errno(err, r, "no room for another job in the kernel (%d at most)",
				   JOB_SLOTS - 1);
	*ret_label = label;
	return 0;
}

static int make_ring(struct kern *kern, __u32 slot, __u32 *ret_id)
{
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, RING_SIZE, NULL);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    bpf_map_update_elem(kern->map_fd[MAP_RING_BY_JOB], &slot, &fd, BPF_ANY))
		return -errno;
	*ret_id = info.id;
	return 0;
}

int job_make_ring(struct kern *kern, struct job_label label, struct error *err)
{
	struct job_value *value = slot_of(kern, label);
	int r;

	if (!value || read_force(value).generation)
		return error_set(err, -EBUSY, "the job's slot is not free");
	r = evidence_make(kern, label.slot);
	if (r)
		return error_errno(err, r, "cannot make the page of the job's evidence");
	r = job_reset_stats(kern, label);
	if (r)
		return error_errno(err, r, "cannot clear the job's counters");
	value->is_ending = 0;
	/* Before there is a ring, so that job_withdraw() takes one away that was made for this job. */
	store_force(value, label.generation, POLICY_SLOT_NONE);
	if (!value->ring_id)
		r = make_ring(kern, label.slot, &value->ring_id);
	return r ? error_errno(err, r, "cannot make the job's ring buffer") : 0;
}

void job_withdraw(struct kern *kern, struct job_label label)
{
	struct job_value *value = slot_held(kern, label);

	if (!value)
		return;
	/* First, so that a controller that dies here leaves a slot that is still the job's. */
	if (label.slot > RING_SLOTS_KEPT) {
		bpf_map_delete_elem(kern->map_fd[MAP_RING_BY_JOB], &label.slot);
		value->ring_id = 0;
	}
	spent_remove(kern, label);
	value->scratch_dev = 0;
	names_end(kern, label);
	store_force(value, 0, 0);
	if (label.slot > RING_SLOTS_KEPT)
		evidence_release(kern, label.slot);
}

void job_suspend(struct kern *kern, struct job_label label)
{
	struct job_value *value = slot_held(kern, label);

	if (value)
		store_force(value, label.generation, POLICY_SLOT_NONE);
}

void job_set_ending(struct kern *kern, struct job_label label)
{
	struct job_value *value = slot_held(kern, label);

	if (value)
		__atomic_store_n(&value->is_ending, 1, __ATOMIC_RELEASE);
}

/* --- what is in force ------------------------------------------------------------------------- */

int job_publish(struct kern *kern, struct job_label label, __u32 policy_slot, __u32 scratch_dev,
		struct error *err)
{
	struct job_value *value = slot_held(kern, label);

	if (!value)
		return not_held(err);
	__atomic_store_n(&value->scratch_dev, scratch_dev, __ATOMIC_RELAXED);
	store_force(value, label.generation, policy_slot);
	return 0;
}

int job_replace_policy(struct kern *kern, struct job_label label, __u32 policy_slot,
		       struct error *err)
{
	struct job_value *value = slot_held(kern, label);

	if (!value || read_force(value).policy == POLICY_SLOT_NONE)
		return not_held(err);
	store_force(value, label.generation, policy_slot);
	return 0;
}

int job_policy_slot(struct kern *kern, struct job_label label, __u32 *ret_slot)
{
	struct job_value *value = slot_held(kern, label);
	union job_force force = value ? read_force(value) : (union job_force){ 0 };

	if (force.generation != label.generation || force.policy == POLICY_SLOT_NONE)
		return -ENOENT;
	*ret_slot = force.policy;
	return 0;
}

int job_set_scratch(struct kern *kern, struct job_label label, __u32 scratch_dev, struct error *err)
{
	struct job_value *value = slot_held(kern, label);

	if (!value)
		return not_held(err);
	__atomic_store_n(&value->scratch_dev, scratch_dev, __ATOMIC_RELEASE);
	return 0;
}

__u32 job_scratch(struct kern *kern, struct job_label label)
{
	const struct job_value *value = slot_held(kern, label);

	return value ? value->scratch_dev : 0;
}

int job_read_stats(struct kern *kern, struct job_label label, struct job_stats *ret_stats)
{
	return bpf_map_lookup_elem(kern->map_fd[MAP_STATS_BY_JOB], &label.slot, ret_stats) ? -errno
											   : 0;
}

int job_reset_stats(struct kern *kern, struct job_label label)
{
	struct job_stats stats = { 0 };
	int r = spent_reset(kern, label);

	if (r)
		return r;
	if (bpf_map_update_elem(kern->map_fd[MAP_STATS_BY_JOB], &label.slot, &stats, BPF_ANY))
		return -errno;
	return evidence_reset(kern, label);
}

/* --- who belongs to it ------------------------------------------------------------------------ */

static int label_task(struct kern *kern, int pidfd, struct task_label value, struct error *err)
{
	if (bpf_map_update_elem(kern->map_fd[MAP_JOB_BY_TASK], &pidfd, &value, BPF_ANY))
		return error_errno(err, -errno, "cannot label the job's first process");
	return 0;
}

int job_label_task(struct kern *kern, int pidfd, struct job_label label, struct error *err)
{
	return label_task(kern, pidfd, (struct task_label){ .label = label }, err);
}

int job_label_canary(struct kern *kern, int pidfd, struct job_label label, uint64_t lifted,
		     struct error *err)
{
	return label_task(kern, pidfd, (struct task_label){ .label = label, .lifted = lifted }, err);
}

int job_unlabel_task(struct kern *kern, int pidfd)
{
	return bpf_map_delete_elem(kern->map_fd[MAP_JOB_BY_TASK], &pidfd) ? -errno : 0;
}

int job_of_pid(struct kern *kern, int pidfd, struct job_label *ret_label)
{
	struct task_label value;

	if (bpf_map_lookup_elem(kern->map_fd[MAP_JOB_BY_TASK], &pidfd, &value))
		return -errno;
	*ret_label = value.label;
	return 0;
}

/* One that no job has any more. */
static bool has_stale_label(struct kern *kern, uint64_t cgroup_id)
{
	struct job_label found;

	return !bpf_map_lookup_elem(kern->map_fd[MAP_JOB_BY_CGROUP], &cgroup_id, &found) &&
	       !slot_held(kern, found);
}

/* The id is written down first: a label that nobody could find again would stay. */
int job_label_cgroup(struct kern *kern, uint64_t cgroup_id, struct job_label label,
		     struct error *err)
{
	struct job_value *value = slot_held(kern, label);
	int fd = kern->map_fd[MAP_JOB_BY_CGROUP], r;

	if (!value)
		return not_held(err);
	value->cgroup_id = cgroup_id;
	r = bpf_map_update_elem(fd, &cgroup_id, &label, BPF_NOEXIST) ? -errno : 0;
	if (r == -EEXIST && has_stale_label(kern, cgroup_id))
		r = bpf_map_update_elem(fd, &cgroup_id, &label, BPF_EXIST) ? -errno : 0;
	return r ? error_errno(err, r, "cannot label the job's cgroup") : 0;
}

uint64_t job_cgroup_id(struct kern *kern, struct job_label label)
{
	const struct job_value *value = slot_held(kern, label);

	return value ? value->cgroup_id : 0;
}

/* By the slot, because the cgroup may be gone. */
void job_forget_cgroup(struct kern *kern, struct job_label label)
{
	struct job_value *value = slot_held(kern, label);
	int fd = kern->map_fd[MAP_JOB_BY_CGROUP];
	struct job_label found;

	if (!value || !value->cgroup_id)
		return;
	if (!bpf_map_lookup_elem(fd, &value->cgroup_id, &found) && found.slot == label.slot &&
	    found.generation == label.generation)
		bpf_map_delete_elem(fd, &value->cgroup_id);
	value->cgroup_id = 0;
}

/* ret_cnt: how many tasks it met. Returns 0 or -errno. */
static int change_labels(struct kern *kern, const struct label_request *request, size_t *ret_cnt)
{
	_cleanup_free_ void *data = NULL;
	__u32 zero = 0;
	size_t len;
	int r;

	if (bpf_map_update_elem(kern->map_fd[MAP_LABEL_REQ], &zero, request, BPF_ANY))
		return -errno;
	r = iter_read(kern, PROG_LABEL, ITER_ALL, ITER_UNBOUNDED, &data, &len);
	if (!r)
		*ret_cnt = len / sizeof(__u32);
	return r;
}

int job_label_members(struct kern *kern, struct job_label label, struct error *err,
		      size_t *ret_cnt)
{
	struct label_request request = { .label = label };
	int r;

	if (!slot_held(kern, label))
		return not_held(err);
	r = change_labels(kern, &request, ret_cnt);
	return r ? error_errno(err, r, "cannot label the tasks of the cgroup") : 0;
}

int job_unlabel_members(struct kern *kern, struct job_label label, pid_t pid)
{
	struct label_request request = { .label = label, .takes_away = 1, .tgid = pid };
	size_t cnt = 1;
	int r = 0;

	for (int i = 0; !r && cnt && i < UNLABEL_PASSES; i++)
		r = change_labels(kern, &request, &cnt);
	return r ?: cnt ? -EAGAIN : 0;
}
