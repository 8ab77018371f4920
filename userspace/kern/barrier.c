// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Waiting for kernel programs; see barrier.h.
 *
 * The programs run inside RCU read-side sections. A store into a map of maps returns only after a
 * grace period (maybe_wait_bpf_programs() in kernel/bpf/syscall.c, since 5.0, so that user space
 * may rely on it); since 6.8 only if the store succeeded. So a map of maps of our own is made, and
 * one store into it. membarrier() would not do: MEMBARRIER_CMD_GLOBAL returns at once where only
 * one CPU is online, and there a program may have been preempted.
 */
#include "kern/barrier.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>

#include "base/cleanup.h"

int barrier_wait(struct error *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	_cleanup_fd_ int inner = -1, outer = -1;
	__u32 zero = 0;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "barrier_inner", sizeof(zero), sizeof(zero), 1,
			       NULL);
	if (inner < 0)
		return error_errno(err, -errno, "cannot wait for the kernel programs");
	opts.inner_map_fd = inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "barrier", sizeof(zero), sizeof(zero), 1,
			       &opts);
	if (outer < 0 || bpf_map_update_elem(outer, &zero, &inner, BPF_ANY))
		return error_errno(err, -errno, "cannot wait for the kernel programs");
	return 0;
}
