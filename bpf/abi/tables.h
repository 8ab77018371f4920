/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What hooks find by a number: jobs, policies, and what walks have found. All of it is the one value of
 * the map "tables", because a program reaches into a value in half the instructions that a look into a
 * map takes. Controllers map it.
 */
#ifndef JOBCAGE_ABI_TABLES_H
#define JOBCAGE_ABI_TABLES_H

#include "job.h"
#include "policy.h"

/*
 * memo_of_walk, which is the kernel's alone: index is a hash of what is asked. What a walk from a
 * directory has found, see lib/walk.bpf.h: true for the directory of that device, inode and
 * generation, under the rules of that id, while no directory has moved since the epoch. One table for
 * all jobs and processors.
 */
struct walk_memo {
	__u64 state; /* the epoch in the lower half; above it a sequence, odd while this is written */
	__u64 rules_id;
	__u64 ino;
	__u32 dev;
	__u32 generation;
	__u64 finding; /* rule, level and reason as walk.bpf.h packs them */
	__u32 jiffies; /* when it was found */
	__u32 reserved;
};

#define WALK_MEMO_BITS 12

/*
 * device_numbers[enum device_group]: the character devices of each group on this machine, as ranges of
 * inode.i_rdev, the first number in the upper half and the last in the lower. Drivers are given
 * numbers when they are loaded, so controllers look them up anew for each policy, and store a
 * range at once. Zero: none, as nobody can open the device 0.
 */
#define DEVICE_RANGES 8

struct tables {
	struct job_value job_by_slot[JOB_SLOTS];
	struct policy_value policy_by_slot[POLICY_SLOTS];
	struct walk_memo memo_of_walk[1 << WALK_MEMO_BITS];
	__u64 device_numbers[DEVICE_GROUPS][DEVICE_RANGES];
};

_Static_assert(sizeof(struct walk_memo) == 48, "walk_memo is ABI");
_Static_assert(sizeof(struct tables) == 1245504, "tables is ABI");

_Static_assert(__builtin_offsetof(struct walk_memo, jiffies) == 40, "walk_memo is ABI");
_Static_assert(__builtin_offsetof(struct tables, policy_by_slot) == 524288, "tables is ABI");
_Static_assert(__builtin_offsetof(struct tables, memo_of_walk) == 1048576, "tables is ABI");

#endif
