/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Judging a file: what is granted at a dentry, and the refusal that says why not.
 */
#ifndef JOBCAGE_FILE_BPF_H
#define JOBCAGE_FILE_BPF_H

#include "lib/emit.bpf.h"
#include "lib/links.bpf.h"

/* include/uapi/linux/magic.h: file systems whose files are the kernel's own knobs. */
#define CGROUP_SUPER_MAGIC 0x27e0eb
#define RDTGROUP_SUPER_MAGIC 0x7655821
#define BINFMTFS_MAGIC 0x42494e4d
#define SMACK_MAGIC 0x43415d53
#define CONFIGFS_MAGIC 0x62656570
#define SYSFS_MAGIC 0x62656572
#define CGROUP2_SUPER_MAGIC 0x63677270
#define DEBUGFS_MAGIC 0x64626720
#define PSTOREFS_MAGIC 0x6165676c
#define NFSD_MAGIC 0x6e667364
#define SECURITYFS_MAGIC 0x73636673
#define TRACEFS_MAGIC 0x74726163
#define BPF_FS_MAGIC 0xcafe4a11
#define EFIVARFS_MAGIC 0xde5e81e4
#define SELINUX_MAGIC 0xf97cff8c
#define PROC_SUPER_MAGIC 0x9fa0
#define MQUEUE_MAGIC 0x19800202 /* POSIX message queues */

#define CAP_SETFCAP 31 /* include/uapi/linux/capability.h */

/* include/uapi/linux/major.h, drivers/char/mem.c and include/linux/kdev_t.h */
#define DEVICE_WHITEOUT 0 /* of overlays; nobody can open it */
/* Of nodes that are made. */
#define NODE_NONE 0
#define NODE_BLOCK 0xffffffff
#define DEVICE_NULL (1 << 20 | 3)
#define DEVICE_ZERO (1 << 20 | 5)
#define DEVICE_FULL (1 << 20 | 7)
#define DEVICE_RANDOM (1 << 20 | 8)
#define DEVICE_URANDOM (1 << 20 | 9)
#define DEVICE_TTY (5 << 20)
#define DEVICE_PTMX (5 << 20 | 2)

static __always_inline void describe(struct decision *d, struct dentry *dentry,
				     const struct finding *finding)
{
	d->kind = EVENT_FILE;
	d->rule = finding->rule;
	d->reason = finding->reason;
	d->file.dev = dentry->d_sb->s_dev;
	d->file.ino = inode_number(dentry);
	d->object_mode = inode_mode(dentry);
}

/*
 * The process that a file of procfs is about; NULL: none, or it is gone. A name that has not been looked up
 * yet, for which open() with O_CREAT asks first, is its directory's.
 */
static __always_inline struct task_struct *process_of(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode) ?:
				      BPF_CORE_READ(dentry, d_parent, d_inode);
	struct proc_inode *of_proc = container_of(inode, struct proc_inode, vfs_inode);
	struct hlist_node *first = BPF_CORE_READ(of_proc, pid, tasks[0].first);

	return first ? (void *)first - bpf_core_field_offset(struct task_struct, pid_links) : NULL;
}

/*
 * What a process of the job may be told by its own files in procfs, as by prctl() and ptrace(): names of
 * threads, its maps of ids, what a core holds. By the job's cgroup, because this process is nobody that
 * bpf_task_storage_get() would take.
 */
static __noinline bool is_of_own_process(const struct job *job, struct dentry *dentry)
{
	struct task_struct *task;
	struct job_label label;

	if (dentry->d_sb->s_magic != PROC_SUPER_MAGIC)
		return false;
	task = process_of(dentry);
	return task && find_label_by_cgroup(task, &label) && job_label_equal(&label, &job->label);
}

static __noinline bool controls_kernel(struct dentry *dentry)
{
	switch ((__u32)dentry->d_sb->s_magic) {
	case PROC_SUPER_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case RDTGROUP_SUPER_MAGIC:
	case BINFMTFS_MAGIC:
	case SMACK_MAGIC:
	case CONFIGFS_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case DEBUGFS_MAGIC:
	case PSTOREFS_MAGIC:
	case NFSD_MAGIC:
	case SECURITYFS_MAGIC:
	case TRACEFS_MAGIC:
	case BPF_FS_MAGIC:
	case EFIVARFS_MAGIC:
	case SELINUX_MAGIC: return true;
	default: return false;
	}
}

/* One of the two types, which differ in one bit. */
static __always_inline bool is_device_node(struct inode *inode)
{
	return (inode->i_mode & S_IFMT & ~(S_IFBLK ^ S_IFCHR)) == (S_IFBLK & S_IFCHR);
}

/* Character devices that have nothing but what they give, and the process' own terminal. */
static __always_inline bool only_gives(__u32 rdev)
{
	switch (rdev) {
	case DEVICE_NULL:
	case DEVICE_ZERO:
	case DEVICE_FULL:
	case DEVICE_RANDOM:
	case DEVICE_URANDOM:
	case DEVICE_TTY:
	case DEVICE_PTMX: return true;
	default: return false;
	}
}

/*
 * Whoever has a device open, if only for reading, may tell it what to do by ioctl: take a loop device's
 * file away from under a mount, have the machine reset by its watchdog.
 */
static __always_inline bool takes_orders(__u32 type, __u32 rdev)
{
	return type == S_IFBLK || (type == S_IFCHR && !only_gives(rdev));
}

static __always_inline bool is_device(struct inode *inode)
{
	return inode && is_device_node(inode) &&
	       takes_orders(inode->i_mode & S_IFMT, inode->i_rdev);
}

/* Is the number of a device that the policy names? */
static __noinline bool is_named_device(const struct job *job, __u32 rdev)
{
	__u32 named = job->policy->devices;

	for (__u32 i = 0; i < DEVICE_GROUPS * DEVICE_RANGES; i++) {
		__u64 range = (&tables.device_numbers[0][0])[i];

		if (named >> (i / DEVICE_RANGES) & 1 && rdev >= range >> 32 && rdev <= (__u32)range)
			return true;
	}
	return false;
}

/*
 * Where no rule says what is granted. On the job's own scratch, which was made after its rules,
 * everything is writable. A device is opened by a rule only, never by a default, and so is a message queue, of
 * which whoever reads takes what is for others; so is, for writing, what controls the kernel or processes of
 * others.
 */
static __always_inline void find_default(const struct job *job, const struct object *object,
					 enum access need, struct finding *finding)
{
	if (finding->level < need && object->dev == scratch_of(job))
		finding->level = ACCESS_WRITE;
	if (need > ACCESS_READ && finding->level != ACCESS_NONE &&
	    is_of_own_process(job, object->dentry)) {
		finding->level = ACCESS_WRITE;
		return;
	}
	if (finding->level < need)
		return;
	if (is_device(object->inode))
		*finding = (struct finding){ .reason = REASON_DEVICE };
	else if (object->dentry->d_sb->s_magic == MQUEUE_MAGIC)
		*finding = (struct finding){ .reason = REASON_QUEUE };
	else if (need > ACCESS_READ && controls_kernel(object->dentry))
		*finding = (struct finding){ .reason = REASON_KERNEL_FILE };
}

/* The nearest rule, packed; 0: there is none. */
static __always_inline __u64 find_nearest(const struct job *job, const struct object *object)
{
	return superblock_may_have_rules(job->policy, object->dev) ? find_file_rule(job, object) : 0;
}

/* What is granted at the object by the nearest rule, or where there is none, by the fallback. */
static __always_inline struct finding find_access(const struct job *job, const struct object *object,
						  __u64 nearest, enum access need, enum access fallback)
{
	struct finding finding = { .level = fallback, .reason = REASON_DEFAULT };

	if (nearest)
		return finding_unpack(nearest);
	find_default(job, object, need, &finding);
	return finding;
}

/*
 * Pipes, sockets, memory files: they belong to no tree that a rule could name, so nothing that is judged
 * by the tree is refused there.
 */
static __always_inline bool is_in_no_tree(struct dentry *dentry)
{
	return dentry->d_sb->s_flags & SB_NOUSER;
}

/* Is need granted at dentry? If not, the decision says why. */
static __noinline bool is_granted(const struct job *job, struct decision *d, struct dentry *dentry,
				  enum access need, enum access fallback)
{
	struct object object = object_of(dentry);
	struct finding finding =
		find_access(job, &object, find_nearest(job, &object), need, fallback);

	if (finding.level >= need || is_in_no_tree(dentry))
		return true;
	describe(d, dentry, &finding);
	return false;
}

/* A program that runs as its owner, or with its group, whoever starts it. No type: a regular file. */
static __always_inline bool is_setid(__u32 type, __u32 mode)
{
	if (type & S_IFMT && (type & S_IFMT) != S_IFREG)
		return false;
	return mode & S_ISUID || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

/*
 * The kernel asks for no capability before the owner of a file makes it such a program. The ceiling does,
 * for the one by which a program gets capabilities. In a user namespace ids are not those of outside.
 */
static __always_inline bool may_make_setid(const struct job *job)
{
	return grants_capability(job, CAP_SETFCAP) ||
	       bpf_get_current_task_btf()->cred->user_ns->level;
}

/* May an object that the job may write to by this name be altered? If not, the decision says why. */
static __noinline bool may_alter(const struct job *job, struct decision *d, struct dentry *dentry)
{
	struct finding linked = { .reason = REASON_LINKED };

	if (!has_content(inode_mode(dentry)) || !has_foreign_name(job, dentry))
		return true;
	describe(d, dentry, &linked);
	return false;
}

/* Truncating, new modes and owners: whatever is not about a name, or a new file. */
static __always_inline bool is_alteration(enum event_op op)
{
	return op == OP_TRUNCATE || op == OP_CHMOD || op == OP_CHOWN;
}

/*
 * One object, one need. node: the number of a device whose node is made, which the rule of its place would
 * open, whatever device it is; so CAP_MKNOD does not help a job. NODE_NONE: no such node.
 */
static __always_inline int judge_mode(struct dentry *dentry, struct vfsmount *mnt,
				      enum event_op op, enum access need, __u32 mode,
				      __u32 node)
{
	struct decision d = { .op = op, .dentry = dentry, .mnt = mnt, .file.mode = mode };
	struct finding never = { .reason = node ? REASON_NODE : REASON_SETID };
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	if (is_granted(&job, &d, dentry, need, job.policy->file_default)) {
		if (is_alteration(op) && !may_alter(&job, &d, dentry))
			return lsm_refuse(&job, &d);
		if (node ? is_named_device(&job, node) :
		    ((op != OP_CREATE && op != OP_CHMOD) || !is_setid(inode_mode(dentry), mode) ||
		     may_make_setid(&job)))
			return LSM_ALLOW;
		describe(&d, dentry, &never);
	}
	return lsm_refuse(&job, &d);
}

static __always_inline int judge(struct dentry *dentry, struct vfsmount *mnt, enum event_op op,
				 enum access need, __u32 mode)
{
	return judge_mode(dentry, mnt, op, need, mode, NODE_NONE);
}

#endif
