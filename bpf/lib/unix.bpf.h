/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unix sockets by the path that they are bound to: the nearest rule above it wins, as for files. A
 * socket without a path has no rule.
 */
#ifndef JOBCAGE_UNIX_BPF_H
#define JOBCAGE_UNIX_BPF_H

#include "lib/emit.bpf.h"
#include "lib/walk.bpf.h"

/* dentry: of where it is bound, or NULL. */
static __always_inline void find_unix_rule(const struct job *job, struct dentry *dentry,
					   struct finding *ret_finding)
{
	void *roots;

	*ret_finding = (struct finding){
		.reason = REASON_DEFAULT,
		.level = job->policy->unix_default,
	};
	if (!dentry || !superblock_has_rules(job->policy, dentry->d_sb->s_dev))
		return;
	roots = roots_of(job);
	if (roots)
		walk(job->policy, dentry, roots, WALK_UNIX, ret_finding);
	else
		*ret_finding = (struct finding){ .reason = REASON_NOT_IN_FORCE };
}

/* May the job reach that socket, which is not its own? The decision gets its path, and the reason. */
static __always_inline bool is_unix_open(const struct job *job, struct decision *d,
					 struct unix_sock *end)
{
	struct finding finding;

	d->dentry = end->path.dentry;
	d->mnt = end->path.mnt;
	find_unix_rule(job, d->dentry, &finding);
	d->rule = finding.rule;
	d->reason = finding.reason;
	return finding.level == UNIX_ALLOW;
}

#endif
