/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What containment refuses, whatever it is about; and who asks.
 */
#ifndef JOBCAGE_GUARD_BPF_H
#define JOBCAGE_GUARD_BPF_H

#include "lib/emit.bpf.h"

/* number and detail: as the operation has them, see enum event_op. */
static __always_inline int refuse_guarded(const struct job *job, enum event_op op,
					  enum event_reason reason, __u64 number, __u32 detail)
{
	struct decision d = { .kind = EVENT_GUARD, .op = op, .reason = reason };

	d.guard.number = number;
	d.guard.detail = detail;
	return lsm_refuse(job, &d);
}

/*
 * Has the kernel put on other credentials for what the task asked for? A task that has used io_uring, or works for
 * one, may have done so itself, so it is not believed.
 */
static __always_inline bool has_borrowed_credentials(const struct task_struct *task)
{
	return task->cred != task->real_cred && !uses_uring((struct task_struct *)task);
}

#endif
