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

struct tables {
	struct job_value job_by_slot[JOB_SLOTS];
	struct policy_value policy_by_slot[POLICY_SLOTS];
	struct walk_memo memo_of_walk[1 << WALK_MEMO_BITS];
};

_Static_assert(sizeof(struct walk_memo) == 48, "walk_memo is ABI");
_Static_assert(sizeof(struct tables) == 1245184, "tables is ABI");

_Static_assert(__builtin_offsetof(struct walk_memo, jiffies) == 40, "walk_memo is ABI");
_Static_assert(__builtin_offsetof(struct tables, policy_by_slot) == 524288, "tables is ABI");
_Static_assert(__builtin_offsetof(struct tables, memo_of_walk) == 1048576, "tables is ABI");

#endif
