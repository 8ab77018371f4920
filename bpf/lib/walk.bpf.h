/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path walk: from an object up its dentries to its superblock's root, the nearest rule wins.
 *
 * No mount is consulted, so bind mounts, symlinks, mount namespaces and renamed parents change
 * nothing. Two things end a walk without an answer, and both deny: a depth beyond WALK_DEPTH, and a
 * dentry that is not connected to the superblock's root (open_by_handle_at).
 */
#ifndef JOBCAGE_WALK_BPF_H
#define JOBCAGE_WALK_BPF_H

#include "lib/job.bpf.h"

/*
 * Components below a superblock's root. Deeper objects exist (chdir and mkdir in turn) and are
 * denied.
 */
#define WALK_DEPTH 256

#ifndef SB_NOUSER
#define SB_NOUSER                                                                               \
	(1UL << 31) /* include/linux/fs.h: a superblock that cannot be mounted (pipes, sockets, \
		       memfd) */
#endif

enum walk_class {
	WALK_FILE,
	WALK_EXEC,
	WALK_UNIX,
};

/* The nearest rule of a class. */
struct finding {
	__u32 rule;  /* rule number, or RULE_NONE */
	__u8 level;  /* enum access or enum exec_access; 0 with a reason that denies */
	__u8 reason; /* enum event_reason */
};

/* 0, which no file has, for a name that stands for nothing yet. */
static __always_inline __u64 inode_number(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	return inode ? inode->i_ino : 0;
}

static __always_inline __u32 inode_mode(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	return inode ? inode->i_mode : 0;
}

static __always_inline void set_object(struct root_key *key, struct dentry *dentry)
{
	key->type = inode_mode(dentry) & S_IFMT;
	key->ino = inode_number(dentry);
}

static __always_inline bool superblock_has_rules(const struct policy_value *policy, __u32 dev)
{
	if (policy->dev_cnt > POLICY_DEVS)
		return true;
	for (__u32 i = 0; i < POLICY_DEVS; i++) {
		if (i >= policy->dev_cnt)
			return false;
		if (policy->devs[i] == dev)
			return true;
	}
	return false;
}

static __always_inline bool rule_here(const struct root_value *root, enum walk_class class,
				      struct finding *finding)
{
	__u8 level = class == WALK_FILE ? root->access :
		     class == WALK_EXEC ? root->exec :
					  root->unix_access;

	if (!level)
		return false;
	finding->level = level;
	finding->rule = class == WALK_FILE ? root->access_rule :
			class == WALK_EXEC ? root->exec_rule :
					     root->unix_rule;
	finding->reason = finding->rule == RULE_NONE ? REASON_OWN : REASON_RULE;
	return true;
}

/*
 * Fills finding and returns; the caller has put the policy's default there, which stays if no rule
 * is met. roots is the policy's inner map.
 */
static __noinline int walk(struct dentry *dentry, void *roots, enum walk_class class,
			   struct finding *finding)
{
	struct root_key key = { .dev = dentry->d_sb->s_dev };
	struct dentry *top = dentry->d_sb->s_root;

	for (int i = 0; i < WALK_DEPTH; i++) {
		struct root_value *root;
		struct dentry *parent;

		set_object(&key, dentry);
		root = bpf_map_lookup_elem(roots, &key);
		if (root && rule_here(root, class, finding))
			return 0;
		if (dentry == top)
			return 0;
		parent = dentry->d_parent;
		if (parent == dentry) {
			*finding = (struct finding){ .reason = REASON_DISCONNECTED };
			return 0;
		}
		dentry = parent;
	}
	*finding = (struct finding){ .reason = REASON_WALK_LIMIT };
	return 0;
}

static __always_inline void *roots_of(const struct job *job)
{
	__u32 slot = job->policy_slot;

	return bpf_map_lookup_elem(&roots_by_policy, &slot);
}

/* A rule's root, or an ancestor of one, keeps its place. */
static __always_inline bool is_protected(struct dentry *dentry, void *roots)
{
	struct root_key key = { .dev = dentry->d_sb->s_dev };
	struct root_value *root;

	set_object(&key, dentry);
	root = bpf_map_lookup_elem(roots, &key);
	return root && root->is_protected;
}

#endif
