/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP connections that the packet program has cut (SOCK_IS_CUT): nothing of theirs leaves any more, and
 * this tells those who wait for them.
 */
#ifndef JOBCAGE_KERN_FLOWS_H
#define JOBCAGE_KERN_FLOWS_H

#include <stddef.h>

#include "kern/kern.h"

/*
 * Resets every connection of the calling thread's network namespace that is cut: the job gets
 * ECONNABORTED, the other end a reset. The time it takes grows with the sockets that are there. Returns 0,
 * and adds how many there were to ret_cnt; or -errno: -ENOENT, the kernel has no sock_diag(7).
 */
int flows_reset(struct kern *kern, size_t *ret_cnt);

/* The same in the network namespace of the process. The thread is back in its own afterwards. */
int flows_reset_of(struct kern *kern, int pidfd, size_t *ret_cnt);

#endif
