/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files with several names. A rule is about names: whoever writes to one of them alters what the others stand
 * for, and the kernel cannot tell where those are.
 *
 * So where a file system holds a dataset that the job may not write to, a file is altered by its only name,
 * or if all the others are the job's own: made by link() of a file that had one name, which the job may write
 * to. That is remembered, of so many files; what is forgotten is refused. Names go away as ever.
 */
#ifndef JOBCAGE_LINKS_BPF_H
#define JOBCAGE_LINKS_BPF_H

#include "lib/walk.bpf.h"

static __always_inline bool superblock_has_datasets(const struct policy_value *policy, __u32 dev)
{
	return superblock_is_among(policy, dev, policy->dataset_dev_cnt);
}

/* include/linux/dcache.h: its name is removed; but NFS has given the file another one, as it is open. */
#define DCACHE_CANT_MOUNT 0x100
#define DCACHE_NFSFS_RENAMED 0x1000

/* kernel/locking/rwsem.c: in the lowest bits of the owner there are flags. A reader is none. */
#define RWSEM_READER_OWNED 1
#define RWSEM_OWNER_FLAGS 3

static __always_inline __u64 writer_of(struct inode *inode)
{
	__u64 owner = *(const volatile __s64 *)&inode->i_rwsem.owner.counter;

	return owner & RWSEM_READER_OWNED ? 0 : owner & ~(__u64)RWSEM_OWNER_FLAGS;
}

/*
 * Is the name being removed? The count of names is less by then, and the dentry may still be there. Whoever
 * removes a name, or renames another to it, holds the directory's lock all the time and the file's until he
 * has marked the dentry. A lock of the directory alone is anybody's who makes a file there, and one of the
 * file alone anybody's who writes to it.
 */
static __always_inline bool is_going(struct dentry *dentry, struct inode *inode)
{
	struct inode *folder = dentry->d_parent->d_inode;
	__u64 remover = folder ? writer_of(folder) : 0;

	if (remover && remover == writer_of(inode))
		return true;
	return (*(const volatile __u32 *)&dentry->d_flags & (DCACHE_CANT_MOUNT | DCACHE_NFSFS_RENAMED)) ==
	       DCACHE_CANT_MOUNT;
}

/*
 * How many names there are besides the dentry's, which may be gone since it was looked up. Read in this
 * order: a name that has left the count and not the hash is going in between.
 */
static __always_inline __u32 other_names(struct dentry *dentry, struct inode *inode)
{
	__u32 names = *(const volatile __u32 *)&inode->i_nlink;

	if (names != 1)
		return names ? names - 1 : 0;
	return is_going(dentry, inode) || !*(void *const volatile *)&dentry->d_hash.pprev;
}

static __always_inline struct own_link own_link_of(const struct job *job, struct dentry *dentry,
						   struct inode *inode)
{
	struct own_link link = {
		.label = job->label,
		.file.dev = dentry->d_sb->s_dev,
		.generation = inode->i_generation,
	};

	set_object(&link.file, dentry, tree_for(job->policy, dentry));
	return link;
}

/* Is it in a place where there are datasets, under a name more than the job knows of? */
static __noinline bool has_foreign_name(const struct job *job, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	struct own_link link;

	if (!superblock_has_datasets(job->policy, dentry->d_sb->s_dev) || !inode ||
	    !other_names(dentry, inode))
		return false;
	link = own_link_of(job, dentry, inode);
	return !bpf_map_lookup_elem(&own_links, &link);
}

/* Files and symbolic links: a directory has one name, and what is done to a node alters nothing below it. */
static __always_inline bool has_content(__u32 mode)
{
	return (mode & S_IFMT) == S_IFREG || (mode & S_IFMT) == S_IFLNK;
}

#endif
