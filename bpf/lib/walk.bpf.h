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

/* The same in one word, which is handed on and kept for less; 0: no rule was met, and nothing is wrong. */
static __always_inline __u64 finding_pack(struct finding finding)
{
	return finding.level | (__u64)finding.reason << 8 | (__u64)finding.rule << 32;
}

static __always_inline __u8 packed_level(__u64 packed)
{
	return packed;
}

static __always_inline struct finding finding_unpack(__u64 packed)
{
	return (struct finding){
		.rule = packed >> 32,
		.level = packed_level(packed),
		.reason = packed >> 8,
	};
}

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

#define BTRFS_SUPER_MAGIC 0x9123683e /* include/uapi/linux/magic.h */
#define BTRFS_FIRST_FREE_OBJECTID 256 /* include/uapi/linux/btrfs_tree.h: a subvolume's root */

static __always_inline bool has_trees(const struct super_block *sb)
{
	return (__u32)sb->s_magic == BTRFS_SUPER_MAGIC;
}

/* The subvolume that an inode of btrfs is in. What cannot be read is in none that a rule is about. */
static __always_inline __u32 tree_of(struct inode *inode, union btrfs_layout btrfs)
{
	__u64 root = 0, id = 0;

	if (!inode || !btrfs.root_at)
		return TREE_UNKNOWN;
	bpf_probe_read_kernel(&root, sizeof(root), (void *)inode - btrfs.root_at);
	bpf_probe_read_kernel(&id, sizeof(id), (void *)(root + btrfs.id_at));
	return id && id < TREE_UNKNOWN ? id : TREE_UNKNOWN;
}

/* tree: 0 unless the superblock is one of btrfs. */
static __always_inline void set_object(struct root_key *key, struct dentry *dentry, __u32 tree)
{
	key->kind = ROOT_KIND(inode_mode(dentry), tree);
	key->ino = inode_number(dentry);
}

static __always_inline union btrfs_layout layout_for(const struct policy_value *policy,
						     const struct super_block *sb)
{
	union btrfs_layout btrfs = {};

	if (has_trees(sb))
		btrfs.word = policy->btrfs.word;
	return btrfs;
}

static __always_inline __u32 tree_for(const struct policy_value *policy, struct dentry *dentry)
{
	union btrfs_layout btrfs = layout_for(policy, dentry->d_sb);

	return btrfs.word ? tree_of(dentry->d_inode, btrfs) : 0;
}

static __always_inline bool superblock_may_have_rules(const struct policy_value *policy, __u32 dev)
{
	return policy->dev_filter >> DEV_FILTER_BIT(dev) & 1;
}

/* Is it one of the first cnt that the policy names? */
static __always_inline bool superblock_is_among(const struct policy_value *policy, __u32 dev,
						__u32 cnt)
{
	if (!superblock_may_have_rules(policy, dev))
		return false;
	if (cnt > POLICY_DEVS)
		return true;
	for (__u32 i = 0; i < POLICY_DEVS; i++) {
		if (i >= cnt)
			return false;
		if (policy->devs[i] == dev)
			return true;
	}
	return false;
}

static __always_inline bool superblock_has_rules(const struct policy_value *policy, __u32 dev)
{
	return superblock_is_among(policy, dev, policy->dev_cnt);
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
	union btrfs_layout btrfs;
	__u32 tree; /* that the cursor is in; 0: to be read */
};

/* Of all that is in a subvolume it is the same, so it is read once. */
static __always_inline void walk_enter_tree(struct walk *w, struct dentry *dentry)
{
	if (w->btrfs.word && (!w->tree || w->key.ino <= BTRFS_FIRST_FREE_OBJECTID))
		w->tree = tree_of(dentry->d_inode, w->btrfs);
}

static __always_inline enum walk_step walk_end(struct walk *w)
{
	w->is_over = 1;
	return WALK_END;
}

#define NSFS_MAGIC 0x6e736673 /* include/uapi/linux/magic.h */

/*
 * One dentry. A step of bpf_loop(), because the verifier goes through the body of a plain loop once
 * for each round, in every program: minutes for all of them, on an emulated machine.
 */
static long walk_step(__u32 i, void *ctx)
{
	struct walk *w = ctx;
	struct dentry *dentry = w->dentry, *parent;
	struct root_value *root;

	walk_enter_tree(w, dentry);
	set_object(&w->key, dentry, w->tree);
	root = bpf_map_lookup_elem(w->roots, &w->key);
	if (root && rule_here(root, w->class, &w->finding))
		return walk_end(w);
	if (dentry == w->top)
		return walk_end(w);
	parent = dentry->d_parent;
	if (parent == dentry) {
		/* The file of a namespace hangs nowhere by its nature: what is mounted of that kind says nothing of it. */
		if (dentry->d_sb->s_magic != NSFS_MAGIC)
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
static __noinline int walk(const struct policy_value *policy, struct dentry *dentry, void *roots,
			   enum walk_class class, struct finding *finding)
{
	struct walk w = {
		.dentry = dentry,
		.top = dentry->d_sb->s_root,
		.roots = roots,
		.key.dev = dentry->d_sb->s_dev,
		.finding = *finding,
		.class = class,
		.btrfs = layout_for(policy, dentry->d_sb),
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
 * A walk that came to no end is not remembered. So nothing is known of a file that hangs nowhere
 * (open_by_handle_at), which is its own parent: it is walked from, and denied. A directory the kernel
 * connects before it hands it out.
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
	__u32 epoch; /* read before the walk, as is the time */
	__u32 now;   /* jiffies */
};

static __always_inline struct walk_memo *walk_memo_at(const struct walk_question *q)
{
	__u64 mix = (q->ino + q->dev + (q->rules_id << 32)) * 0x9e3779b97f4a7c15ULL;
	struct walk_memo *memo = &tables.memo_of_walk[mix >> (64 - WALK_MEMO_BITS)];

	barrier_var(memo); /* or the address of each field is made anew */
	return memo;
}

/*
 * In the state of an entry: one in the sequence; and what equals the epoch in an entry that is whole.
 */
#define WALK_MEMO_TURN (1ULL << 32)
#define WALK_MEMO_STATE (WALK_MEMO_TURN | 0xffffffff)

/* An epoch that is odd is met by no entry. *ret_found is packed. */
static __always_inline bool walk_recall(const struct walk_memo *memo, const struct walk_question *q,
					__u64 *ret_found)
{
	const volatile struct walk_memo *at = memo;
	__u64 state = at->state;

	if ((state & WALK_MEMO_STATE) != q->epoch || at->ino != q->ino ||
	    at->rules_id != q->rules_id || at->dev != q->dev || at->generation != q->generation ||
	    q->now - at->jiffies > WALK_MEMO_JIFFIES)
		return false;
	*ret_found = at->finding;
	return at->state == state;
}

static __always_inline void walk_remember(struct walk_memo *memo, const struct walk_question *q,
					  __u64 found)
{
	volatile struct walk_memo *at = memo;
	__u64 state = at->state, taken = state + WALK_MEMO_TURN;

	if (state & WALK_MEMO_TURN ||
	    __sync_val_compare_and_swap(&memo->state, state, taken) != state)
		return;
	at->rules_id = q->rules_id;
	at->ino = q->ino;
	at->dev = q->dev;
	at->generation = q->generation;
	at->jiffies = q->now;
	at->finding = found;
	at->state = ((taken + WALK_MEMO_TURN) & -WALK_MEMO_TURN) | q->epoch;
}

/* From a directory whose superblock may have rules, for all that is in it. */
static __always_inline struct finding walk_from(const struct job *job, struct dentry *folder, __u32 dev)
{
	struct finding found = {};
	void *roots;

	if (!superblock_has_rules(job->policy, dev))
		return found;
	roots = roots_of(job);
	if (roots)
		walk(job->policy, folder, roots, WALK_FILE, &found);
	else
		found.reason = REASON_NOT_IN_FORCE;
	return found;
}

/* Walks; remembers what no rename has disturbed, unless the walk came to no end. Returns it packed. */
static __noinline __u64 walk_anew(const struct job *job, struct dentry *folder,
				  const struct walk_question *q)
{
	struct finding finding = walk_from(job, folder, q->dev);
	__u64 found = finding_pack(finding);
	struct walk_memo *memo;

	if (finding.reason && !finding.level)
		return found;
	memo = walk_memo_at(q);
	if (!(q->epoch & 1) && keeps_identity(folder->d_sb) && renames() == q->epoch)
		walk_remember(memo, q, found);
	return found;
}

/* The rule, packed, for a file or a name that is a rule's root itself, as most are not. */
static __noinline __u64 find_own_rule(const struct job *job, struct dentry *dentry)
{
	struct root_key key = { .dev = dentry->d_sb->s_dev };
	struct finding finding = {};
	void *roots = roots_of(job);
	struct root_value *root;

	if (!roots)
		return finding_pack((struct finding){ .reason = REASON_NOT_IN_FORCE });
	set_object(&key, dentry, tree_for(job->policy, dentry));
	root = bpf_map_lookup_elem(roots, &key);
	if (root)
		rule_here(root, WALK_FILE, &finding);
	return finding_pack(finding);
}

/* An object, and what is known of it already. */
struct object {
	struct dentry *dentry;
	struct inode *inode; /* NULL: a name that stands for nothing yet */
	__u32 dev;           /* of its superblock */
};

static __always_inline struct object object_of(struct dentry *dentry)
{
	return (struct object){
		.dentry = dentry,
		.inode = dentry->d_inode,
		.dev = dentry->d_sb->s_dev,
	};
}

static __always_inline bool may_be_root(const struct policy_value *policy, struct inode *inode)
{
	return policy->file_filter >> FILE_FILTER_BIT((__u64)inode->i_ino) & 1;
}

/* The rule, packed, for what is in a directory. The question comes with what was read before all else. */
static __always_inline __u64 find_folder_rule(const struct job *job, struct dentry *folder,
					      struct walk_question q)
{
	struct inode *inode = folder->d_inode;
	struct walk_memo *memo;
	__u64 found;

	if (!inode)
		return finding_pack((struct finding){ .reason = REASON_DISCONNECTED });
	q.ino = inode->i_ino;
	q.generation = inode->i_generation;
	memo = walk_memo_at(&q);
	if (!walk_recall(memo, &q, &found)) {
		/* A copy, so that the question need not be in memory before. */
		struct walk_question asked = q;

		found = walk_anew(job, folder, &asked);
	}
	return found;
}

/* The rule, packed, for an object, where the superblock may have some: at the object, or at its directory. */
static __always_inline __u64 find_file_rule(const struct job *job, const struct object *object)
{
	struct walk_question q = {
		.epoch = renames(),
		.now = bpf_jiffies64(),
		.rules_id = job->policy->rules_id,
		.dev = object->dev,
	};
	struct dentry *folder = object->dentry;
	struct inode *inode = object->inode;
	__u64 found;

	if (!inode || (inode->i_mode & S_IFMT) != S_IFDIR) {
		if (inode && may_be_root(job->policy, inode)) {
			found = find_own_rule(job, folder);
			if (found)
				return found;
		}
		folder = folder->d_parent;
	}
	return find_folder_rule(job, folder, q);
}

/* A rule's root, or an ancestor of one, keeps its place. */
static __always_inline bool is_protected(const struct job *job, struct dentry *dentry, void *roots)
{
	struct root_key key = { .dev = dentry->d_sb->s_dev };
	struct root_value *root;

	set_object(&key, dentry, tree_for(job->policy, dentry));
	root = bpf_map_lookup_elem(roots, &key);
	return root && root->is_protected;
}

#endif
