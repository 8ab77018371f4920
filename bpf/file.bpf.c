// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Files: what a job may open, and what it may create, change, rename or remove.
 *
 * Problem: a job must not alter a dataset it was granted for reading, nor read one it was not
 * granted, by any path to it. Design: every open and every path operation is judged by the nearest
 * rule above the object (lib/walk.bpf.h); reading needs ACCESS_READ, everything else ACCESS_WRITE.
 * The path_* hooks are used for creation and removal because overlayfs calls the inode_* ones a
 * second time on its upper layer with the job as current.
 *
 * On failure (a walk that cannot finish, no published policy) the act is denied with EACCES.
 *
 * Attributes are in attr.bpf.c, mounts in mount.bpf.c, descriptors of other processes in receive.bpf.c.
 */
#include "lib/jobcage.bpf.h"
#include "lib/device.bpf.h"
#include "lib/file.bpf.h"
#include "lib/unix.bpf.h"

/* include/linux/fs.h and include/uapi/asm-generic/fcntl.h */
#define FMODE_NOACCOUNT 0x20000000 /* opened by the kernel itself, as by a stacked file system */
#define O_ACCMODE 3
#define O_TRUNC 01000
#define RENAME_EXCHANGE 2

/* Rename and removal: write access to the place, and the object itself must be free to go. */
static __noinline bool may_move(const struct job *job, struct decision *d, struct dentry *dentry)
{
	struct finding finding = { .reason = REASON_PROTECTED };
	void *roots = roots_of(job);

	if (!is_granted(job, d, dentry, ACCESS_WRITE, job->policy->file_default))
		return false;
	if (!roots)
		finding.reason = REASON_NOT_IN_FORCE;
	else if (!is_protected(job, dentry, roots))
		return true;
	describe(d, dentry, &finding);
	return false;
}

static __always_inline int judge_removal(struct dentry *dentry, struct vfsmount *mnt,
					 enum event_op op)
{
	struct decision d = { .op = op, .dentry = dentry, .mnt = mnt };
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	if (may_move(&job, &d, dentry))
		return LSM_ALLOW;
	return lsm_refuse(&job, &d);
}

/*
 * Before 6.5 overlayfs opens the layer below under the path of its own file, which was judged a
 * moment ago.
 */
static __always_inline bool is_under_fake_path(struct file *file)
{
	return file->f_mode & FMODE_NOACCOUNT && file->f_inode->i_sb != file->f_path.dentry->d_sb;
}

static __always_inline bool is_for_writing(const struct file *file)
{
	return file->f_mode & FMODE_WRITE || file->f_flags & O_TRUNC;
}

/* The same at a glance, as the kernel makes the mode of the flags; true of some that are for neither, too. */
static __always_inline bool may_be_for_writing(const struct file *file)
{
	return file->f_flags & (O_ACCMODE | O_TRUNC);
}

/* A decision is large, so it is made only when there is something to tell. */
static __noinline int refuse_open(const struct job *job, struct file *file, __u64 found)
{
	struct finding finding = finding_unpack(found);
	struct decision d = {
		.op = is_for_writing(file) ? OP_OPEN_WRITE : OP_OPEN_READ,
		.dentry = file->f_path.dentry,
		.mnt = file->f_path.mnt,
	};

	describe(&d, d.dentry, &finding);
	return lsm_refuse(job, &d);
}

/* By O_TMPFILE, whose mode no other hook is told. */
static __always_inline bool is_new_setid(struct inode *inode)
{
	return !inode->i_nlink && is_setid(inode->i_mode, inode->i_mode);
}

/*
 * A stacked file system opens the layer below with the job as current, after the open of its own
 * file was judged. There only the rules count, which may name the layer too, and not the default:
 * the layer is no place the job asked for.
 */
static __always_inline enum access fallback_of_open(const struct job *job, const struct file *file)
{
	return file->f_mode & FMODE_NOACCOUNT ? ACCESS_WRITE : job->policy->file_default;
}

/* Why a file is not opened for writing that may be by its name; 0: it is. Not of a layer, see above. */
static __always_inline __u8 never_opened(const struct job *job, struct file *file)
{
	struct inode *inode = file->f_inode;

	if (is_new_setid(inode) && !may_make_setid(job))
		return REASON_SETID;
	if (inode->i_nlink && (inode->i_mode & S_IFMT) == S_IFREG && !(file->f_mode & FMODE_NOACCOUNT) &&
	    has_foreign_name(job, file->f_path.dentry))
		return REASON_LINKED;
	return 0;
}

/* What judge_open() has left, which has found the nearest rule. 0: granted; else what refuses, packed. */
static __noinline __u64 find_refusal(const struct job *job, struct file *file, __u64 nearest)
{
	bool is_write = is_for_writing(file);
	enum access need = is_write ? ACCESS_WRITE : ACCESS_READ;
	struct object object = object_of(file->f_path.dentry);
	struct finding finding =
		find_access(job, &object, nearest, need, fallback_of_open(job, file));

	if (finding.level >= need) {
		if (!is_write)
			return 0;
		finding = (struct finding){ .reason = never_opened(job, file) };
		if (!finding.reason)
			return 0;
	}
	if (is_in_no_tree(object.dentry) || is_under_fake_path(file) ||
	    may_use_device(job, object.dentry))
		return 0;
	return finding_pack(finding);
}

/*
 * Most opens are for reading, and come to an end in here. So nothing is read that these do not need, and
 * the inode through the file that the hook was given, from which the kernel lets it be read for less than
 * from a dentry.
 */
static __noinline int judge_open(struct file *file, struct task_struct *task)
{
	struct object object;
	struct job job;
	__u64 found = 0;
	int verdict;
	__u8 level;

	if (!lsm_enter_insider(&job, task, &verdict))
		return verdict;
	object.inode = file->f_inode;
	object.dev = object.inode->i_sb->s_dev;
	if (superblock_may_have_rules(job.policy, object.dev)) {
		object.dentry = file->f_path.dentry;
		found = find_file_rule(&job, &object);
	}
	level = found ? packed_level(found) : job.policy->file_default;
	if (level >= ACCESS_READ && !may_be_for_writing(file) && !is_device_node(object.inode) &&
	    object.inode->i_sb->s_magic != MQUEUE_MAGIC)
		return LSM_ALLOW;
	found = find_refusal(&job, file, found);
	return found ? refuse_open(&job, file, found) : LSM_ALLOW;
}

/* Apart from the judging, so that an outsider's open pays for nothing but the look at its storage. */
SEC("lsm/file_open")
int BPF_PROG(file_file_open, struct file *file, int ret)
{
	struct task_struct *task;

	if (ret)
		return ret;
	task = bpf_get_current_task_btf();
	return task->bpf_storage ? judge_open(file, task) : LSM_ALLOW;
}

/* By descriptor; before 6.2 the kernel asks path_truncate. */
SEC("lsm/file_truncate")
int BPF_PROG(file_file_truncate, struct file *file, int ret)
{
	if (ret)
		return ret;
	return judge(file->f_path.dentry, file->f_path.mnt, OP_TRUNCATE, ACCESS_WRITE, 0);
}

/* dev: as mknod() was given it, in the encoding of new_encode_dev(). */
static __always_inline __u32 device_of_node(__u32 type, __u32 dev)
{
	__u32 major = dev >> 8 & 0xfff, minor = (dev & 0xff) | (dev >> 12 & 0xfff00);
	__u32 rdev = major << 20 | minor;

	if (type == S_IFBLK)
		return NODE_BLOCK;
	return takes_orders(type, rdev) && rdev != DEVICE_WHITEOUT ? rdev : NODE_NONE;
}

SEC("lsm/path_mknod")
int BPF_PROG(file_path_mknod, const struct path *dir, struct dentry *dentry, umode_t mode,
	     unsigned int dev, int ret)
{
	__u32 type = mode & S_IFMT;

	if (ret)
		return ret;
	return judge_mode(dentry, dir->mnt, !type || type == S_IFREG ? OP_CREATE : OP_MKNOD,
			  ACCESS_WRITE, mode, device_of_node(type, dev));
}

SEC("lsm/path_mkdir")
int BPF_PROG(file_path_mkdir, const struct path *dir, struct dentry *dentry, umode_t mode, int ret)
{
	if (ret)
		return ret;
	return judge(dentry, dir->mnt, OP_MKDIR, ACCESS_WRITE, mode);
}

SEC("lsm/path_symlink")
int BPF_PROG(file_path_symlink, const struct path *dir, struct dentry *dentry, const char *old_name,
	     int ret)
{
	if (ret)
		return ret;
	return judge(dentry, dir->mnt, OP_SYMLINK, ACCESS_WRITE, 0);
}

SEC("lsm/path_unlink")
int BPF_PROG(file_path_unlink, const struct path *dir, struct dentry *dentry, int ret)
{
	if (ret)
		return ret;
	return judge_removal(dentry, dir->mnt, OP_UNLINK);
}

SEC("lsm/path_rmdir")
int BPF_PROG(file_path_rmdir, const struct path *dir, struct dentry *dentry, int ret)
{
	if (ret)
		return ret;
	return judge_removal(dentry, dir->mnt, OP_RMDIR);
}

/* Before a link is made that is granted. */
static __noinline void remember_link(const struct job *job, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;
	struct own_link link;
	__u8 one = 1;

	if (!superblock_has_datasets(job->policy, dentry->d_sb->s_dev) || !inode ||
	    other_names(dentry, inode))
		return;
	link = own_link_of(job, dentry, inode);
	bpf_map_update_elem(&own_links, &link, &one, BPF_ANY);
}

/* A second name makes the object writable wherever the name is: both places must grant it. */
SEC("lsm/path_link")
int BPF_PROG(file_path_link, struct dentry *old_dentry, const struct path *new_dir,
	     struct dentry *new_dentry, int ret)
{
	struct decision d = { .op = OP_LINK,
			      .dentry = old_dentry,
			      .dentry2 = new_dentry,
			      .mnt = new_dir->mnt };
	enum access fallback;
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	fallback = job.policy->file_default;
	if (is_granted(&job, &d, old_dentry, ACCESS_WRITE, fallback) &&
	    is_granted(&job, &d, new_dentry, ACCESS_WRITE, fallback)) {
		remember_link(&job, old_dentry);
		return LSM_ALLOW;
	}
	return lsm_refuse(&job, &d);
}

static __noinline __u8 unix_access_at(const struct job *job, struct dentry *dentry)
{
	struct finding finding;

	find_unix_rule(job, dentry, &finding);
	return finding.level;
}

/*
 * A Unix socket is open by where it lies: one of others, alone or in its directory, must not be brought to where a rule
 * opens it.
 */
static __always_inline bool opens_socket(const struct job *job, struct dentry *from, struct dentry *to)
{
	__u32 type = inode_mode(from) & S_IFMT;

	return (type == S_IFSOCK || type == S_IFDIR) && unix_access_at(job, to) == UNIX_ALLOW &&
	       unix_access_at(job, from) != UNIX_ALLOW;
}

static __noinline bool may_bring(const struct job *job, struct decision *d, struct dentry *from,
				 struct dentry *to)
{
	struct finding finding = { .reason = REASON_MOVED_SOCKET };

	if (!opens_socket(job, from, to))
		return true;
	describe(d, from, &finding);
	return false;
}

/* Both names, and whatever the new name stands for now: it is replaced, or exchanged. */
SEC("lsm/path_rename")
int BPF_PROG(file_path_rename, const struct path *old_dir, struct dentry *old_dentry,
	     const struct path *new_dir, struct dentry *new_dentry, unsigned int flags, int ret)
{
	struct decision d = { .op = OP_RENAME,
			      .dentry = old_dentry,
			      .dentry2 = new_dentry,
			      .mnt = new_dir->mnt };
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	if (may_move(&job, &d, old_dentry) && may_move(&job, &d, new_dentry) &&
	    may_bring(&job, &d, old_dentry, new_dentry) &&
	    (!(flags & RENAME_EXCHANGE) || may_bring(&job, &d, new_dentry, old_dentry)))
		return LSM_ALLOW;
	return lsm_refuse(&job, &d);
}

SEC("lsm/path_truncate")
int BPF_PROG(file_path_truncate, const struct path *path, int ret)
{
	if (ret)
		return ret;
	return judge(path->dentry, path->mnt, OP_TRUNCATE, ACCESS_WRITE, 0);
}

SEC("lsm/path_chmod")
int BPF_PROG(file_path_chmod, const struct path *path, umode_t mode, int ret)
{
	if (ret)
		return ret;
	return judge(path->dentry, path->mnt, OP_CHMOD, ACCESS_WRITE, mode);
}

SEC("lsm/path_chown")
int BPF_PROG(file_path_chown, const struct path *path, u64 uid, u64 gid, int ret)
{
	if (ret)
		return ret;
	return judge(path->dentry, path->mnt, OP_CHOWN, ACCESS_WRITE, 0);
}

SEC("lsm/path_chroot")
int BPF_PROG(file_path_chroot, const struct path *path, int ret)
{
	if (ret)
		return ret;
	return judge(path->dentry, path->mnt, OP_CHROOT, ACCESS_READ, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
