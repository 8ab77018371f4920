/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hooks that enforcement stands on: one table, from which programs are attached, the doctor
 * reports and the tests iterate.
 */
#ifndef JOBCAGE_KERN_HOOKS_H
#define JOBCAGE_KERN_HOOKS_H

#include <stddef.h>

struct hook {
	const char *program;  /* in the skeleton */
	const char *lsm;      /* the LSM hook, as in lsm_hook_defs.h; NULL: only looks on (fentry) */
	const char *function; /* the kernel function that calls it: where fmod_ret attaches, or fentry */
	const char *guards;   /* what is lost without it, in a few words */
	const char *instead;  /* on kernels that lack it: what refuses the act there; NULL: needed */
};

extern const struct hook hooks[];
extern const size_t hook_cnt;

#endif
