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
#include "lib/renames.bpf.h"

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

#define ANON_INODE_FS_MAGIC 0x09041934 /* include/uapi/linux/magic.h */

static const char ring_name[] = "[io_uring]";

/* Only the kernel gives names to anonymous inodes. */
static __always_inline bool is_ring(struct dentry *dentry)
{
	char name[sizeof(ring_name)] = {};

	if (dentry->d_sb->s_magic != ANON_INODE_FS_MAGIC)
		return false;
	bpf_probe_read_kernel(name, sizeof(name), dentry->d_name.name);
	return !bpf_strncmp(name, sizeof(name), ring_name);
}

static __always_inline void set_object(struct root_key *key, struct dentry *dentry)
{
	key->type = inode_mode(dentry) & S_IFMT;
	key->ino = inode_number(dentry);
}

static __always_inline bool superblock_has_rules(const struct policy_value *policy, __u32 dev)
{
	if (!(policy->dev_filter >> DEV_FILTER_BIT(dev) & 1))
		return false;
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

static __always_inline void *roots_of(const struct job *job)
{
	__u32 slot = job->policy_slot;

	return bpf_map_lookup_elem(&roots_by_policy, &slot);
}

enum walk_step {
	WALK_GO_ON = 0,
	WALK_END = 1,
};

struct walk {
	struct dentry *dentry; /* the cursor */
	struct dentry *top;
	void *roots;
	struct root_key key;
	struct finding finding;
	__u32 class;   /* enum walk_class */
	__u32 is_over; /* it came to an end before WALK_DEPTH */
};

static __always_inline enum walk_step walk_end(struct walk *w)
{
	w->is_over = 1;
	return WALK_END;
}

/*
 * One dentry. A step of bpf_loop(), because the verifier goes through the body of a plain loop once
 * for each round, in every program: minutes for all of them, on an emulated machine.
 */
static long walk_step(__u32 i, void *ctx)
{
	struct walk *w = ctx;
	struct dentry *dentry = w->dentry, *parent;
	struct root_value *root;

	set_object(&w->key, dentry);
	root = bpf_map_lookup_elem(w->roots, &w->key);
	if (root && rule_here(root, w->class, &w->finding))
		return walk_end(w);
	if (dentry == w->top)
		return walk_end(w);
	parent = dentry->d_parent;
	if (parent == dentry) {
		w->finding = (struct finding){ .reason = REASON_DISCONNECTED };
		return walk_end(w);
	}
	w->dentry = parent;
	return WALK_GO_ON;
}

/*
 * Fills finding and returns; the caller has put the policy's default there, which stays if no rule
 * is met. roots is the policy's inner map.
 */
static __noinline int walk(struct dentry *dentry, void *roots, enum walk_class class,
			   struct finding *finding)
{
	struct walk w = {
		.dentry = dentry,
		.top = dentry->d_sb->s_root,
		.roots = roots,
		.key.dev = dentry->d_sb->s_dev,
		.finding = *finding,
		.class = class,
	};

	bpf_loop(WALK_DEPTH, walk_step, &w, 0);
	*finding = w.finding;
	if (!w.is_over)
		*finding = (struct finding){ .reason = REASON_WALK_LIMIT };
	return 0;
}

/* --- what is remembered ----------------------------------------------------------------------- */

/*
 * A directory has one path, so what a walk from it finds may be remembered for all that is in it: a
 * dataset's file then costs the same at any depth. What is remembered holds
 *
 * - for that directory: device, inode and generation are compared. Only on file systems where they
 *   never come back for another directory while the entry lives (keeps_identity());
 * - while nothing has moved: each rename takes the kernel's rename_lock for writing, so its sequence,
 *   read before the walk and after it, and again when the entry is used, is the same. It has 32 bits;
 *   an entry lives for a minute, which no machine can fill with as many renames;
 * - under those rules: a published policy never changes under its id.
 *
 * An entry is one writer's: it makes the sequence odd by compare-and-swap, and whoever reads looks at
 * the sequence before and after. What a job does to the table costs others a walk, never a verdict.
 */

/* include/uapi/linux/magic.h, and fs/xfs, fs/erofs: generations are random or counted, or nothing is
 * ever removed. */
#define EXT4_SUPER_MAGIC 0xef53
#define XFS_SUPER_MAGIC 0x58465342
#define TMPFS_MAGIC 0x01021994
#define F2FS_SUPER_MAGIC 0xf2f52010
#define SQUASHFS_MAGIC 0x73717368
#define EROFS_SUPER_MAGIC 0xe0f5e1e2

/* A minute where the kernel ticks a thousand times a second, else a few. */
#define WALK_MEMO_JIFFIES 60000

static __always_inline bool keeps_identity(const struct super_block *sb)
{
	switch ((__u32)sb->s_magic) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case F2FS_SUPER_MAGIC:
	case SQUASHFS_MAGIC:
	case EROFS_SUPER_MAGIC: return true;
	default: return false;
	}
}

/* One question: what rules does a walk from the directory meet? */
struct walk_question {
	__u64 rules_id;
	__u64 ino;
	__u32 dev;
	__u32 generation;
	__u32 epoch;
};

static __always_inline struct walk_memo *walk_memo_at(const struct walk_question *q)
{
	__u64 mix = (q->ino ^ q->rules_id << 20 ^ (__u64)q->dev << 40) * 0x9e3779b97f4a7c15ULL;
	__u32 index = mix >> (64 - WALK_MEMO_BITS);

	return bpf_map_lookup_elem(&memo_of_walk, &index);
}

static __always_inline bool walk_recall(const struct walk_memo *memo, const struct walk_question *q,
					struct finding *finding)
{
	const volatile struct walk_memo *at = memo;
	__u32 sequence = at->sequence, rule;
	__u8 level, reason;

	if (at->ino != q->ino || at->rules_id != q->rules_id || at->epoch != q->epoch ||
	    at->dev != q->dev || at->generation != q->generation ||
	    (__u32)bpf_jiffies64() - at->jiffies > WALK_MEMO_JIFFIES)
		return false;
	rule = at->rule;
	level = at->level;
	reason = at->reason;
	if (sequence & 1 || at->sequence != sequence)
		return false;
	if (level) {
		finding->rule = rule;
		finding->level = level;
		finding->reason = reason;
	}
	return true;
}

/* level 0: no rule was met. */
static __always_inline void walk_remember(struct walk_memo *memo, const struct walk_question *q,
					  const struct finding *finding)
{
	volatile struct walk_memo *at = memo;
	__u32 sequence = at->sequence;

	if (sequence & 1 ||
	    __sync_val_compare_and_swap(&memo->sequence, sequence, sequence + 1) != sequence)
		return;
	at->epoch = q->epoch;
	at->rules_id = q->rules_id;
	at->ino = q->ino;
	at->dev = q->dev;
	at->generation = q->generation;
	at->rule = finding->rule;
	at->jiffies = bpf_jiffies64();
	at->level = finding->level;
	at->reason = finding->reason;
	at->sequence = sequence + 2;
}

/* Walks from a directory; remembers what no rename has disturbed, unless the walk came to no end. */
static __noinline int walk_anew(const struct job *job, struct dentry *folder,
				const struct walk_question *q, struct finding *finding)
{
	struct finding found = {};
	struct walk_memo *memo;
	void *roots = roots_of(job);

	if (!roots) {
		*finding = (struct finding){ .reason = REASON_NOT_IN_FORCE };
		return 0;
	}
	walk(folder, roots, WALK_FILE, &found);
	if (found.level || found.reason)
		*finding = found;
	if (found.reason && !found.level)
		return 0;
	memo = walk_memo_at(q);
	if (memo && !(q->epoch & 1) && keeps_identity(folder->d_sb) && renames() == q->epoch)
		walk_remember(memo, q, &found);
	return 0;
}

/* The rule for a file or a name that is a rule's root itself, as most are not. */
static __noinline bool is_own_root(const struct job *job, struct dentry *dentry,
				   struct finding *finding)
{
	struct root_key key = { .dev = dentry->d_sb->s_dev };
	void *roots = roots_of(job);
	struct root_value *root;

	if (!roots) {
		*finding = (struct finding){ .reason = REASON_NOT_IN_FORCE };
		return true;
	}
	set_object(&key, dentry);
	root = bpf_map_lookup_elem(roots, &key);
	return root && rule_here(root, WALK_FILE, finding);
}

/* The rule for an object, where the superblock may have some: at the object, or at its directory. */
static __always_inline void find_file_rule(const struct job *job, struct dentry *dentry,
				      struct finding *finding)
{
	struct walk_question q;
	struct inode *inode = dentry->d_inode;
	struct dentry *folder = dentry;
	struct walk_memo *memo;
	__u32 epoch = renames();

	if (!inode || (inode->i_mode & S_IFMT) != S_IFDIR) {
		if (inode && job->policy->file_filter >> FILE_FILTER_BIT((__u64)inode->i_ino) & 1 &&
		    is_own_root(job, dentry, finding))
			return;
		folder = dentry->d_parent;
		inode = folder->d_inode;
	}
	if (!inode) {
		*finding = (struct finding){ .reason = REASON_DISCONNECTED };
		return;
	}
	/* One of several tops, as on NFS, or not connected yet. */
	if (folder == folder->d_parent && folder != folder->d_sb->s_root)
		epoch = RENAMES_UNKNOWN;
	q.epoch = epoch;
	q.rules_id = job->policy->rules_id;
	q.ino = inode->i_ino;
	q.dev = folder->d_sb->s_dev;
	q.generation = inode->i_generation;
	memo = walk_memo_at(&q);
	if (epoch & 1 || !memo || !walk_recall(memo, &q, finding))
		walk_anew(job, folder, &q, finding);
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
