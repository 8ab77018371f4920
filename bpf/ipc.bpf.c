// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * System V shared memory, semaphores and message queues: a job uses those that it made, and nobody else does.
 *
 * Problem: they are found by a number and outlive who made them, so a process of the same user, or root,
 * reaches those of outside, and leaves data there for an accomplice. Design: the kernel gives every new one
 * its number in one function, where the maker is noted before anybody can find it (lib/maker.bpf.h), and asks
 * one hook before any use; only changing and removing them goes by hooks of their kinds. To remove is
 * everybody's outside, as the kernel has it. EACCES.
 */
#include "lib/jobcage.bpf.h"
#include "lib/job.bpf.h"
#include "lib/guard.bpf.h"
#include "lib/maker.bpf.h"

/* include/uapi/linux/ipc.h and shm.h */
#define IPC_RMID 0
#define IPC_SET 1
#define SHM_LOCK 11
#define SHM_UNLOCK 12

SEC("fentry/ipc_addid")
int BPF_PROG(ipc_addid, void *ids, struct kern_ipc_perm *perm)
{
	note_maker(perm);
	return 0;
}

/* It got no number, and is freed. */
SEC("fexit/ipc_addid")
int BPF_PROG(ipc_addid_failed, void *ids, struct kern_ipc_perm *perm, int limit, int ret)
{
	if (ret < 0)
		forget_maker(perm);
	return 0;
}

/* From here on nobody finds it any more, and to who has found it before the kernel says that it is gone. */
SEC("fexit/ipc_rmid")
int BPF_PROG(ipc_rmid, void *ids, struct kern_ipc_perm *perm)
{
	forget_maker(perm);
	return 0;
}

static __noinline int judge(struct kern_ipc_perm *perm, bool is_control)
{
	struct job job;
	enum use use = use_of(perm, &job);

	if (use == USE_NOT_IN_FORCE)
		return LSM_DENY;
	if (use == USE_OWN || (is_control && use != USE_FOREIGN) || BPF_CORE_READ(perm, deleted))
		return LSM_ALLOW;
	if (use == USE_DENIED)
		return LSM_DENY;
	return refuse_guarded(&job, OP_IPC, REASON_OBJECT, (__u32)BPF_CORE_READ(perm, id), 0);
}

SEC("lsm/ipc_permission")
int BPF_PROG(ipc_ipc_permission, struct kern_ipc_perm *perm, short flag, int ret)
{
	return ret ? ret : judge(perm, false);
}

/* Everything else has been asked for by the hook above, or is about no object at all. */
SEC("lsm/shm_shmctl")
int BPF_PROG(ipc_shm_shmctl, struct kern_ipc_perm *perm, int cmd, int ret)
{
	if (ret || (cmd != IPC_RMID && cmd != IPC_SET && cmd != SHM_LOCK && cmd != SHM_UNLOCK))
		return ret;
	return judge(perm, true);
}

SEC("lsm/sem_semctl")
int BPF_PROG(ipc_sem_semctl, struct kern_ipc_perm *perm, int cmd, int ret)
{
	return ret || (cmd != IPC_RMID && cmd != IPC_SET) ? ret : judge(perm, true);
}

SEC("lsm/msg_queue_msgctl")
int BPF_PROG(ipc_msg_queue_msgctl, struct kern_ipc_perm *perm, int cmd, int ret)
{
	return ret || (cmd != IPC_RMID && cmd != IPC_SET) ? ret : judge(perm, true);
}
