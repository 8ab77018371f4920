/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Acts: what a program may attempt, each as one small function. See act.c.
 *
 * An act returns 0 or -errno of the system call that it is about. It names the call it is in by step(), so
 * that a report can tell the refusal of the act from trouble on the way to it.
 */
#ifndef JOBCAGE_TESTS_ACT_H
#define JOBCAGE_TESTS_ACT_H

#include <stddef.h>

#define ARGS_MAX 6

struct act {
	const char *name;
	int argc;
	int (*run)(char **argv);
};

extern const struct act file_acts[], attr_acts[], exec_acts[], guard_acts[], object_acts[], net_acts[], uring_acts[]; /* each ends with a NULL name */

/* Names the call that is about to be made; returns true, so that it fits into conditions. */
int step(const char *call);

/* What a system call returned, as 0 or -errno. */
int outcome(long result);

/* Closes fd if it is one; returns 0 or its negative errno. */
int close_outcome(int fd);

/* The status of a child that leaves by _exit(errno): 0 or -errno; -ECHILD if it was killed. */
int wait_outcome(int pid);

#endif
