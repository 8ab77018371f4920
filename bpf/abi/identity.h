/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel itself calls an open file: the output of the identify iterator, one entry per
 * descriptor.
 *
 * stat() is not asked, because on btrfs and overlayfs it names another device and inode than the
 * hooks see.
 */
#ifndef JOBCAGE_ABI_IDENTITY_H
#define JOBCAGE_ABI_IDENTITY_H

#include "policy.h"

/* identify_request: one entry, read when the iterator runs. */
struct identify_request {
	__u32 has_policy; /* 1: judge each file by the policy below */
	__u32 policy;     /* policy slot */
	union btrfs_layout btrfs;
};

struct identity {
	__u32 fd;
	__u32 dev; /* super_block.s_dev, kernel encoding (major << 20 | minor) */
	__u64 ino;
	__u32 is_writable; /* 1: the descriptor was opened for writing */
	__u32 access; /* enum access of the nearest rule; ACCESS_UNSET: none, or not asked for */
	__u32 rule;   /* rule number behind access, or RULE_NONE */
	__u32 type; /* S_IFMT of inode.i_mode */
	__u32 family; /* of a socket, AF_*; 0: it is none */
	__u32 is_ring; /* 1: an io_uring */
	__u32 tree;    /* subvolume of btrfs, or TREE_UNKNOWN; 0: elsewhere */
	__u32 is_linked; /* 1: judged by a policy, it has another name, see lib/links.bpf.h */
	__u32 reserved;
	struct identify_request request; /* by which it was judged: another controller may have
					    asked at the same time */
};

_Static_assert(sizeof(struct identify_request) == 12, "identify_request is ABI");
_Static_assert(sizeof(struct identity) == 64, "identity is ABI");
_Static_assert(__builtin_offsetof(struct identity, request) == 52, "identity is ABI");

#endif
