/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policies and jobs in the kernel's maps: fill first, then publish with one store.
 */
#ifndef JOBCAGE_KERN_PUBLISH_H
#define JOBCAGE_KERN_PUBLISH_H

#include "abi/job.h"
#include "base/error.h"
#include "kern/kern.h"
#include "kern/roots.h"
#include "policy/policy.h"

/* Bytes of a job's ring: a power of two and a multiple of the page size. */
#define RING_SIZE (256 * 1024)

/*
 * A slot is chosen first and filled later, so that what is about to be made can be written down in
 * between. The caller holds the lock of job/state.h from the choice until the slot is filled.
 * -ENOSPC: none is free.
 */
int policy_choose_slot(struct kern *kern, struct error *err, __u32 *ret_slot);
int job_choose_slot(struct kern *kern, struct error *err, struct job_label *ret_label);

/*
 * Resolves the policy's paths, fills the slot and publishes it. The roots hold what the paths stand for
 * in place and must be kept until the policy is withdrawn. On failure nothing is left in the
 * maps.
 */
int policy_publish(struct kern *kern, const struct policy *policy, const char *const *own,
		   __u32 slot, struct error *err, struct roots *ret_roots);
void policy_withdraw(struct kern *kern, __u32 slot);

/* Gives the job's slot a ring and zeroed counters; the job is not in force yet. */
int job_make_ring(struct kern *kern, struct job_label label, struct error *err);

/* Puts the job in force under the policy. */
int job_publish(struct kern *kern, struct job_label label, __u32 policy_slot, struct error *err);

/*
 * Takes the job out of force: what still carries its label is denied everything. The slot is free
 * again.
 */
void job_withdraw(struct kern *kern, struct job_label label);

/* Labels a process, pinned by its pidfd. It must have a single thread. */
int job_label_task(struct kern *kern, int pidfd, struct job_label label, struct error *err);
void job_unlabel_task(struct kern *kern, int pidfd);

/* Makes the label known by cgroup, for when a task's own storage is busy. */
int job_label_cgroup(struct kern *kern, uint64_t cgroup_id, struct job_label label,
		     struct error *err);
void job_forget_cgroup(struct kern *kern, struct job_label label);

/* Zeroes the counters. Only while no process of the job runs. */
int job_reset_stats(struct kern *kern, struct job_label label);
int job_read_stats(struct kern *kern, struct job_label label, struct job_stats *ret_stats);

#endif
