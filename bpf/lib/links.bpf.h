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
	if (!superblock_may_have_rules(policy, dev))
		return false;
	if (policy->dataset_dev_cnt > POLICY_DEVS)
		return true;
	for (__u32 i = 0; i < POLICY_DEVS; i++) {
		if (i >= policy->dataset_dev_cnt)
			return false;
		if (policy->devs[i] == dev)
			return true;
	}
	return false;
}

/* How many names there are besides the dentry's, which may have been removed since it was looked up. */
static __always_inline __u32 other_names(struct dentry *dentry, struct inode *inode)
{
	bool is_there = dentry->d_hash.pprev;

	return inode->i_nlink - (inode->i_nlink && is_there);
}

static __always_inline struct own_link own_link_of(const struct job *job, struct dentry *dentry,
						   struct inode *inode)
{
	struct own_link link = {
		.label = job->label,
		.file.dev = dentry->d_sb->s_dev,
		.generation = inode->i_generation,
	};

	set_object(&link.file, dentry, layout_for(job->policy, dentry->d_sb));
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
