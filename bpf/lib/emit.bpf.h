/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Telling user space: one record into the job's ring, one more in the count of a kind that repeats,
 * or one more in the count of those that did not fit.
 *
 * This is the path of a denial only, so it may take its time: it names the object in full, across
 * mount points, and the program. Whatever fails here never changes a verdict.
 */
#ifndef JOBCAGE_EMIT_BPF_H
#define JOBCAGE_EMIT_BPF_H

#include "lib/fold.bpf.h"

/* PATH_MAX: what one path may take of the strings. */
#define PATH_SIZE 4096

/* More steps than a path of PATH_SIZE bytes has components and mount points. */
#define PATH_STEPS 4096

enum path_step {
	PATH_GO_ON = 0,
	PATH_END = 1,
};

static __always_inline enum path_step path_end(struct scratch *s, __u32 flag)
{
	s->event.flags |= flag;
	return PATH_END;
}

/* From a mount's root to the place it is mounted on. */
static __always_inline enum path_step path_cross_mount(struct scratch *s)
{
	struct mount *mnt = container_of((struct vfsmount *)s->mnt, struct mount, mnt);
	struct mount *parent = BPF_CORE_READ(mnt, mnt_parent);

	if (mnt == parent)
		return PATH_END;
	s->dentry = (__u64)BPF_CORE_READ(mnt, mnt_mountpoint);
	s->mnt = (__u64)parent + bpf_core_field_offset(struct mount, mnt);
	return PATH_GO_ON;
}

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch_by_cpu, &zero);
}

/* Appends the cursor's name. */
static __always_inline bool path_add_name(struct scratch *s, struct dentry *dentry)
{
	__u32 len = s->event.strings_len;
	long n;

	if (len >= EVENT_STRINGS_MAX)
		return false;
	n = bpf_probe_read_kernel_str(&s->strings[len], NAME_SIZE,
				      BPF_CORE_READ(dentry, d_name.name));
	if (n <= 0 || len + n - s->path_start > PATH_SIZE || len + n > EVENT_STRINGS_MAX)
		return false;
	s->event.strings_len = len + n;
	return true;
}

/* The top of a superblock. A memory file is one that has a name of its own. */
static __always_inline enum path_step path_top(struct scratch *s, struct dentry *dentry)
{
	struct super_block *sb = BPF_CORE_READ(dentry, d_sb);
	__u16 name = 0;

	/* An anonymous dentry is called "/", which is no name. */
	bpf_probe_read_kernel(&name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
	if (s->event.strings_len == s->path_start && BPF_CORE_READ(sb, s_root) != dentry &&
	    name != '/')
		path_add_name(s, dentry);
	return path_end(s, EVENT_PATH_DETACHED);
}

/*
 * Appends the cursor's name and moves the cursor up. bpf_loop() hands on pointers to the stack
 * only, so the cursor stands in the scratch.
 */
static long path_step(__u32 i, void *ctx)
{
	struct scratch *s = scratch_get();
	struct dentry *dentry, *parent;
	struct vfsmount *mnt;

	if (!s)
		return PATH_END;
	dentry = (struct dentry *)s->dentry;
	mnt = (struct vfsmount *)s->mnt;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (mnt && dentry == BPF_CORE_READ(mnt, mnt_root))
		return path_cross_mount(s);
	if (parent == dentry)
		return path_top(s, dentry);
	if (!path_add_name(s, dentry))
		return path_end(s, EVENT_PATH_TRUNCATED);
	s->dentry = (__u64)parent;
	return PATH_GO_ON;
}

/*
 * Appends a path to the strings; returns its length. truncated: which flag says that its upper part
 * is missing.
 */
static __noinline __u32 path_append(struct scratch *s, struct dentry *dentry, struct vfsmount *mnt,
				    __u32 truncated)
{
	__u32 flags = s->event.flags;

	s->dentry = (__u64)dentry;
	s->mnt = (__u64)mnt;
	s->path_start = s->event.strings_len;
	s->event.flags = 0;
	if (bpf_loop(PATH_STEPS, path_step, NULL, 0) == PATH_STEPS)
		s->event.flags |= EVENT_PATH_TRUNCATED;
	if (s->event.flags & EVENT_PATH_TRUNCATED)
		flags |= truncated;
	if (truncated == EVENT_PATH_TRUNCATED)
		flags |= s->event.flags & EVENT_PATH_DETACHED;
	s->event.flags = flags;
	return s->event.strings_len - s->path_start;
}

static __always_inline bool is_unhashed(struct dentry *dentry)
{
	return !BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry;
}

/* More mounts of one file system than a namespace is expected to have. */
#define MOUNTS_OF_SB 64

/* Since 6.17 a superblock's mounts are a list of their own kind. */
struct mount___6_17 {
	struct mount___6_17 *mnt_next_for_sb;
} __attribute__((preserve_access_index));
struct super_block___6_17 {
	struct mount___6_17 *s_mounts;
} __attribute__((preserve_access_index));

static __always_inline bool has_mount_chain(void)
{
	return bpf_core_field_exists(((struct mount___6_17 *)0)->mnt_next_for_sb);
}

static __always_inline struct mount *mount_at(struct list_head *instance)
{
	return (void *)instance - bpf_core_field_offset(struct mount, mnt_instance);
}

static __always_inline struct mount *first_mount(struct super_block *sb)
{
	if (has_mount_chain())
		return (void *)BPF_CORE_READ((struct super_block___6_17 *)sb, s_mounts);
	return mount_at(BPF_CORE_READ(sb, s_mounts.next));
}

static __always_inline struct mount *next_mount(struct mount *mnt)
{
	if (has_mount_chain())
		return (void *)BPF_CORE_READ((struct mount___6_17 *)mnt, mnt_next_for_sb);
	return mount_at(BPF_CORE_READ(mnt, mnt_instance.next));
}

/* Numbers, because the kernel forgets of what kind a pointer was from step to step. */
struct mount_search {
	__u64 ns;   /* struct mnt_namespace */
	__u64 root; /* struct dentry */
	__u64 next; /* struct mount: to be looked at */
	__u64 found;
};

static long mount_step(__u32 i, void *ctx)
{
	struct mount_search *search = ctx;
	struct mount *mnt = (struct mount *)search->next;
	bool is_seen, is_whole;

	if (!mnt)
		return 1;
	is_seen = (__u64)BPF_CORE_READ(mnt, mnt_ns) == search->ns;
	is_whole = (__u64)BPF_CORE_READ(mnt, mnt.mnt_root) == search->root;
	if (is_seen && (is_whole || !search->found))
		search->found = (__u64)mnt;
	search->next = (__u64)next_mount(mnt);
	return is_seen && is_whole;
}

/*
 * A mount by which the task sees the file system, for a hook that is not told by which it came: one
 * of the whole if there is one. The list may change meanwhile: then the path is less than full.
 */
static __noinline struct vfsmount *mount_of(struct super_block *sb)
{
	struct mount_search search = {
		.ns = (__u64)BPF_CORE_READ(current_task(), nsproxy, mnt_ns),
		.root = (__u64)BPF_CORE_READ(sb, s_root),
		.next = (__u64)first_mount(sb),
	};

	bpf_loop(MOUNTS_OF_SB, mount_step, &search, 0);
	if (!search.found)
		return NULL;
	return (void *)search.found + bpf_core_field_offset(struct mount, mnt);
}

static __noinline void add_paths(struct scratch *s, const struct decision *d)
{
	struct task_struct *task = current_task();
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	struct dentry *dentry = d->dentry;

	if (dentry) {
		struct vfsmount *mnt = d->mnt ?: mount_of(BPF_CORE_READ(dentry, d_sb));

		s->event.path_len = path_append(s, dentry, mnt, EVENT_PATH_TRUNCATED);
		/* A name about to be made is not hashed either, but has no inode yet. */
		if (BPF_CORE_READ(dentry, d_inode) && is_unhashed(dentry))
			s->event.flags |= EVENT_PATH_DELETED;
	}
	if (d->dentry2)
		s->event.path2_len = path_append(s, d->dentry2, d->mnt, EVENT_PATH2_TRUNCATED);
	if (exe)
		s->event.exe_len = path_append(s, BPF_CORE_READ(exe, f_path.dentry),
					       BPF_CORE_READ(exe, f_path.mnt), EVENT_EXE_TRUNCATED);
}

static __always_inline struct scratch *scratch_take(void)
{
	struct scratch *s = scratch_get();

	if (!s || __sync_lock_test_and_set(&s->is_busy, 1))
		return NULL;
	return s;
}

/* What a record of so many bytes takes of a ring. */
static __always_inline __u64 ring_room(__u64 len)
{
	return BPF_RINGBUF_HDR_SZ + ((len + 7) & ~7ULL);
}

/* Where a record goes. */
struct outlet {
	void *ring;
	struct evidence *evidence; /* NULL: nothing is kept free */
	__u64 keep;                /* bytes of the ring that the record leaves free */
};

/*
 * Whether a record of so many bytes may go into the ring; ring_done() when it has. Who claims first
 * is seen by who claims later, so no number of processors gets past the bound together.
 */
static __always_inline bool ring_claim(const struct outlet *outlet, __u64 len)
{
	__u64 room = ring_room(len), claimed;

	if (!outlet->evidence)
		return true;
	claimed = __sync_fetch_and_add(&outlet->evidence->claimed, room) + room;
	return bpf_ringbuf_query(outlet->ring, BPF_RB_AVAIL_DATA) + claimed + outlet->keep <=
	       bpf_ringbuf_query(outlet->ring, BPF_RB_RING_SIZE);
}

static __always_inline void ring_done(const struct outlet *outlet, __u64 len)
{
	if (outlet->evidence)
		__sync_fetch_and_add(&outlet->evidence->claimed, -ring_room(len));
}

static __always_inline long ring_put(const struct outlet *outlet, void *data, __u64 len)
{
	long err = -ENOSPC;

	if (ring_claim(outlet, len))
		err = bpf_ringbuf_output(outlet->ring, data, len, 0);
	ring_done(outlet, len);
	return err;
}

/* The record without its strings: no scratch was free, or no room in the ring. */
static __always_inline long send_bare(const struct outlet *outlet, const struct job *job,
				      const struct decision *d, bool has_task)
{
	struct event *event = NULL;

	if (ring_claim(outlet, sizeof(*event)))
		event = bpf_ringbuf_reserve(outlet->ring, sizeof(*event), 0);
	ring_done(outlet, sizeof(*event));
	if (!event)
		return -ENOSPC;
	fill_bare(event, job, d, has_task);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/*
 * The record with its strings, in the scratch; NULL: another record is being made there. Made before
 * anything is known of where it goes, because the kernel verifies what makes it once for each state.
 */
static __always_inline struct scratch *record(const struct job *job, const struct decision *d)
{
	struct scratch *s = scratch_take();

	if (s) {
		fill_event(&s->event, job, d);
		add_paths(s, d);
	}
	return s;
}

static __always_inline long send_full(struct outlet *outlet, struct scratch *s, bool is_first)
{
	__u32 len = s->event.strings_len;

	if (len > EVENT_STRINGS_MAX)
		return -E2BIG;
	outlet->keep = is_first ? RING_FOR_BARE : RING_FOR_FIRSTS;
	return ring_put(outlet, &s->event, sizeof(s->event) + len);
}

/* With its strings if that can be; the first of a kind without them if there is no room for them. */
static __always_inline long send(struct scratch *s, const struct job *job, const struct decision *d,
				 bool is_first)
{
	struct outlet outlet = { .ring = ring_of(job), .evidence = evidence_of(job) };
	struct job_stats *stats = stats_of(job);

	if (!outlet.ring)
		return -ENOSPC;
	if (s) {
		long err = send_full(&outlet, s, is_first);

		if (!err || !is_first)
			return err;
	}
	outlet.keep = is_first ? 0 : RING_FOR_FIRSTS;
	if (stats)
		count(&stats->path_failures);
	return send_bare(&outlet, job, d, true);
}

/* One record, or one more in a fold, or lost. Inline, because the kernel allows eight frames. */
static __always_inline void emit(const struct job *job, struct decision *d, struct job_stats *stats)
{
	struct scratch *s;
	int sorted;
	long err;

	d->sequence = __sync_fetch_and_add(&stats->sequence, 1) + 1;
	sorted = sort_act_of_task(job, d);
	if (sorted == ACT_FOLDED) {
		count(&stats->folded);
		return;
	}
	s = record(job, d);
	err = send(s, job, d, first_of(sorted));
	if (s)
		*(volatile __u32 *)&s->is_busy = 0;
	if (!err)
		count(&stats->emitted);
	else
		count_unsent(sorted, job, d, stats);
}

/* Audit mode turns a denial into would-deny. Both are counted; NULL if they cannot be. */
static __always_inline struct job_stats *count_refusal(const struct job *job, struct decision *d)
{
	struct job_stats *stats = stats_of(job);
	bool is_audit = job->policy->mode == MODE_AUDIT;

	d->verdict = is_audit ? VERDICT_WOULD_DENY : VERDICT_DENY;
	if (!stats || d->kind >= EVENT_KINDS)
		return NULL;
	count(is_audit ? &stats->would_deny[d->kind] : &stats->denied[d->kind]);
	return stats;
}

/* The end of every refusal: counted and recorded. Returns true if the act must be refused. */
static __noinline bool settle(const struct job *job, struct decision *d)
{
	struct job_stats *stats = count_refusal(job, d);

	if (stats)
		emit(job, d, stats);
	return d->verdict == VERDICT_DENY;
}

/* The same for an LSM hook: what it returns. */
static __always_inline int lsm_refuse(const struct job *job, struct decision *d)
{
	return settle(job, d) ? LSM_DENY : LSM_ALLOW;
}

#endif
