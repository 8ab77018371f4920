// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The kernel's own name for open files: an iterator over one process' descriptors.
 *
 * The controller opens a rule's root with O_PATH and reads (device, inode) from here, the same two
 * fields that the hooks compare. Asked about a launcher, it also tells what the policy says of each
 * descriptor the job would inherit.
 */
#include "lib/jobcage.bpf.h"
#include "lib/links.bpf.h"
#include "lib/walk.bpf.h"

static __always_inline void judge_by_policy(struct dentry *dentry, struct identity *id)
{
	struct finding finding = {};
	struct job job = { .policy_slot = id->request.policy, .policy = policy_at(id->request.policy) };
	void *roots;

	if (!job.policy || !id->request.has_policy || dentry->d_sb->s_flags & SB_NOUSER)
		return;
	roots = roots_of(&job);
	if (!roots) {
		id->access = ACCESS_NONE;
		return;
	}
	walk(job.policy, dentry, roots, WALK_FILE, &finding);
	id->access = finding.reason && !finding.level ? ACCESS_NONE : finding.level;
	id->rule = finding.rule;
	id->is_linked = has_content(inode_mode(dentry)) && has_foreign_name(&job, dentry);
}

static __always_inline __u32 family_of(struct file *file)
{
	struct socket *sock = bpf_sock_from_file(file);
	struct sock *sk = sock ? sock->sk : NULL;

	return sk ? sk->__sk_common.skc_family : 0;
}

SEC("iter/task_file")
int identify_files(struct bpf_iter__task_file *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct identify_request *request;
	struct file *file = ctx->file;
	struct identity id = {};
	struct dentry *dentry;
	__u32 zero = 0;

	request = bpf_map_lookup_elem(&identify_req, &zero);
	if (!ctx->task || !file || !request)
		return 0;
	id.request = *(volatile struct identify_request *)request;
	dentry = file->f_path.dentry;
	id.fd = ctx->fd;
	id.dev = dentry->d_sb->s_dev;
	id.ino = inode_number(dentry);
	id.type = inode_mode(dentry) & S_IFMT;
	id.tree = has_trees(dentry->d_sb) ? tree_of(dentry->d_inode, id.request.btrfs) : 0;
	id.is_writable = !!(file->f_mode & FMODE_WRITE);
	id.family = family_of(file);
	id.is_ring = is_ring(dentry);
	judge_by_policy(dentry, &id);
	bpf_seq_write(seq, &id, sizeof(id));
	return 0;
}
