/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fixed-width integers for the headers that the kernel programs and the controller share.
 *
 * On the kernel side vmlinux.h brings them; everywhere else the UAPI header does.
 */
#ifndef JOBCAGE_ABI_TYPES_H
#define JOBCAGE_ABI_TYPES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* For what both sides compute alike; whoever includes the header need not use it. */
#define ABI_FUNCTION static inline __attribute__((always_inline, unused))

#endif
