// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs: which files a job may execute.
 *
 * Judged by the file's identity and tree, not by the name that execve() was given, and once for
 * each link of a chain: a script and its interpreter must both be listed. Under a default of deny,
 * a file without a name (memfd, deleted, O_TMPFILE) is never a listed one. Denied with EACCES.
 */
#include "lib/jobcage.bpf.h"
#include "lib/walk.bpf.h"
#include "lib/emit.bpf.h"

static __always_inline bool is_nameless(struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	return dentry->d_sb->s_flags & SB_NOUSER || is_unhashed(dentry) || !inode ||
	       !inode->i_nlink;
}

static __noinline void find_exec_rule(const struct job *job, struct dentry *dentry,
				      struct finding *finding)
{
	void *roots;

	if (!superblock_has_rules(job->policy, dentry->d_sb->s_dev))
		return;
	roots = roots_of(job);
	if (roots)
		walk(dentry, roots, WALK_EXEC, finding);
	else
		*finding = (struct finding){ .reason = REASON_NOT_IN_FORCE };
}

SEC("lsm/bprm_check_security")
int BPF_PROG(exec_bprm_check, struct linux_binprm *bprm, int ret)
{
	struct finding finding = { .reason = REASON_DEFAULT };
	struct decision d = { .kind = EVENT_EXEC, .op = OP_EXEC };
	struct dentry *dentry = bprm->file->f_path.dentry;
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	finding.level = job.policy->exec_default;
	if (finding.level != EXEC_ALLOW && is_nameless(dentry))
		finding = (struct finding){ .reason = REASON_NAMELESS };
	else
		find_exec_rule(&job, dentry, &finding);
	if (finding.level == EXEC_ALLOW)
		return LSM_ALLOW;
	d.rule = finding.rule;
	d.reason = finding.reason;
	d.file.dev = dentry->d_sb->s_dev;
	d.file.ino = inode_number(dentry);
	d.object_mode = inode_mode(dentry);
	d.dentry = dentry;
	d.mnt = bprm->file->f_path.mnt;
	return lsm_refuse(&job, &d);
}
