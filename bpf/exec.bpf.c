// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs: which files a job may execute, and map as code.
 *
 * Problem: `ld.so ./x`, dlopen() and mmap() run code without an execve(). Design: a file is judged by its
 * identity and tree, not by the name that it was asked for by, wherever code is made of it: by
 * execve(), once for each link of a chain (a script and its interpreter must both be listed), by a
 * mapping, by making a mapping executable. Under a default of deny, a file without a name (memfd,
 * deleted, O_TMPFILE) is never a listed one. Memory that no file is behind is free: compilers that
 * work at run time need it. Denied with EACCES.
 */
#include "lib/jobcage.bpf.h"
#include "lib/walk.bpf.h"
#include "lib/emit.bpf.h"

/* include/uapi/asm-generic/mman-common.h, include/uapi/linux/personality.h */
#define PROT_READ 0x1
#define PROT_EXEC 0x4
#define MAP_ANONYMOUS 0x20
#define READ_IMPLIES_EXEC 0x0400000

/*
 * Does the LSM hook mmap_file have what was asked for, before what it comes to? The function that
 * calls it has not. Set before load; see load.c.
 */
const volatile bool mmap_has_request = true;

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
		walk(job->policy, dentry, roots, WALK_EXEC, finding);
	else
		*finding = (struct finding){ .reason = REASON_NOT_IN_FORCE };
}

static __noinline int judge_program(struct file *file, enum event_op op)
{
	struct finding finding = { .reason = REASON_DEFAULT };
	struct decision d = { .kind = EVENT_EXEC, .op = op };
	struct dentry *dentry = file->f_path.dentry;
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
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
	d.mnt = file->f_path.mnt;
	return lsm_refuse(&job, &d);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(exec_bprm_check, struct linux_binprm *bprm, int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_program(bprm->file, OP_EXEC);
}

/* What old programs read, they may execute. */
static __always_inline bool becomes_code(unsigned long prot)
{
	return prot & PROT_EXEC ||
	       (prot & PROT_READ &&
		bpf_get_current_task_btf()->personality & READ_IMPLIES_EXEC);
}

static __always_inline int judge_mapping(struct file *file, unsigned long prot,
					 unsigned long flags)
{
	/* Memory without a file has none here; huge pages have one of the kernel's. */
	if (is_outsider() || !becomes_code(prot) || flags & MAP_ANONYMOUS || !is_given(file))
		return LSM_ALLOW;
	return judge_program(file, OP_MAP_EXEC);
}

SEC("lsm/mmap_file")
int exec_mmap_file(unsigned long long *ctx)
{
	struct file *file = (struct file *)ctx[0];

	if (mmap_has_request)
		return (int)ctx[4] ?: judge_mapping(file, ctx[2], ctx[3]);
	return (int)ctx[3] ?: judge_mapping(file, ctx[1], ctx[2]);
}

SEC("lsm/file_mprotect")
int BPF_PROG(exec_file_mprotect, struct vm_area_struct *vma, unsigned long reqprot,
	     unsigned long prot, int ret)
{
	struct file *file;

	if (ret || is_outsider() || !becomes_code(prot))
		return ret;
	file = vma->vm_file;
	return file ? judge_program(file, OP_MAP_EXEC) : LSM_ALLOW;
}
