// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel's count of renames, for lib/walk.bpf.h. In an object of its own, because the linker
 * takes a kernel symbol without a type from one object only.
 */
#include "lib/jobcage.bpf.h"
#include "lib/renames.bpf.h"

/* A seqlock_t, which begins with its sequence. Its address is 0 where the kernel hides addresses. */
extern const void rename_lock __ksym __weak;

/*
 * Since 6.2 the kernel lets a program read at an address that it has no type for, without a call. 6.1
 * does not, nor does its BTF have the enumerator.
 */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym __weak;

enum bpf_func_id___6_2 {
	BPF_FUNC_cgrp_storage_get___6_2 = 210,
};

struct seqcount {
	__u32 sequence;
} __attribute__((preserve_access_index));

static __always_inline __u32 read_in_place(void)
{
	struct seqcount *lock = bpf_rdonly_cast(&rename_lock, bpf_core_type_id_kernel(struct seqcount));

	return lock->sequence;
}

/*
 * Odd if it fails. Without a branch, because the verifier of 6.1 loses sight of a constant that comes back
 * through memory of a caller: it took a test whether the sequence is odd for always true.
 */
static __always_inline __u32 read_by_call(void)
{
	__u32 sequence;
	__s64 err = bpf_probe_read_kernel(&sequence, sizeof(sequence), &rename_lock);

	return sequence | (__u64)err >> 63;
}

__hidden __u32 renames(void)
{
	if (!&rename_lock)
		return RENAMES_UNKNOWN;
	if (bpf_core_enum_value_exists(enum bpf_func_id___6_2, BPF_FUNC_cgrp_storage_get___6_2))
		return read_in_place();
	return read_by_call();
}
