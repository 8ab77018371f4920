/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that is known by its number and by a pidfd. The kernel's files want the number, which
 * is another process's as soon as this one is reaped; only the pidfd stays what it was.
 */
#ifndef JOBCAGE_JOB_PROCESS_H
#define JOBCAGE_JOB_PROCESS_H

#include <sys/types.h>

/*
 * The number that the kernel gives for a pidfd: -1 once the process is reaped. Returns 0, -EBADF for
 * what is no pidfd, or another -errno.
 */
int process_of_pidfd(int pidfd, pid_t *ret_pid);

/*
 * Whether the pidfd is of the process with that number, and that process is not dead yet. What was
 * done by number before a call that returns 0 was done to this process. Returns 0, -ESRCH or
 * another -errno.
 */
int process_check(pid_t pid, int pidfd);

#endif
