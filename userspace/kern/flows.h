/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP connections that the packet programs have cut (SOCK_IS_CUT): nothing of theirs leaves any more, and
 * this tells the job, which waits for them.
 */
#ifndef JOBCAGE_KERN_FLOWS_H
#define JOBCAGE_KERN_FLOWS_H

#include "kern/kern.h"

/*
 * A netlink socket for flows_reset(), in the network namespace of the process, or of the calling thread if
 * pidfd is -1. The thread is back in its own afterwards. Returns a descriptor or -errno.
 */
int flows_open(int pidfd);

/*
 * Resets every connection of the job, in the netlink socket's network namespace, that is cut: who uses it gets
 * ECONNABORTED. mark_fd is that of mark_by_sock. Returns 0, or -errno: -ENOENT, the kernel has no
 * sock_diag(7) for TCP.
 *
 * It takes as long as there are sockets, and waits in the kernel for a socket that is just being used: for
 * ever, if who uses it waits for memory that never comes. So it is for a process of its own.
 */
int flows_reset(int netlink, int mark_fd, struct job_label label);

#endif
