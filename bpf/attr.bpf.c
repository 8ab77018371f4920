// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Attributes: timestamps, extended attributes, access control lists, inode flags, quotas, whatever
 * else an ioctl may alter of a file that is open for reading only, and what is read without opening.
 *
 * Problem: none of these needs a file that is open for writing, so file_open does not see them; nor
 * does it see what is read by name: a link's target, an attribute's value, what others do in a
 * directory. Design: each alteration needs ACCESS_WRITE at its object, that of quotas at the top of
 * the file system; each look needs ACCESS_READ. Modes, owners and sizes also pass inode_setattr, but
 * were judged by their path_* hooks, which know the path. Overlayfs calls these hooks once more for
 * the layer below, see is_for_layer().
 *
 * On failure the act is denied with EACCES.
 */
#include "lib/jobcage.bpf.h"
#include "lib/file.bpf.h"
#include "lib/owner.bpf.h"

/* include/linux/fs.h: what path_chmod, path_chown and the truncate hooks have judged. */
#define ATTR_MODE (1 << 0)
#define ATTR_UID (1 << 1)
#define ATTR_GID (1 << 2)
#define ATTR_SIZE (1 << 3)
#define ATTR_ATIME (1 << 4)
#define ATTR_MTIME (1 << 5)
#define ATTR_FORCE (1 << 9) /* the kernel's own doing: a write that clears set-user-ID */

/*
 * Does the LSM hook inode_setattr begin with the mount's id mapping, as the function that calls it
 * does? Not before 6.9. Set before load; see load.c.
 */
const volatile bool setattr_has_idmap = true;

/*
 * A stacked file system alters the layer below with the job as current, but with the credentials of
 * who mounted it, after its own object was judged. There, as in judge_open(), only the rules count
 * and not the default. A task that has used io_uring, or works for one, may have put on other
 * credentials itself, so it is not believed where io_uring has such an operation: it has none for
 * timestamps, ioctls and inode flags.
 */
static __always_inline bool is_for_layer(enum event_op op)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->cred != task->real_cred &&
	       (op == OP_UTIMES || op == OP_IOCTL || op == OP_FILEATTR || !uses_uring(task));
}

/* d->dentry, by d->op. A layer is held to rules only, and its own file was judged. */
static __always_inline bool may_change(const struct job *job, struct decision *d)
{
	bool is_layer = is_for_layer(d->op);

	return is_granted(job, d, d->dentry, ACCESS_WRITE,
			  is_layer ? ACCESS_WRITE : job->policy->file_default) &&
	       (is_layer || may_alter(job, d, d->dentry));
}

static __noinline int judge_attribute(struct dentry *dentry, enum event_op op)
{
	struct decision d = { .op = op, .dentry = dentry };
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	if (may_change(&job, &d))
		return LSM_ALLOW;
	return lsm_refuse(&job, &d);
}

static __always_inline int judge_setattr(struct dentry *dentry, struct iattr *attr)
{
	/* chown() of nothing has no owner in it, but no time either. */
	if (!(attr->ia_valid & (ATTR_ATIME | ATTR_MTIME)) ||
	    attr->ia_valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE | ATTR_FORCE))
		return LSM_ALLOW;
	return judge_attribute(dentry, OP_UTIMES);
}

SEC("lsm/inode_setattr")
int attr_setattr(unsigned long long *ctx)
{
	if (setattr_has_idmap) {
		if ((int)ctx[3] || is_outsider())
			return (int)ctx[3];
		return judge_setattr((struct dentry *)ctx[1], (struct iattr *)ctx[2]);
	}
	if ((int)ctx[2] || is_outsider())
		return (int)ctx[2];
	return judge_setattr((struct dentry *)ctx[0], (struct iattr *)ctx[1]);
}

SEC("lsm/inode_setxattr")
int BPF_PROG(attr_setxattr, void *idmap, struct dentry *dentry, const char *name,
	     const void *value, u64 size, int flags, int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_attribute(dentry, OP_SETXATTR);
}

SEC("lsm/inode_removexattr")
int BPF_PROG(attr_removexattr, void *idmap, struct dentry *dentry, const char *name, int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_attribute(dentry, OP_REMOVEXATTR);
}

SEC("lsm/inode_set_acl")
int BPF_PROG(attr_set_acl, void *idmap, struct dentry *dentry, const char *name, void *acl,
	     int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_attribute(dentry, OP_ACL);
}

SEC("lsm/inode_remove_acl")
int BPF_PROG(attr_remove_acl, void *idmap, struct dentry *dentry, const char *name, int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_attribute(dentry, OP_ACL);
}

SEC("lsm/inode_file_setattr")
int BPF_PROG(attr_file_setattr, struct dentry *dentry, void *attr, int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_attribute(dentry, OP_FILEATTR);
}

/* --- what is read without opening ------------------------------------------------------------- */

/* Only a rule closes these, not the default: by a link above all that is granted a path is found. */
static __noinline int judge_look(struct dentry *dentry, struct vfsmount *mnt, enum event_op op)
{
	struct decision d = { .op = op, .dentry = dentry, .mnt = mnt };
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict) ||
	    is_granted(&job, &d, dentry, ACCESS_READ, ACCESS_READ))
		return verdict;
	return lsm_refuse(&job, &d);
}

/*
 * What somebody has put there. All others are labels and access control lists, which tell who may do
 * what, as stat() does, and which programs ask for that merely list a folder.
 */
static __always_inline bool is_data(const char *name)
{
	char prefix[sizeof("trusted.")] = {};

	bpf_probe_read_kernel_str(prefix, sizeof(prefix), name);
	return !bpf_strncmp(prefix, sizeof("user.") - 1, "user.") ||
	       !bpf_strncmp(prefix, sizeof("trusted.") - 1, "trusted.");
}

SEC("lsm/inode_getxattr")
int BPF_PROG(attr_getxattr, struct dentry *dentry, const char *name, int ret)
{
	if (ret || is_outsider() || !is_data(name))
		return ret;
	return judge_look(dentry, NULL, OP_GETXATTR);
}

SEC("lsm/inode_readlink")
int BPF_PROG(attr_readlink, struct dentry *dentry, int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_look(dentry, NULL, OP_READLINK);
}

SEC("lsm/path_notify")
int BPF_PROG(attr_path_notify, const struct path *path, u64 mask, unsigned int type, int ret)
{
	if (ret || is_outsider())
		return ret;
	return judge_look(path->dentry, path->mnt, OP_WATCH);
}

/* --- quotas ----------------------------------------------------------------------------------- */

/* include/uapi/linux/quota.h and dqblk_xfs.h: what tells, and what has one file system's quotas written. */
#define Q_SYNC 0x800001
#define Q_GETFMT 0x800004
#define Q_GETINFO 0x800005
#define Q_GETQUOTA 0x800007
#define Q_GETNEXTQUOTA 0x800009
#define XQM_CMD(number) ('X' << 8 | (number))
#define Q_XGETQUOTA XQM_CMD(3)
#define Q_XGETQSTAT XQM_CMD(5)
#define Q_XQUOTASYNC XQM_CMD(7)
#define Q_XGETQSTATV XQM_CMD(8)
#define Q_XGETNEXTQUOTA XQM_CMD(9)

static __always_inline bool alters_quotas(int cmd)
{
	switch (cmd) {
	case Q_SYNC:
	case Q_GETFMT:
	case Q_GETINFO:
	case Q_GETQUOTA:
	case Q_GETNEXTQUOTA:
	case Q_XGETQUOTA:
	case Q_XGETQSTAT:
	case Q_XQUOTASYNC:
	case Q_XGETQSTATV:
	case Q_XGETNEXTQUOTA: return false;
	default: return true;
	}
}

static __noinline int refuse_all_quotas(void)
{
	struct decision d = {
		.kind = EVENT_GUARD,
		.op = OP_QUOTA_SYNC,
		.reason = REASON_ALL_QUOTAS,
	};
	struct job job;
	int verdict;

	return lsm_enter(&job, &verdict) ? lsm_refuse(&job, &d) : verdict;
}

/*
 * By the block device's name, which is never opened: no file hook sees it. Without one, Q_SYNC is
 * about every file system of the machine, and sb is NULL.
 */
SEC("lsm/quotactl")
int BPF_PROG(attr_quotactl, int cmd, int type, int id, struct super_block *sb, int ret)
{
	if (ret || is_outsider())
		return ret;
	if (!is_given(sb))
		return refuse_all_quotas();
	return alters_quotas(cmd) ? judge_attribute(sb->s_root, OP_QUOTA) : LSM_ALLOW;
}

/* --- ioctl ------------------------------------------------------------------------------------ */

#define IOCTL_TYPE(cmd) ((cmd) >> 8 & 0xff)

/* include/uapi/linux/{fs,fsverity,fiemap}.h, as 64-bit and as 32-bit programs know them. */
#define FIBMAP 0x1
#define FIGETBSZ 0x2
#define FS_IOC_GETFLAGS 0x80086601
#define FS_IOC32_GETFLAGS 0x80046601
#define FS_IOC_GETVERSION 0x80087601
#define FS_IOC32_GETVERSION 0x80047601
#define FS_IOC_FSGETXATTR 0x801c581f
#define FS_IOC_GETFSLABEL 0x81009431
#define FS_IOC_GETFSUUID 0x80111500
#define FS_IOC_GETFSSYSFSPATH 0x80811501
#define FS_IOC_FIEMAP 0xc020660b
#define FS_IOC_MEASURE_VERITY 0xc0046686
#define FS_IOC_READ_VERITY_METADATA 0xc0286687
#define PROCMAP_QUERY 0xc0686611

/* Of these, what is altered or read is named by a descriptor in the job's memory. */
#define FIDEDUPERANGE 0xc0189436
#define BTRFS_IOC_SNAP_CREATE 0x50009401
#define BTRFS_IOC_SNAP_CREATE_V2 0x50009417

/* include/uapi/asm-generic/ioctls.h, include/uapi/linux/tiocl.h */
#define TIOCSTI 0x5412
#define TIOCLINUX 0x541c

/*
 * Puts bytes into a terminal's input, or pastes what is selected on a console: the shell that started
 * the job would take it for commands. What TIOCLINUX is to do stands in the job's memory.
 */
static __always_inline bool types_for_others(__u32 type, __u32 cmd)
{
	return type == S_IFCHR && (cmd == TIOCSTI || cmd == TIOCLINUX);
}

/* include/uapi/asm-generic/{sockios,ioctls}.h: fcntl's F_SETOWN, and O_ASYNC of a terminal, by ioctl. */
#define FIOSETOWN 0x8901
#define SIOCSPGRP 0x8902
#define FIOASYNC 0x5452

static __always_inline bool sets_owner(__u32 type, __u32 cmd)
{
	return (type == S_IFSOCK && (cmd == FIOSETOWN || cmd == SIOCSPGRP)) ||
	       (type == S_IFCHR && cmd == FIOASYNC);
}

/*
 * Commands that alter nothing. 'T' is of terminals and of descriptors as such (FIOCLEX, FIONREAD):
 * no file system has commands of that type. What is not listed may alter the file.
 */
static __always_inline bool only_reads(__u32 cmd)
{
	switch (cmd) {
	case FIBMAP:
	case FIGETBSZ:
	case FS_IOC_GETFLAGS:
	case FS_IOC32_GETFLAGS:
	case FS_IOC_GETVERSION:
	case FS_IOC32_GETVERSION:
	case FS_IOC_FSGETXATTR:
	case FS_IOC_GETFSLABEL:
	case FS_IOC_GETFSUUID:
	case FS_IOC_GETFSSYSFSPATH:
	case FS_IOC_FIEMAP:
	case FS_IOC_MEASURE_VERITY:
	case FS_IOC_READ_VERITY_METADATA:
	case PROCMAP_QUERY: return true;
	default: return IOCTL_TYPE(cmd) == 'T';
	}
}

static __always_inline bool is_indirect(__u32 cmd)
{
	return cmd == FIDEDUPERANGE || cmd == BTRFS_IOC_SNAP_CREATE ||
	       cmd == BTRFS_IOC_SNAP_CREATE_V2;
}

/* type: S_IFMT of the file's inode. */
static __noinline int judge_ioctl(struct file *file, __u32 type, __u32 cmd)
{
	struct decision d = { .op = OP_IOCTL,
			      .dentry = file->f_path.dentry,
			      .mnt = file->f_path.mnt };
	struct finding never = { .reason = REASON_INDIRECT };
	bool is_typing = types_for_others(type, cmd);
	struct job job;
	int verdict;

	/* All other commands of devices, sockets and pipes are their own. */
	if (!is_typing && ((type != S_IFREG && type != S_IFDIR) || only_reads(cmd)))
		return LSM_ALLOW;
	if (!lsm_enter(&job, &verdict))
		return verdict;
	if (is_typing)
		never.reason = REASON_TERMINAL;
	if (is_typing || is_indirect(cmd))
		describe(&d, d.dentry, &never);
	else if (may_change(&job, &d))
		return LSM_ALLOW;
	return lsm_refuse(&job, &d);
}

/* Apart from the judging, because the stack is short. */
static __always_inline int enter_ioctl(struct file *file, __u32 cmd)
{
	__u32 type;

	if (is_outsider())
		return LSM_ALLOW;
	type = inode_mode(file->f_path.dentry) & S_IFMT;
	return sets_owner(type, cmd) ? refuse_owner() : judge_ioctl(file, type, cmd);
}

SEC("lsm/file_ioctl")
int BPF_PROG(attr_file_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : enter_ioctl(file, cmd);
}

/* The same for 32-bit programs. */
SEC("lsm/file_ioctl_compat")
int BPF_PROG(attr_ioctl_compat, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret ? ret : enter_ioctl(file, cmd);
}
