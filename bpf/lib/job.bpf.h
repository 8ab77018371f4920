/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which job is this? Every hook begins here, and for a process in no job it also ends here: one
 * load and one branch when the task has no BPF storage at all.
 *
 * A task that carries a label whose job or policy is not published is denied everything
 * (ENTRY_NOT_IN_FORCE).
 */
#ifndef JOBCAGE_JOB_BPF_H
#define JOBCAGE_JOB_BPF_H

#include "lib/maps.bpf.h"

/* Deeper than any memory holds: whoever owns a cgroup nests others in it as he likes. */
#define CGROUP_LEVELS (1 << 16)

#define PF_IO_WORKER 0x10 /* include/linux/sched.h */

enum entry {
	ENTRY_OUTSIDE = 0,
	ENTRY_JOB = 1,
	ENTRY_NOT_IN_FORCE = 2,
};

/* The job that a hook judges for, and its rules. */
struct job {
	struct job_label label;
	__u32 policy_slot;
	struct policy_value *policy;
};

static __always_inline void count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

static __always_inline struct kernel_stats *kernel_stats_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&kernel_stats, &zero);
}

static __always_inline struct cgroup_subsys_state *css_of(struct cgroup *cgroup)
{
	return (void *)cgroup + bpf_core_field_offset(struct cgroup, self);
}

/* Whether both are of one job: a slot gets another generation with each. */
static __always_inline bool job_label_equal(const struct job_label *a, const struct job_label *b)
{
	return a->slot == b->slot && a->generation == b->generation;
}

static __always_inline bool grants_capability(const struct job *job, int cap)
{
	return job->policy->capabilities >> (cap & 63) & 1;
}

/* What a hook may ask first that has more to look at before it needs the job. */
static __always_inline bool is_outsider(void)
{
	return !bpf_get_current_task_btf()->bpf_storage;
}

/* From a cgroup up; an address, as a callback gets no pointers. */
struct label_search {
	__u64 css;
	struct job_label label;
	bool is_found;
};

static long search_step(__u32 i, void *ctx)
{
	struct label_search *search = ctx;
	struct cgroup_subsys_state *css = (void *)search->css;
	struct job_label *label;
	__u64 id;

	if (!css)
		return 1;
	id = BPF_CORE_READ(css, cgroup, kn, id);
	label = bpf_map_lookup_elem(&job_by_cgroup, &id);
	search->css = (__u64)BPF_CORE_READ(css, parent);
	if (!label)
		return 0;
	search->label = *label;
	search->is_found = true;
	return 1;
}

/* The label of the cgroup, or of the nearest one above it. */
static __noinline bool find_label_of_cgroup(struct cgroup *cgroup, struct job_label *ret_label)
{
	struct label_search search = { .css = (__u64)css_of(cgroup) };

	bpf_loop(CGROUP_LEVELS, search_step, &search, 0);
	if (search.is_found)
		*ret_label = search.label;
	return search.is_found;
}

/* The same for the cgroup that the task is in. */
static __always_inline bool find_label_by_cgroup(struct task_struct *task,
						 struct job_label *ret_label)
{
	return find_label_of_cgroup(BPF_CORE_READ(task, cgroups, dfl_cgrp), ret_label);
}

/*
 * Before 6.2 bpf_task_storage_get() answers NULL while a preempted task of the same CPU is inside
 * it, which looks like "no label". The job's cgroup tells the two apart.
 */
static __noinline bool label_by_cgroup(struct task_struct *task, struct job_label *ret_label)
{
	struct kernel_stats *stats;

	if (!find_label_by_cgroup(task, ret_label))
		return false;
	stats = kernel_stats_get();
	if (stats)
		count(&stats->label_misses);
	return true;
}

/* The label of a task that has BPF storage, in which there may be none. */
static __always_inline bool label_in_storage(struct task_struct *task, struct job_label *ret_label)
{
	struct task_label *found = bpf_task_storage_get(&job_by_task, task, 0, 0);

	if (__builtin_expect(!found, 0))
		return label_by_cgroup(task, ret_label);
	*ret_label = found->label;
	return true;
}

static __always_inline bool label_of(struct task_struct *task, struct job_label *ret_label)
{
	return task->bpf_storage && label_in_storage(task, ret_label);
}

/* The capabilities that a task of the self-test uses beside those of the policy; 0 in a job. */
static __always_inline __u64 lifted_of(struct task_struct *task)
{
	struct task_label *found = bpf_task_storage_get(&job_by_task, task, 0, 0);

	return found ? found->lifted : 0;
}

/* The one that has made a ring or used one, and a worker of the kernel for it, which has none itself. */
static __always_inline bool uses_uring(struct task_struct *task)
{
	return task->io_uring || task->flags & PF_IO_WORKER;
}

static __always_inline enum entry job_not_in_force(void)
{
	struct kernel_stats *stats = kernel_stats_get();

	if (stats)
		count(&stats->not_in_force);
	return ENTRY_NOT_IN_FORCE;
}

/*
 * A number in one register: what the verifier learns of it by a comparison must hold for what becomes
 * the index, and the compiler may well compare a copy.
 */
static __always_inline __u64 index_of(__u32 number)
{
	__u64 index = number;

	barrier_var(index);
	return index;
}

/* What is in a slot; NULL: there is no such slot. */
static __always_inline struct job_value *job_at(__u32 slot)
{
	__u64 index = index_of(slot);

	return index < JOB_SLOTS ? &tables.job_by_slot[index] : NULL;
}

/* The job that the label names, or NULL: it is over, and its slot may be another's by now. */
static __always_inline struct job_value *job_of_label(const struct job_label *label)
{
	struct job_value *value = job_at(label->slot);

	return value && value->force.generation == label->generation ? value : NULL;
}

static __always_inline struct policy_value *policy_at(__u32 slot)
{
	__u64 index = index_of(slot);
	struct policy_value *policy;

	if (index >= POLICY_SLOTS)
		return NULL;
	policy = &tables.policy_by_slot[index];
	barrier_var(policy); /* or the address of each field is made anew */
	return policy;
}

/* From a label to the published job and policy. */
static __always_inline enum entry job_enter_label(struct job *job)
{
	struct job_value *value = job_at(job->label.slot);
	union job_force force;

	if (!value)
		return job_not_in_force();
	force.word = *(volatile __u64 *)&value->force.word;
	if (!job->label.generation || force.generation != job->label.generation)
		return job_not_in_force();
	job->policy_slot = force.policy;
	job->policy = policy_at(force.policy);
	if (!job->policy || !job->policy->mode)
		return job_not_in_force();
	return ENTRY_JOB;
}

/* The device of the job's scratch; 0: it has none. */
static __always_inline __u32 scratch_of(const struct job *job)
{
	struct job_value *value = job_at(job->label.slot);

	return value ? value->scratch_dev : 0;
}

/* The job of the current task. */
static __always_inline enum entry job_enter(struct job *job)
{
	if (!label_of(bpf_get_current_task_btf(), &job->label))
		return ENTRY_OUTSIDE;
	return job_enter_label(job);
}

static __always_inline bool is_job(enum entry entry, int *ret_verdict)
{
	*ret_verdict = entry == ENTRY_NOT_IN_FORCE ? LSM_DENY : LSM_ALLOW;
	return entry == ENTRY_JOB;
}

/* The same for an LSM hook: true in a job, else *ret_verdict is what the hook returns. */
static __always_inline bool lsm_enter(struct job *job, int *ret_verdict)
{
	return is_job(job_enter(job), ret_verdict);
}

/* The same where it is known who asks, and that he has BPF storage. */
static __always_inline bool lsm_enter_insider(struct job *job, struct task_struct *task, int *ret_verdict)
{
	if (label_in_storage(task, &job->label))
		return is_job(job_enter_label(job), ret_verdict);
	return is_job(ENTRY_OUTSIDE, ret_verdict);
}

#endif
