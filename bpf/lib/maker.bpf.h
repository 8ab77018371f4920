/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose is an object that outlives its maker, and that others find by a number? A job's that made it, or
 * all others'.
 *
 * The kernel does not note it, and what it lets a module keep with such an object the second backend has no
 * part in. So the address is remembered of each that a job makes, until it is freed. Whoever makes one
 * outside takes back what may still be remembered of that address. Where there is no room, the object is held
 * for one of outside: its maker cannot use it.
 */
#ifndef JOBCAGE_MAKER_BPF_H
#define JOBCAGE_MAKER_BPF_H

#include "lib/emit.bpf.h"

static __always_inline void forget_maker(const void *object)
{
	__u64 address = (__u64)object;

	bpf_map_delete_elem(&maker_by_object, &address);
}

/* The current task has made it. */
static __noinline void note_maker(const void *object)
{
	__u64 address = (__u64)object;
	struct maker maker = {};
	struct job job;

	if (job_enter(&job) != ENTRY_JOB) {
		forget_maker(object);
		return;
	}
	maker.label = job.label;
	maker.is_audit = job.policy->mode == MODE_AUDIT;
	bpf_map_update_elem(&maker_by_object, &address, &maker, BPF_ANY);
}

enum use {
	USE_OWN,     /* of the current task's own side: let through */
	USE_FOREIGN, /* a job is at what is not its own */
	USE_TAKEN,   /* somebody else is at what a job made */
	USE_DENIED,  /* the same, and nobody is left to tell: that job is over */
	USE_NOT_IN_FORCE, /* the task's own job is over, or not yet begun: it may nothing */
};

/* Who is at it? *ret_job: in whose record it belongs, for the two that have one. */
static __noinline enum use use_of(const void *object, struct job *ret_job)
{
	__u64 address = (__u64)object;
	struct maker *maker = bpf_map_lookup_elem(&maker_by_object, &address);
	enum entry entry = job_enter(ret_job);

	if (entry == ENTRY_NOT_IN_FORCE)
		return USE_NOT_IN_FORCE;
	if (entry == ENTRY_JOB)
		return maker && job_label_equal(&maker->label, &ret_job->label) ? USE_OWN
										: USE_FOREIGN;
	if (!maker)
		return USE_OWN;
	ret_job->label = maker->label;
	if (!job_of_label(&maker->label))
		return maker->is_audit ? USE_OWN : USE_DENIED;
	return job_enter_label(ret_job) == ENTRY_JOB ? USE_TAKEN : USE_DENIED;
}

#endif
