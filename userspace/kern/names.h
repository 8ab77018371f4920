/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What names open, in the kernel's maps: a policy's domains and resolvers, and the addresses that a job's
 * answers bring. Each change waits for a grace period, so policies without resolvers touch none of it.
 */
#ifndef JOBCAGE_KERN_NAMES_H
#define JOBCAGE_KERN_NAMES_H

#include "kern/kern.h"
#include "policy/policy.h"

/* Before the slot is published. Sets has_names of its value. Returns 0 or -errno: then withdraw. */
int names_publish(struct kern *kern, __u32 slot, const struct policy *policy,
		  const struct egress_tables *tables);

/* Of a slot that no job names; has_names says whether there is anything. */
void names_withdraw(struct kern *kern, __u32 slot);

/* Whether the policy in that slot has resolvers: its jobs need what follows. */
bool names_are_in(const struct kern *kern, __u32 slot);

/* An empty table of addresses for the job, in the place of what was there. */
int names_begin(struct kern *kern, struct job_label label, struct error *err);

struct learned_address {
	__u8 addr[16]; /* IPv4 mapped */
	struct learned learned;
};

/*
 * What the job's answers have brought: LEARNED_PER_JOB addresses at most, in no order, and what is out of
 * date among them. Of a job without a table: nothing. Returns 0 and the addresses (free them), or -errno.
 */
int names_read(struct kern *kern, struct job_label label, struct learned_address **ret_addresses,
	       size_t *ret_cnt);

/* Removes the table of a job that is over, if it has one: its last rules may be without names. */
void names_end(struct kern *kern, struct job_label label);

#endif
