/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Policies in the kernel's maps: fill first, then publish with one store. Jobs are put under them
 * by kern/jobs.h.
 */
#ifndef JOBCAGE_KERN_PUBLISH_H
#define JOBCAGE_KERN_PUBLISH_H

#include <stdbool.h>

#include "base/error.h"
#include "kern/kern.h"
#include "kern/roots.h"
#include "policy/policy.h"

/*
 * A slot is chosen first and filled later, so that what is about to be made can be written down in
 * between. The caller holds the lock of job/state.h from the choice until the slot is filled.
 * -ENOSPC: none is free.
 */
int policy_choose_slot(struct kern *kern, struct error *err, __u32 *ret_slot);

/*
 * Fills the slot with the policy whose paths lead to these places, and publishes it. places, own: as
 * roots_resolve() has them. The roots hold what the paths stand for in place and must be kept until
 * the policy is withdrawn. On failure nothing is left in the maps.
 */
int policy_publish(struct kern *kern, struct places *places, const char *const *own, __u32 slot,
		   struct error *err, struct roots *ret_roots);

/*
 * Only when no job names the slot and policy_barrier() has returned since. Waits for a grace period.
 */
void policy_withdraw(struct kern *kern, __u32 slot);

/*
 * Returns 0 after a grace period: no hook uses a policy slot any more that it read before the call.
 * Some milliseconds.
 */
int policy_barrier(struct error *err);

/* Of the slot's publication; 0: it is not published. */
__u64 policy_rules_id(const struct kern *kern, __u32 slot);

/* Does any job name the slot? One look at a mapped table: no system call. */
bool policy_slot_in_use(struct kern *kern, __u32 slot);

/*
 * Withdraws every policy that no job names, also one that is there in part: what controllers left
 * that died while they published, replaced or withdrew it. is_kept: POLICY_SLOTS entries, true for a
 * slot that the caller has in use; NULL: none. The caller holds the lock of job/state.h, under which
 * policies are published and used.
 */
int policy_withdraw_unused(struct kern *kern, const bool *is_kept, struct error *err);

#endif
