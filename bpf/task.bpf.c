// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Membership: a child carries its parent's label from before its first instruction.
 *
 * A child that is to be born into another cgroup (CLONE_INTO_CGROUP) is refused (EACCES): it would
 * leave the socket programs, and the job's end, behind.
 *
 * The label is put on the new task while it is being made; if that fails the fork fails (ENOMEM),
 * because an unlabelled child would be an outsider. Threads, vfork children and io_uring workers
 * are made the same way.
 */
#include "lib/jobcage.bpf.h"
#include "lib/job.bpf.h"

#define CLONE_INTO_CGROUP 0x200000000ULL /* include/uapi/linux/sched.h */

static __always_inline int count_fork_failure(const struct job_label *label, int err)
{
	__u32 slot = label->slot;
	struct job_stats *stats = bpf_map_lookup_elem(&stats_by_job, &slot);

	if (stats)
		count(&stats->fork_failures);
	return err;
}

SEC("lsm/task_alloc")
int BPF_PROG(task_task_alloc, struct task_struct *task, unsigned long clone_flags, int ret)
{
	struct task_label *child;
	struct job_label label;

	if (ret || !label_of(bpf_get_current_task_btf(), &label))
		return ret;
	if (clone_flags & CLONE_INTO_CGROUP)
		return count_fork_failure(&label, LSM_DENY);
	child = bpf_task_storage_get(&job_by_task, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!child)
		return count_fork_failure(&label, -ENOMEM);
	child->label = label;
	child->lifted = lifted_of(bpf_get_current_task_btf());
	return LSM_ALLOW;
}
