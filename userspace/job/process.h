/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that is known by its number and by a pidfd. The kernel's files want the number, which
 * is another process's as soon as this one is reaped; only the pidfd stays what it was.
 */
#ifndef JOBCAGE_JOB_PROCESS_H
#define JOBCAGE_JOB_PROCESS_H

#include <sys/types.h>

/*
 * The number that the kernel gives for a pidfd, of this process or of another one: -1 once the process
 * is reaped. path, relative to dir_fd, is its file in fdinfo. Returns 0, -EBADF for what is no pidfd,
 * or another -errno.
 */
int process_of_fdinfo(int dir_fd, const char *path, pid_t *ret_pid);

/*
 * Whether the pidfd is of the process with that number, and that process is not dead yet. What was
 * done by number before a call that returns 0 was done to this process. Returns 0, -ESRCH or
 * another -errno.
 */
int process_check(pid_t pid, int pidfd);

/*
 * The process's directory below /proc. It stays that of one process, though not of which: ask
 * process_check() afterwards. Returns a descriptor, or -errno.
 */
int process_open(pid_t pid);

/*
 * Whether the process is still what the user's own process is: all its ids are these, and it has no
 * capability in our user namespace but such as programs without privilege are given. -EPERM: it has
 * executed a program that raised it. Returns 0, -EPERM, -ESRCH or another -errno.
 */
int process_check_unraised(pid_t pid, int pidfd, uid_t uid, gid_t gid);

#endif
