/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every kernel program includes first.
 */
#ifndef JOBCAGE_BPF_H
#define JOBCAGE_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define BPF_NOEXIST 1 /* include/uapi/linux/bpf.h */

/* include/uapi/asm-generic/errno*.h: numbers that BTF does not carry. */
#define EPERM 1
#define E2BIG 7
#define ENOMEM 12
#define EACCES 13
#define EINVAL 22
#define ENOSPC 28
#define EPROTONOSUPPORT 93

/* include/linux/fs.h and include/uapi/linux/stat.h */
#define FMODE_WRITE 0x2
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_ISUID 0004000
#define S_ISGID 0002000
#define S_IXGRP 0000010

/* Verdicts as the two kinds of programs return them. */
#define LSM_ALLOW 0
#define LSM_DENY (-EACCES)
#define CGROUP_ALLOW 1
#define CGROUP_DENY 0

/*
 * Was the hook given this argument, or NULL? The newest verifiers know which may be NULL and want the
 * comparison; older ones take every argument for a pointer that is one, and drop the comparison, so
 * the address is looked at as a number first.
 */
static __always_inline bool is_given(const void *argument)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &argument);
	return address && argument;
}

#ifndef container_of
#define container_of(ptr, type, member) \
	((type *)((void *)(ptr)-bpf_core_field_offset(type, member)))
#endif

#endif
