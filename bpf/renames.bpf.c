// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel's count of renames, for lib/walk.bpf.h. In an object of its own, because the linker
 * takes a kernel symbol without a type from one object only.
 */
#include "lib/jobcage.bpf.h"
#include "lib/renames.bpf.h"

/* A seqlock_t, which begins with its sequence. Its address is 0 where the kernel hides addresses. */
extern const void rename_lock __ksym __weak;

__hidden __u32 renames(void)
{
	__u32 sequence;

	if (bpf_probe_read_kernel(&sequence, sizeof(sequence), &rename_lock))
		return RENAMES_UNKNOWN;
	return sequence;
}

