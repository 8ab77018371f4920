// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Membership by place: a task that comes into a job's cgroup, or one below, gets the job's label.
 *
 * cgroup_move_task() is where the kernel points a task at its cgroup: once for every thread that is
 * moved, and once for every task that is born, CLONE_INTO_CGROUP or not. It is called under a lock
 * and with interrupts off, so the label is there before the task is in the cgroup, and no program
 * is preempted here. (The tracepoint for moves comes afterwards and names the leader only, and what
 * a fork started before the move brings into the cgroup would pass by both tracepoints.)
 *
 * A task that carries a label keeps it: nobody changes jobs, or leaves one. A label that cannot be
 * put on (no memory) cannot be refused here either; it is counted, and the controller labels the
 * cgroup's tasks anew.
 *
 * The iterator labels those that are in a cgroup already, and takes a job's label from who is not to
 * be in it after all.
 */
#include "lib/jobcage.bpf.h"
#include "lib/job.bpf.h"

static __always_inline void count_failure(void)
{
	struct kernel_stats *stats = kernel_stats_get();

	if (stats)
		count(&stats->enter_failures);
}

/* Made with its value in place: the task may be running, and a zeroed label would deny it all. */
static __always_inline void give_label(struct task_struct *task, const struct job_label *label)
{
	struct task_label value = { .label = *label };

	if (bpf_task_storage_get(&job_by_task, task, &value, BPF_LOCAL_STORAGE_GET_F_CREATE))
		return;
	if (!bpf_task_storage_get(&job_by_task, task, 0, 0))
		count_failure();
}

/*
 * An outsider's fork, where nothing is to be done: the child goes where its parent is, and the
 * parent has no label. One that got its label while it forked has a storage by now.
 */
static __always_inline bool is_plain_fork(struct css_set *to)
{
	struct task_struct *current = bpf_get_current_task_btf();

	return current->cgroups == to && !current->bpf_storage;
}

SEC("fentry/cgroup_move_task")
int BPF_PROG(enter_cgroup_move_task, struct task_struct *task, struct css_set *to)
{
	struct job_label label;

	if (is_plain_fork(to))
		return 0;
	if (task->bpf_storage && bpf_task_storage_get(&job_by_task, task, 0, 0))
		return 0;
	if (find_label_of_cgroup(to->dfl_cgrp, &label))
		give_label(task, &label);
	return 0;
}

/* --- those that are there already ------------------------------------------------------------- */

/* Returns whether the task was without a label. */
static __always_inline bool label_member(struct task_struct *task,
					 const struct label_request *request)
{
	struct job_label label;

	if (!find_label_by_cgroup(task, &label) || !job_label_equal(&label, &request->label))
		return false;
	if (task->bpf_storage && bpf_task_storage_get(&job_by_task, task, 0, 0))
		return false;
	give_label(task, &request->label);
	return true;
}

/* Returns whether the task carried the label. */
static __always_inline bool unlabel_member(struct task_struct *task,
					   const struct label_request *request)
{
	struct task_label *found;

	if (request->tgid && (__u32)task->tgid != request->tgid)
		return false;
	found = task->bpf_storage ? bpf_task_storage_get(&job_by_task, task, 0, 0) : NULL;
	if (!found || !job_label_equal(&found->label, &request->label))
		return false;
	bpf_task_storage_delete(&job_by_task, task);
	return true;
}

/* Does what is requested, and writes the thread id of each task that it met. */
SEC("iter/task")
int enter_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct label_request *request;
	__u32 zero = 0, tid;

	request = bpf_map_lookup_elem(&label_req, &zero);
	if (!task || !request || task->exit_state)
		return 0;
	if (!(request->takes_away ? unlabel_member(task, request) : label_member(task, request)))
		return 0;
	tid = task->pid;
	bpf_seq_write(ctx->meta->seq, &tid, sizeof(tid));
	return 0;
}
