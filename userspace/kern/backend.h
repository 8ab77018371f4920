/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One source, two ways to attach: the type of an LSM program is settled before it is loaded.
 */
#ifndef JOBCAGE_KERN_BACKEND_H
#define JOBCAGE_KERN_BACKEND_H

#include <bpf/libbpf.h>

#include "kern/kern.h"

/*
 * Before load. lsm: NULL for a program that only looks on, which is the same in both. Returns 0;
 * -ENOENT if the kernel has no such hook or function.
 */
int backend_prepare(struct bpf_program *prog, const struct btf *kernel, enum backend backend,
		    const char *lsm, const char *function);

/* How many arguments an LSM hook has in this kernel; 0: there is no such hook. */
int backend_lsm_argc(const struct btf *kernel, const char *lsm);

/* After load. NULL and errno on failure. */
struct bpf_link *backend_attach(struct bpf_program *prog);

#endif
