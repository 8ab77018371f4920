/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel calls the files that a process has open; see abi/identity.h.
 */
#ifndef JOBCAGE_KERN_IDENTIFY_H
#define JOBCAGE_KERN_IDENTIFY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/identity.h"
#include "kern/kern.h"

/* Do not judge the files by a policy. */
#define IDENTIFY_NO_POLICY (-1)

/* As many as there are. */
#define IDENTIFY_ALL (SIZE_MAX / sizeof(struct identity))

/*
 * Reads one entry per descriptor of process tgid, in each table of its threads, judged by policy_slot
 * unless that is IDENTIFY_NO_POLICY. Returns 0 and an array by descriptor (free it); -E2BIG if there are
 * more than max; or another -errno.
 */
int identify_files(struct kern *kern, pid_t tgid, long policy_slot, size_t max, struct error *err,
		   struct identity **ret_identities, size_t *ret_cnt);

/* The entry of that descriptor in an array by descriptor, or NULL. */
const struct identity *identity_of_fd(const struct identity *identities, size_t cnt, int fd);

#endif
