/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who carries a job's label, wherever they have gone.
 */
#ifndef JOBCAGE_KERN_MEMBER_H
#define JOBCAGE_KERN_MEMBER_H

#include <stdbool.h>
#include <sys/types.h>

#include "abi/job.h"
#include "kern/kern.h"

/* Looks at every task of the machine. Returns 0, or -errno if the kernel could not be asked. */
int member_any(struct kern *kern, struct job_label label, bool *ret_any);

/* The same for those that are in execve(): what they execute may have been judged when they had no label. */
int member_any_in_execve(struct kern *kern, struct job_label label, bool *ret_any);

/*
 * The same for those whose table of descriptors a task without the label has as well: what that opens,
 * they use, and no hook is asked.
 */
int member_any_shares_files(struct kern *kern, struct job_label label, bool *ret_any);

/* Processes that carry it, as the kernel numbers them; free them. Returns 0 or -errno. */
int member_list(struct kern *kern, struct job_label label, pid_t **ret_pids, size_t *ret_cnt);

/*
 * Sends SIGKILL to every process that carries it, wherever it has gone, until a look finds none that
 * is not killed yet. What multiplies faster is left for the next call. Returns 0 or -errno.
 */
int member_kill(struct kern *kern, struct job_label label);

/*
 * The same of all jobs together. They rely on no table: that the iterator writes something of each
 * task that carries a label, and of no other, holds in every layout. So kern may be one of
 * kern_open_foreign(). member_kill_jobs() looks once; it may be called again.
 */
int member_any_job(struct kern *kern, bool *ret_any);
int member_kill_jobs(struct kern *kern);

#endif
