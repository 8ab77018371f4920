// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Mounts: a job makes none, changes none and takes none away, in no namespace, unless its policy
 * says "mounts": "allow".
 *
 * The file rules do not depend on this: they name superblocks and inodes, whatever is mounted where.
 * What it closes is what rules cannot name: a new superblock, and a view of the tree that makes
 * other programs read the wrong file. An overlay is never allowed, because what it does to its
 * layers passes no path_* hook.
 *
 * open_tree(), fsopen() and mount_setattr() pass no hook: they prepare a mount that is nowhere, or
 * change a mount's flags, which no rule reads. Denied with EACCES.
 */
#include "lib/jobcage.bpf.h"
#include "lib/file.bpf.h"

#define OVERLAYFS_SUPER_MAGIC 0x794c7630 /* include/uapi/linux/magic.h */

static __noinline int judge_mount(struct decision *d, bool is_overlay)
{
	struct finding finding = { .reason = REASON_MOUNTS };
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	if (job.policy->mounts == MOUNTS_ALLOW) {
		if (!is_overlay)
			return LSM_ALLOW;
		finding.reason = REASON_OVERLAY;
	}
	describe(d, d->dentry, &finding);
	return lsm_refuse(&job, d);
}

SEC("lsm/sb_mount")
int BPF_PROG(mount_sb_mount, const char *dev_name, const struct path *path, const char *type,
	     unsigned long flags, void *data, int ret)
{
	struct decision d = { .op = OP_MOUNT };

	if (ret)
		return ret;
	d.dentry = path->dentry;
	d.mnt = path->mnt;
	return judge_mount(&d, false);
}

/* A new superblock, by mount() or fsconfig(). */
SEC("lsm/sb_kern_mount")
int BPF_PROG(mount_kern_mount, struct super_block *sb, int ret)
{
	struct decision d = { .op = OP_MOUNT };

	if (ret)
		return ret;
	d.dentry = sb->s_root;
	return judge_mount(&d, sb->s_magic == OVERLAYFS_SUPER_MAGIC);
}

SEC("lsm/sb_umount")
int BPF_PROG(mount_umount, struct vfsmount *mnt, int flags, int ret)
{
	struct decision d = { .op = OP_UMOUNT };

	if (ret)
		return ret;
	d.dentry = mnt->mnt_root;
	d.mnt = mnt;
	return judge_mount(&d, false);
}

/* By fsconfig(); mount() asks sb_mount first. */
SEC("lsm/sb_remount")
int BPF_PROG(mount_remount, struct super_block *sb, void *options, int ret)
{
	struct decision d = { .op = OP_REMOUNT };

	if (ret)
		return ret;
	d.dentry = sb->s_root;
	return judge_mount(&d, false);
}

SEC("lsm/move_mount")
int BPF_PROG(mount_move_mount, const struct path *from, const struct path *to, int ret)
{
	struct decision d = { .op = OP_MOVE_MOUNT };

	if (ret)
		return ret;
	d.dentry = from->dentry;
	d.dentry2 = to->dentry;
	d.mnt = to->mnt;
	return judge_mount(&d, false);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(mount_pivotroot, const struct path *old_path, const struct path *new_path, int ret)
{
	struct decision d = { .op = OP_PIVOT_ROOT };

	if (ret)
		return ret;
	d.dentry = new_path->dentry;
	d.mnt = new_path->mnt;
	return judge_mount(&d, false);
}
