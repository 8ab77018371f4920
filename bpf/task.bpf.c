// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Membership: a child carries its parent's label from before its first instruction.
 *
 * The label is put on the new task while it is being made; if that fails the fork fails (ENOMEM),
 * because an unlabelled child would be an outsider. Threads, vfork children and io_uring workers
 * are made the same way.
 */
#include "lib/jobcage.bpf.h"
#include "lib/job.bpf.h"

static __always_inline int count_fork_failure(const struct job_label *label)
{
	__u32 slot = label->slot;
	struct job_stats *stats = bpf_map_lookup_elem(&stats_by_job, &slot);

	if (stats)
		count(&stats->fork_failures);
	return -ENOMEM;
}

SEC("lsm/task_alloc")
int BPF_PROG(task_task_alloc, struct task_struct *task, unsigned long clone_flags, int ret)
{
	struct job_label label, *child;

	if (ret || !label_of(bpf_get_current_task_btf(), &label))
		return ret;
	child = bpf_task_storage_get(&job_by_task, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!child)
		return count_fork_failure(&label);
	*child = label;
	return LSM_ALLOW;
}
