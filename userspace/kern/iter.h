/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Running a BPF iterator and reading all it writes.
 */
#ifndef JOBCAGE_KERN_ITER_H
#define JOBCAGE_KERN_ITER_H

#include <stddef.h>
#include <sys/types.h>

#include "kern/kern.h"

/* Visit every task rather than one process. */
#define ITER_ALL 0

/*
 * Runs the program, over process tgid or ITER_ALL. Returns 0 and the bytes it wrote (free them), or
 * -errno.
 */
int iter_read(struct kern *kern, enum kern_prog prog, pid_t tgid, void **ret_data, size_t *ret_len);

#endif
