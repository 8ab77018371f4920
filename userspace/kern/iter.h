/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Running a BPF iterator and reading all it writes.
 */
#ifndef JOBCAGE_KERN_ITER_H
#define JOBCAGE_KERN_ITER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kern/kern.h"

/* Visit every task rather than one process. */
#define ITER_ALL 0

/* However much it writes. */
#define ITER_UNBOUNDED SIZE_MAX

/*
 * Runs the program, over process tgid or ITER_ALL, until it has written more than max bytes. Returns
 * 0 and the bytes it wrote (free them); -E2BIG if they are more than max; or another -errno.
 */
int iter_read(struct kern *kern, enum kern_prog prog, pid_t tgid, size_t max, void **ret_data,
	      size_t *ret_len);

#endif
