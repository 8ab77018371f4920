/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A compiled policy as the kernel sees it.
 *
 * A policy occupies one slot. policy_by_slot[slot] holds the scalars below; three inner maps,
 * published in the outer maps roots_by_policy, nets_by_policy and ports_by_policy under the same
 * slot, hold its rules. All of them are filled before a job names the slot, and none is changed
 * while a job does.
 *
 * Rules are numbered from 1 in the order of the controller's rule table; RULE_NONE means that no
 * rule matched and the policy's default decided.
 */
#ifndef JOBCAGE_ABI_POLICY_H
#define JOBCAGE_ABI_POLICY_H

#include "types.h"

#define RULE_NONE 0

/*
 * port_range.rule under a policy that has budgets: counted, the index of the budget and the rule
 * number. As a signed number it is negative, so what is open without being counted is above 0.
 */
#define RULE_IS_COUNTED 0x80000000U
#define RULE_NUMBER_MASK 0x00ffffffU
#define RULE_BUDGET_SHIFT 24
#define RULE_BUDGET(rule) ((rule) >> RULE_BUDGET_SHIFT & 0x7f)

#define BUDGET_OF_JOB 0     /* only what may leave in all */
#define BUDGET_INBOUND 0x7f /* the same, of ingress rules: the other end came in */

/* Enough for every policy of a large site; a slot is 128 bytes. */
#define POLICY_SLOTS 4096
#define POLICY_SLOT_NONE 0xffffffff

/*
 * Superblocks that hold rules, kept inline so that files elsewhere are answered without a lookup.
 */
#define POLICY_DEVS 16

enum policy_mode {
	MODE_ENFORCE = 1,
	MODE_AUDIT = 2, /* decide and report, never deny */
};

/* What a job may do below a directory. Each level includes the ones before it. */
enum access {
	ACCESS_UNSET = 0, /* says nothing: the walk goes on to the parent */
	ACCESS_NONE = 1,
	ACCESS_READ = 2,  /* open for reading, list */
	ACCESS_WRITE = 3, /* also create, change, rename and remove */
};

/* Devices by what they are for, wherever their nodes are; bits of policy_value.devices. */
enum device_group {
	DEVICE_GPU = 1,  /* what NVIDIA's and AMD's libraries compute with */
	DEVICE_RDMA = 2, /* verbs, and their connection manager */
	DEVICE_KVM = 3,
	DEVICE_FUSE = 4,
	DEVICE_GROUPS,
};

enum exec_access {
	EXEC_UNSET = 0,
	EXEC_DENY = 1,
	EXEC_ALLOW = 2,
};

enum mount_default {
	MOUNTS_DENY = 1,
	MOUNTS_ALLOW = 2,
};

enum egress_default {
	EGRESS_DENY = 1,
	EGRESS_ALLOW = 2,
	EGRESS_COUNTED = 3, /* allow, under a policy with budgets; never in a policy's text */
};

enum unix_access {
	UNIX_UNSET = 0,
	UNIX_DENY = 1,
	UNIX_ALLOW = 2,
};

enum ingress_default {
	INGRESS_DENY = 1,
	INGRESS_ALLOW = 2,
};

/*
 * Where btrfs keeps the subvolume of an inode, which no type of the kernel's own tells programs:
 * controllers learn it from the module's.
 */
union btrfs_layout {
	struct {
		__u16 root_at; /* bytes that the pointer to the subvolume lies before the inode; 0: not known */
		__u16 id_at;   /* offset of the subvolume's id in what it points to */
	};
	__u32 word;
};

/*
 * policy_by_slot: index is the policy slot. Controllers map the tables, fill a value and store its
 * mode last.
 */
struct policy_value {
	__u32 mode; /* enum policy_mode; 0: the slot is not published, everything is denied */
	__u8 file_default;   /* enum access */
	__u8 exec_default;   /* enum exec_access */
	__u8 egress_default; /* enum egress_default */
	__u8 ingress_default; /* enum ingress_default */
	__u32 dev_cnt; /* entries used in devs; above POLICY_DEVS: too many, every file is walked */
	__u32 devs[POLICY_DEVS]; /* super_block.s_dev of every superblock that holds a rule's root, those
				    of datasets first; the first of them if there are too many */
	__u32 sockets; /* bit N: sockets of enum socket_class N may be made; abi/socket.h */
	__u8 unix_default; /* enum unix_access */
	__u8 mounts;       /* enum mount_default */
	__u8 is_filled;    /* the controllers': 1 while inner maps may stand under the slot */
	__u8 user_namespaces; /* 1: the job may make them */
	union btrfs_layout btrfs;
	__u64 dev_filter;  /* bit DEV_FILTER_BIT(dev) is set for each of devs, and for no others */
	__u64 file_filter; /* bit FILE_FILTER_BIT(ino) is set for each root that is no directory */
	__u64 capabilities; /* bit N: the job may use capability N */
	__u64 rules_id; /* of this publication; never used again, so it may key what is remembered */
	__u32 dataset_dev_cnt; /* of devs: superblocks with a dataset that the job may not write to */
	__u16 devices; /* bit N: devices of enum device_group N may be opened */
	__u8 budget_cnt; /* entries in budget_by_rule, from index 0; 0: nothing is counted */
	__u8 has_names;  /* 1: resolvers are asked, and answers learned from; abi/names.h */
};

/* A bit that is not set spares a search; one that is set proves nothing. */
#define DEV_FILTER_BIT(dev) ((dev) & 63)
#define FILE_FILTER_BIT(ino) (((ino) * 0x9e3779b97f4a7c15ULL) >> 58)

/*
 * roots_by_policy[slot]: hash of the directories and files that rules name, and of the ancestors
 * of those, which the job must not rename or remove.
 */
struct root_key {
	__u32 dev;  /* super_block.s_dev, kernel encoding (major << 20 | minor) */
	__u32 kind; /* ROOT_KIND() */
	__u64 ino;  /* inode.i_ino */
};

/*
 * What goes with an inode's number. overlayfs numbers directories and files apart, and btrfs each of its
 * subvolumes, by whose id they are told apart; elsewhere the tree is 0.
 */
#define ROOT_KIND(mode, tree) (((mode) >> 12 & 0xf) | (tree) << 4)
#define ROOT_TYPE(kind) (((kind) & 0xf) << 12)

#define TREE_UNKNOWN 0xfffffff /* of btrfs, but it could not be read, or does not fit: no rule's root */

struct root_value {
	__u8 access;       /* enum access; ACCESS_UNSET: no file rule here */
	__u8 exec;         /* enum exec_access; EXEC_UNSET: no exec rule here */
	__u8 is_protected; /* 1: must keep its place: a rule's root or an ancestor of one */
	__u8 unix_access;  /* enum unix_access; UNIX_UNSET: no rule for Unix sockets here */
	__u32 access_rule; /* rule number; RULE_NONE with an access: jobcage's own file, closed */
	__u32 exec_rule;   /* rule number */
	__u32 unix_rule;   /* rule number; RULE_NONE as with access_rule */
};

/*
 * nets_by_policy[slot]: longest-prefix-match trie. Addresses are 128 bits in network order; IPv4 is
 * held in its mapped form ::ffff:a.b.c.d, so that an IPv4 prefix of n bits has prefixlen 96 + n and
 * both families obey one table.
 */
struct net_key {
	__u32 prefixlen;
	__u8 addr[16];
};

/*
 * The ports open at a prefix: ports_by_policy[slot][first .. first + cnt). Prefixes are flattened
 * when compiled: the longest match already lists what the shorter prefixes around it allow.
 */
struct net_value {
	__u32 first;
	__u32 cnt;
};

/* In port_range.protocol: the prefix is that of peers, and the ports are the job's own. */
#define PORT_INBOUND 0x80

/* ports_by_policy[slot]: array. Within one net_value's span: sorted by (protocol, lo), disjoint. */
struct port_range {
	__u32 rule;    /* rule number; with RULE_IS_COUNTED and the budget, if the policy has any */
	__u16 lo;      /* host byte order, inclusive */
	__u16 hi;      /* host byte order, inclusive */
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP; of ingress rules with PORT_INBOUND */
	__u8 is_private; /* of a domain: 1: private addresses too */
	__u8 reserved[2];
};

/* budget_by_rule: hash. Filled before a job names the slot. */
struct budget_key {
	__u32 policy; /* policy slot */
	__u32 index;  /* 0: of the job; 1 .. BUDGET_INBOUND - 1: of rules */
};

/* Bytes of IP packets, headers included, as they leave the socket. */
struct budget {
	__u64 max_bytes; /* UINT64_MAX: no limit */
	__u64 id;        /* spent_key.id; the same for rules of the same id in every policy; 0: the job's */
	__u32 rule;      /* rule number; RULE_NONE: the job's */
	__u32 reserved;
};

/* In all policies that are published. */
#define BUDGETS_MAX 65536

_Static_assert(sizeof(struct budget_key) == 8, "budget_key is ABI");
_Static_assert(sizeof(struct budget) == 24, "budget is ABI");
_Static_assert(__builtin_offsetof(struct budget, rule) == 16, "budget is ABI");
_Static_assert(sizeof(struct policy_value) == 128, "policy_value is ABI");
_Static_assert(sizeof(union btrfs_layout) == 4, "btrfs_layout is ABI");
_Static_assert(sizeof(struct root_key) == 16, "root_key is ABI");
_Static_assert(sizeof(struct root_value) == 16, "root_value is ABI");
_Static_assert(sizeof(struct net_key) == 20, "net_key is ABI");
_Static_assert(sizeof(struct net_value) == 8, "net_value is ABI");
_Static_assert(sizeof(struct port_range) == 12, "port_range is ABI");

_Static_assert(__builtin_offsetof(struct policy_value, btrfs) == 84, "policy_value is ABI");
_Static_assert(__builtin_offsetof(struct policy_value, rules_id) == 112, "policy_value is ABI");
_Static_assert(__builtin_offsetof(struct root_key, ino) == 8, "root_key is ABI");
_Static_assert(__builtin_offsetof(struct root_value, unix_rule) == 12, "root_value is ABI");
_Static_assert(__builtin_offsetof(struct net_key, addr) == 4, "net_key is ABI");
_Static_assert(__builtin_offsetof(struct net_value, cnt) == 4, "net_value is ABI");
_Static_assert(__builtin_offsetof(struct port_range, is_private) == 9, "port_range is ABI");

#endif
