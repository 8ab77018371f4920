/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where btrfs keeps the subvolume of an inode: its numbers repeat in each. The programs cannot know that
 * when they are loaded, because btrfs is mostly a module, and may come later.
 */
#ifndef JOBCAGE_KERN_TREES_H
#define JOBCAGE_KERN_TREES_H

#include "abi/policy.h"
#include "kern/kern.h"

/* What trees_learn() has found in this process; 0: it was not asked. */
union btrfs_layout trees_known(const struct kern *kern);

/* Asks the types of the module, or of the kernel where it is part of that. Returns 0 or -errno. */
int trees_learn(struct kern *kern, union btrfs_layout *ret_layout);

#endif
