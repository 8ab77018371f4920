/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One source, two ways to attach: the type of an LSM program is settled before it is loaded.
 */
#ifndef JOBCAGE_KERN_BACKEND_H
#define JOBCAGE_KERN_BACKEND_H

#include <bpf/libbpf.h>

#include "kern/kern.h"

/*
 * Before load. lsm: NULL for a program that only looks on, which is the same in both. Returns 0, or
 * -errno if the kernel has no such hook or function.
 */
int backend_prepare(struct bpf_program *prog, enum backend backend, const char *lsm,
		    const char *function);

/* After load. NULL and errno on failure. */
struct bpf_link *backend_attach(struct bpf_program *prog);

#endif
