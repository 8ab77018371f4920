/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Devices that a policy names: for what opens a node, or is handed an open one. */
#ifndef JOBCAGE_DEVICE_BPF_H
#define JOBCAGE_DEVICE_BPF_H

#include "lib/file.bpf.h"

/*
 * A device that the policy names by what it is for is open wherever its node is, also in the job's
 * own /dev, but not where a rule or a dataset closes the place.
 */
static __noinline bool may_use_device(const struct job *job, struct dentry *dentry)
{
	struct object object = object_of(dentry);
	__u64 nearest;

	if (!job->policy->devices || !object.inode || (object.inode->i_mode & S_IFMT) != S_IFCHR ||
	    !is_named_device(job, object.inode->i_rdev))
		return false;
	nearest = find_nearest(job, &object);
	return !nearest || packed_level(nearest) > ACCESS_NONE;
}

#endif
