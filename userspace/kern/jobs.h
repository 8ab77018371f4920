/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Jobs in the kernel's maps: a slot, a ring, a policy in force, and who belongs to it.
 *
 * A slot is free as long as its generation is 0. What is about a job that no longer holds its slot
 * is refused with -ESTALE, or has nothing to do.
 */
#ifndef JOBCAGE_KERN_JOBS_H
#define JOBCAGE_KERN_JOBS_H

#include <stddef.h>
#include <sys/types.h>

#include "abi/job.h"
#include "base/error.h"
#include "kern/kern.h"

/* Bytes of a job's ring: a power of two and a multiple of the page size. */
#define RING_SIZE (256 * 1024)

/*
 * Making or freeing a ring costs a grace period each time, so slots up to this one keep theirs for
 * their next job, as does the group of evidence pages that they are in. The lowest free slot is
 * always the next to be used; the memory kept is bounded by this many rings, 32 MiB, and pages, 1 MiB.
 */
#define RING_SLOTS_KEPT 128

/*
 * Chosen first and filled later, so that what is about to be made can be written down in between.
 * The caller holds the lock of job/state.h from the choice until job_make_ring(). -ENOSPC: none is
 * free.
 */
int job_choose_slot(struct kern *kern, struct error *err, struct job_label *ret_label);

/*
 * Takes the job's slot, gives it a ring, a page for its evidence and zeroed counters; the job is not
 * in force yet. Records of the slot's last job may still be in the ring; ring_open()'s reader drops
 * them.
 */
int job_make_ring(struct kern *kern, struct job_label label, struct error *err);

/*
 * Puts the job in force under the policy. scratch_dev: the kernel's number (super_block.s_dev, see
 * abi/identity.h) of the file system that is the job's own to write; 0: none.
 */
int job_publish(struct kern *kern, struct job_label label, __u32 policy_slot, __u32 scratch_dev,
		struct error *err);

/*
 * Puts a job that is in force under another published policy: one store. Hooks that are running may
 * still judge by the old one until policy_barrier() returns.
 */
int job_replace_policy(struct kern *kern, struct job_label label, __u32 policy_slot,
		       struct error *err);

/* The policy slot that the job is in force under. Returns 0, or -ENOENT: it is not in force. */
int job_policy_slot(struct kern *kern, struct job_label label, __u32 *ret_slot);

/* Gives the job a scratch, or takes it away (0). The caller keeps the superblock from going. */
int job_set_scratch(struct kern *kern, struct job_label label, __u32 scratch_dev,
		    struct error *err);

/* Which it has; 0: none. */
__u32 job_scratch(struct kern *kern, struct job_label label);

/*
 * Takes the job's policy out of force: what still carries its label, or is sent by its sockets, is denied
 * once policy_barrier() has returned. The slot stays the job's.
 */
void job_suspend(struct kern *kern, struct job_label label);

/* Nothing of the job forks any more: it is to be killed. */
void job_set_ending(struct kern *kern, struct job_label label);

/*
 * Takes the job out of force: what still carries its label is denied everything. The slot is free
 * again.
 */
void job_withdraw(struct kern *kern, struct job_label label);

/*
 * Labels the first thread of a process, pinned by its pidfd. Its others get theirs when they enter the
 * job's cgroup.
 */
int job_label_task(struct kern *kern, int pidfd, struct job_label label, struct error *err);
/* The same for the self-test's process, and the capabilities that it uses against the policy. */
int job_label_canary(struct kern *kern, int pidfd, struct job_label label, uint64_t lifted,
		     struct error *err);

/* Takes the label from such a thread. Returns 0 or -errno; -ENOENT: it has none. */
int job_unlabel_task(struct kern *kern, int pidfd);

/* The label of a process, of a job that runs or one that is long over. -ENOENT: it has none. */
int job_of_pid(struct kern *kern, int pidfd, struct job_label *ret_label);

/*
 * Makes the job's cgroup known, one for each job: from now on a task that enters it, or a cgroup
 * below, or is born there, gets the job's label if it has none. One that no job has any more gives way
 * to it; -EEXIST: it is another job's cgroup.
 */
int job_label_cgroup(struct kern *kern, uint64_t cgroup_id, struct job_label label,
		     struct error *err);

/* Of the cgroup that was labelled for the job; 0: none was, or it is forgotten. */
uint64_t job_cgroup_id(struct kern *kern, struct job_label label);

/* Before job_withdraw(). */
void job_forget_cgroup(struct kern *kern, struct job_label label);

/*
 * Labels every task in the cgroup that job_label_cgroup() made known as the job's, or below, that has
 * no label yet. ret_cnt: how many it found without one in this pass; 0: all carry a label, whichever. Tasks that are born during the
 * pass may be missed, so freeze the cgroup and repeat until it is 0. The caller holds the lock of
 * job/state.h, because there is one request at a time.
 */
int job_label_members(struct kern *kern, struct job_label label, struct error *err,
		      size_t *ret_cnt);

/*
 * Takes the label off every task that carries it; pid: off those of one process, 0: off all. The same
 * lock. Returns 0, -EAGAIN if some keep forking, or -errno.
 */
int job_unlabel_members(struct kern *kern, struct job_label label, pid_t pid);

/*
 * Counts of the job so far; and zeroing them, with what is folded, once what was to be counted apart
 * is over.
 */
int job_read_stats(struct kern *kern, struct job_label label, struct job_stats *ret_stats);
int job_reset_stats(struct kern *kern, struct job_label label);

#endif
