/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a hook decided, and the part of its record that has a fixed size.
 */
#ifndef JOBCAGE_DECISION_BPF_H
#define JOBCAGE_DECISION_BPF_H

#include "lib/job.bpf.h"

/* What a hook decided, and about what. */
struct decision {
	__u32 rule;
	__u8 kind;      /* enum event_kind */
	__u8 op;        /* enum event_op */
	__u8 reason;    /* enum event_reason */
	__u8 verdict;   /* enum event_verdict, set by settle() */
	__u64 sequence; /* set by emit() */
	__u32 flags;    /* enum event_flags that the hook sets */
	__u32 object_mode;
	union {
		struct event_file file;
		struct event_guard guard; /* a kind of act compares it as a file's */
	};
	struct event_net net;
	/* The object and the second name, borrowed from the hook; NULL if there is none. */
	struct dentry *dentry;
	struct dentry *dentry2;
	struct vfsmount *mnt; /* of both */
};

static __always_inline struct job_stats *stats_of(const struct job *job)
{
	__u32 slot = job->label.slot;

	return bpf_map_lookup_elem(&stats_by_job, &slot);
}

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

static __always_inline void fill_decision(struct event *e, const struct job *job,
					  const struct decision *d)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = bpf_ktime_get_boot_ns();
	e->sequence = d->sequence;
	e->slot = job->label.slot;
	e->generation = job->label.generation;
	e->policy = job->policy_slot;
	e->rule = d->rule;
	e->kind = d->kind;
	e->verdict = d->verdict;
	e->reason = d->reason;
	e->op = d->op;
	e->flags = d->flags;
	e->object_mode = d->object_mode;
	e->file = d->file;
	e->net = d->net;
}

static __noinline void fill_event(struct event *e, const struct job *job, const struct decision *d)
{
	struct task_struct *task = current_task();
	__u64 ids = bpf_get_current_uid_gid();

	fill_decision(e, job, d);
	e->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	e->tgid = BPF_CORE_READ(task, tgid);
	e->tid = BPF_CORE_READ(task, pid);
	e->ppid = BPF_CORE_READ(task, real_parent, tgid);
	e->uid = ids;
	e->gid = ids >> 32;
	BPF_CORE_READ_INTO(&e->comm, task, comm);
}

/* The record without its strings. has_task: the current task is who did it. */
static __always_inline void fill_bare(struct event *e, const struct job *job,
				      const struct decision *d, bool has_task)
{
	if (has_task) {
		fill_event(e, job, d);
		e->flags |= EVENT_PATH_MISSING;
	} else {
		fill_decision(e, job, d);
	}
}

#endif
