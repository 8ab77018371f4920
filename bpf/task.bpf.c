// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Membership: a child carries its parent's label from before its first instruction.
 *
 * A child that is to be born into another cgroup (CLONE_INTO_CGROUP) is refused (EACCES): it would
 * leave the socket programs, and the job's end, behind. So is any child of a job that is being ended,
 * or is over.
 *
 * The label is put on the new task while it is being made; if that fails the fork fails (ENOMEM),
 * because an unlabelled child would be an outsider. Threads, vfork children and io_uring workers
 * are made the same way.
 */
#include "lib/jobcage.bpf.h"
#include "lib/job.bpf.h"

#define SIGKILL 9 /* include/uapi/asm-generic/signal.h */
#define CLONE_INTO_CGROUP 0x200000000ULL /* include/uapi/linux/sched.h */

static __always_inline int count_fork_failure(const struct job_label *label, int err)
{
	__u32 slot = label->slot;
	struct job_stats *stats = bpf_map_lookup_elem(&stats_by_job, &slot);

	if (stats && job_of_label(label))
		count(&stats->fork_failures);
	return err;
}

/*
 * A process that was moved out of the cgroup is killed by its number, which who forks and exits all
 * the time has left behind by then. So nobody forks whose job is being killed, or is over.
 */
static __always_inline bool may_fork(const struct job_label *label)
{
	struct job_value *value = job_of_label(label);

	return value && !value->is_ending;
}

SEC("lsm/task_alloc")
int BPF_PROG(task_task_alloc, struct task_struct *task, unsigned long clone_flags, int ret)
{
	struct task_label *child;
	struct job_label label;

	if (ret || !label_of(bpf_get_current_task_btf(), &label))
		return ret;
	if (clone_flags & CLONE_INTO_CGROUP || !may_fork(&label))
		return count_fork_failure(&label, LSM_DENY);
	child = bpf_task_storage_get(&job_by_task, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!child)
		return count_fork_failure(&label, -ENOMEM);
	child->label = label;
	child->lifted = lifted_of(bpf_get_current_task_btf());
	return LSM_ALLOW;
}

/*
 * Some kernels (Debian 12's 6.1 is one) give a child its parent's storage pointer until late in
 * copy_process(); what fails before that frees the child, and the parent's storage with it, a while
 * later. So the parent would lose its label: it is killed instead, which the kernel does before it
 * runs another instruction. Where the pointer is cleared at once this never comes true.
 */
static __always_inline void end_if_storage_is_shared(struct task_struct *child)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct job_label label;

	if (!parent->bpf_storage || child == parent ||
	    (__u64)child->bpf_storage != (__u64)parent->bpf_storage || !label_of(parent, &label))
		return;
	count_fork_failure(&label, 0);
	bpf_send_signal(SIGKILL);
}

/* The first that may fail: no memory, too many user namespaces, or one that is not allowed. */
SEC("fexit/copy_creds")
int BPF_PROG(task_copy_creds, struct task_struct *child, unsigned long clone_flags, int ret)
{
	if (ret)
		end_if_storage_is_shared(child);
	return 0;
}

/* All others: too many processes (RLIMIT_NPROC) or threads, no memory. */
SEC("fentry/exit_creds")
int BPF_PROG(task_exit_creds, struct task_struct *child)
{
	end_if_storage_is_shared(child);
	return 0;
}
