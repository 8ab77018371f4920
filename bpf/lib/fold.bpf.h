/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What keeps a job's evidence exact in a flood: repeats are counted instead of recorded, and the
 * first denial by each rule has room in the ring that others cannot take. See abi/evidence.h.
 *
 * A kind gets a fold only when it has repeated, so distinct names cannot use them up. Where
 * anything here does not succeed, the act is recorded, or counted as lost, as if it were no repeat.
 */
#ifndef JOBCAGE_FOLD_BPF_H
#define JOBCAGE_FOLD_BPF_H

#include "lib/decision.bpf.h"

/* As many processors may add to the same count at the same moment before one has to record. */
#define FOLD_TRIES 8

/*
 * What repeats of an act have in common. It holds no pointers, so functions that take it can be global,
 * which the kernel verifies once instead of at every call.
 */
struct kind {
	__u64 hash; /* of all below */
	__u64 name;
	struct event_file file;
	struct event_net net;
	__u32 policy;
	__u32 rule;
	__u32 reserved;
	__u8 op;
	__u8 reason;
	__u8 verdict;
	__u8 has_task; /* the current task is who does it */
	__u64 now_ns; /* not a part of it */
};

#define GLOBAL __attribute__((noinline, weak))

static __always_inline struct evidence *evidence_of(const struct job *job)
{
	__u32 group = job->label.slot / EVIDENCE_GROUP, slot = job->label.slot % EVIDENCE_GROUP;
	void *pages = bpf_map_lookup_elem(&evidence_by_group, &group);
	struct evidence *evidence;

	if (!pages)
		return NULL;
	evidence = bpf_map_lookup_elem(pages, &slot);
	return evidence && evidence->generation == job->label.generation ? evidence : NULL;
}

static __always_inline void *ring_of(const struct job *job)
{
	__u32 slot = job->label.slot;

	return bpf_map_lookup_elem(&ring_by_job, &slot);
}

/* --- hashes ----------------------------------------------------------------------------------- */

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

typedef __u64 __attribute__((may_alias)) u64_alias;

_Static_assert(__builtin_offsetof(struct event, net) % 8 == 0, "read by words");
_Static_assert(__builtin_offsetof(struct event, comm) % 8 == 0, "read by words");
_Static_assert(__builtin_offsetof(struct kind, net) % 8 == 0, "read by words");

static __always_inline __u64 word_of(const void *data, int i)
{
	return ((const u64_alias *)data)[i];
}

/* --- who does it ------------------------------------------------------------------------------ */

/*
 * Who does it is a part of the kind, as far as a record names them: a count never holds acts that would
 * be told under another name. The current task is asked each time, because a struct kind stands on a
 * stack that is full.
 */

/* uid, and above it gid, which follows it in a struct cred: as bpf_get_current_uid_gid(), which not all programs have. */
static __always_inline __u64 user_of(struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	__u64 ids = 0;

	bpf_core_read(&ids, sizeof(ids), &cred->uid);
	return ids;
}

/* Alters with an execve, and when a process names another program as its own (PR_SET_MM_EXE_FILE). */
static __always_inline __u64 program_of(struct task_struct *task)
{
	__u64 dentry = (__u64)BPF_CORE_READ(task, mm, exe_file, f_path.dentry);

	return mix(mix(0, dentry), BPF_CORE_READ(task, self_exec_id));
}

static __noinline __u64 actor_hash(void)
{
	struct task_struct *task = current_task();
	__u64 start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	__u64 hash = mix(start_ns, BPF_CORE_READ(task, tgid));
	char comm[16];

	BPF_CORE_READ_INTO(&comm, task, comm);
	hash = mix(mix(hash, word_of(comm, 0)), word_of(comm, 1));
	return mix(mix(hash, user_of(task)), program_of(task));
}

/* What a job may choose of it; of the rest, the process and its program, the hash in the fold's name is enough. */
GLOBAL int is_by_current(const struct event *e)
{
	struct task_struct *task = current_task();
	char comm[16];

	if (!e)
		return 0;
	BPF_CORE_READ_INTO(&comm, task, comm);
	return word_of(e->comm, 0) == word_of(comm, 0) && word_of(e->comm, 1) == word_of(comm, 1) &&
	       ((__u64)e->gid << 32 | e->uid) == user_of(task);
}

/* --- kinds ------------------------------------------------------------------------------------ */

static __always_inline __u64 kind_hash(const struct kind *kind)
{
	__u64 hash = kind->name;

	hash = mix(hash, (__u64)kind->policy << 32 | kind->rule);
	hash = mix(hash, (__u32)kind->op << 16 | (__u32)kind->reason << 8 | kind->verdict);
	hash = mix(hash, kind->file.ino);
	hash = mix(hash, (__u64)kind->file.dev << 32 | kind->file.mode);
	hash = mix(hash, word_of(&kind->net, 0));
	hash = mix(hash, word_of(&kind->net, 1));
	return mix(hash, word_of(&kind->net, 2));
}

/* name is set; the rest of what the decision is about follows. */
static __always_inline void kind_fill(struct kind *kind, const struct job *job,
				      const struct decision *d)
{
	kind->file = d->file;
	kind->net = d->net;
	kind->policy = job->policy_slot;
	kind->rule = d->rule;
	kind->op = d->op;
	kind->reason = d->reason;
	kind->verdict = d->verdict;
	kind->hash = kind_hash(kind);
	kind->now_ns = bpf_ktime_get_boot_ns();
}

/* The kernel's own hash of a name in its directory. */
static __always_inline __u64 name_hash(struct dentry *dentry)
{
	return dentry ? BPF_CORE_READ(dentry, d_name.hash_len) : 0;
}

static __always_inline void kind_of(struct kind *kind, const struct job *job, const struct decision *d,
				    bool has_task)
{
	if (has_task) {
		kind->has_task = 1;
		kind->name = mix(mix(name_hash(d->dentry), name_hash(d->dentry2)), actor_hash());
	}
	kind_fill(kind, job, d);
}

static __always_inline bool is_same_net(const struct event_net *a, const struct event_net *b)
{
	return word_of(a, 0) == word_of(b, 0) && word_of(a, 1) == word_of(b, 1) &&
	       word_of(a, 2) == word_of(b, 2);
}

/* A hash that is equal is not enough. */
static __always_inline bool is_of_kind(const struct fold *fold, const struct kind *kind)
{
	const struct event *e = &fold->event;

	return fold->hash == kind->hash && fold->name == kind->name && e->policy == kind->policy &&
	       e->rule == kind->rule && e->op == kind->op && e->reason == kind->reason &&
	       e->verdict == kind->verdict && e->file.dev == kind->file.dev &&
	       e->file.ino == kind->file.ino && e->file.mode == kind->file.mode &&
	       is_same_net(&e->net, &kind->net) && (!kind->has_task || is_by_current(e));
}

/* --- folds ------------------------------------------------------------------------------------ */

/* A read that nothing after it can overtake. */
static __always_inline __u64 read_word(struct fold *fold)
{
	return __sync_fetch_and_add(&fold->word, 0);
}

static __always_inline void set_times(struct fold *fold, __u64 word, __u64 now_ns)
{
	if ((word & FOLD_COUNT_MASK) == fold->told)
		fold->event.time_ns = now_ns;
	if (fold->last_ns < now_ns)
		fold->last_ns = now_ns;
}

/*
 * Counts an act in a fold, if that is the one of its kind. The word that was read before the kind was
 * compared must be there still when it is replaced.
 */
GLOBAL int fold_try(struct fold *fold, const struct kind *kind)
{
	if (!fold || !kind)
		return 0;
	for (int i = 0; i < FOLD_TRIES; i++) {
		__u64 word = read_word(fold);

		if (word >> FOLD_STATE_SHIFT != FOLD_OPEN || !is_of_kind(fold, kind))
			return 0;
		if (__sync_val_compare_and_swap(&fold->word, word, word + 1) == word) {
			set_times(fold, word, kind->now_ns);
			return 1;
		}
	}
	return 0;
}

/* Where a kind may have its fold: FOLD_WAYS places, from its hash on. */
static __always_inline __u32 fold_place(const struct kind *kind, int way)
{
	return (kind->hash + way) & (FOLDS - 1);
}

/* Has the act been counted as a repeat? */
static __always_inline bool fold_add(struct evidence *evidence, const struct kind *kind)
{
	for (int way = 0; way < FOLD_WAYS; way++) {
		struct fold *fold = &evidence->folds[fold_place(kind, way)];

		if (fold->hash == kind->hash && fold_try(fold, kind))
			return true;
	}
	return false;
}

/* The same for the act whose record was to be the head of the fold. */
GLOBAL int fold_add_head(struct fold *fold, __u64 sequence)
{
	if (!fold)
		return 0;
	for (int i = 0; i < FOLD_TRIES; i++) {
		__u64 word = read_word(fold);

		if (word >> FOLD_STATE_SHIFT != FOLD_OPEN || fold->event.sequence != sequence)
			return 0;
		if (__sync_val_compare_and_swap(&fold->word, word, word + 1) == word)
			return 1;
	}
	return 0;
}

/* Has its kind been recorded often enough in this window? What is forgotten here costs a record. */
static __always_inline bool is_flood(struct evidence *evidence, const struct kind *kind)
{
	__u64 *recent = &evidence->recents[kind->hash & (RECENTS - 1)];
	__u64 window = kind->now_ns >> FOLD_WINDOW_SHIFT & 0xffffff;
	__u64 tag = kind->hash >> 32 << 32 | window << 8, old = *recent;
	__u64 acts = (old & ~0xffULL) == tag ? old & 0xff : 0;

	if (acts >= FOLD_AFTER)
		return true;
	*recent = tag | (acts + 1);
	return false;
}

/* A free fold for the kind that is nobody else's from now on: its place, or FOLDS. */
GLOBAL int fold_take(struct evidence *evidence, const struct kind *kind)
{
	if (!evidence || !kind)
		return FOLDS;
	for (int way = 0; way < FOLD_WAYS; way++) {
		__u32 place = fold_place(kind, way);
		struct fold *fold = &evidence->folds[place];
		__u64 word = read_word(fold);
		__u64 mine = word | (__u64)FOLD_FILLING << FOLD_STATE_SHIFT;

		if (word >> FOLD_STATE_SHIFT == FOLD_FREE &&
		    __sync_val_compare_and_swap(&fold->word, word, mine) == word)
			return place;
	}
	return FOLDS;
}

/* Filled, then published: from FOLD_FILLING to FOLD_OPEN. */
static __always_inline void fold_publish(struct fold *fold, const struct kind *kind)
{
	fold->told = 0;
	fold->name = kind->name;
	fold->hash = kind->hash;
	fold->last_ns = kind->now_ns;
	__sync_fetch_and_add(&fold->word, 1ULL << FOLD_STATE_SHIFT);
}

/* The record that is sent next becomes the head of a fold: 1 + its place, or 0 if none is free. */
static __always_inline __u32 fold_open(struct evidence *evidence, const struct kind *kind,
				       const struct job *job, const struct decision *d, bool has_task)
{
	__u32 place = fold_take(evidence, kind);
	struct fold *fold;

	if (place >= FOLDS)
		return 0;
	fold = &evidence->folds[place & (FOLDS - 1)];
	fill_bare(&fold->event, job, d, has_task);
	fold_publish(fold, kind);
	return place + 1;
}

/* --- the first of a kind ---------------------------------------------------------------------- */

/* By what the first of a kind is known, whatever its object. Never 0, because no operation is. */
static __always_inline __u64 first_key(const struct kind *kind)
{
	return (__u64)kind->rule << 32 | (__u64)(kind->policy & 0xffff) << 16 |
	       (__u64)kind->reason << 8 | kind->op;
}

/* 1 + the place that remembers it, if it is the first one; else 0. */
GLOBAL int first_claim(struct evidence *evidence, __u64 key)
{
	__u64 start = mix(key, 0) >> 32;

	if (!evidence)
		return 0;
	for (int i = 0; i < FIRSTS; i++) {
		__u64 place = (start + i) & (FIRSTS - 1);
		__u64 old = __sync_val_compare_and_swap(&evidence->firsts[place], 0, key);

		if (!old)
			return place + 1;
		if (old == key)
			return 0;
	}
	return 0;
}

/* It could not be sent: the next one is the first. */
static __always_inline void first_forget(struct evidence *evidence, __u32 first)
{
	if (evidence && first)
		__sync_lock_test_and_set(&evidence->firsts[(first - 1) & (FIRSTS - 1)], 0);
}

/* --- what becomes of an act ------------------------------------------------------------------- */

#define ACT_FOLDED (-1)
#define FIRST_BITS 7 /* 0 to FIRSTS */

_Static_assert(FIRSTS < 1 << FIRST_BITS, "room for every place");

/*
 * ACT_FOLDED: counted. Else a record is to be made of it: 1 + its place among the firsts if it is the
 * first of its kind, and above FIRST_BITS 1 + the place of the fold whose head it is.
 */
static __always_inline int sort_act(const struct job *job, const struct decision *d, bool has_task)
{
	struct evidence *evidence = evidence_of(job);
	struct kind kind = { 0 };
	__u32 head = 0;

	if (!evidence)
		return 0;
	kind_of(&kind, job, d, has_task);
	if (fold_add(evidence, &kind))
		return ACT_FOLDED;
	if (is_flood(evidence, &kind))
		head = fold_open(evidence, &kind, job, d, has_task);
	return head << FIRST_BITS | first_claim(evidence, first_key(&kind));
}

static __always_inline __u32 first_of(int sorted)
{
	return sorted & ((1 << FIRST_BITS) - 1);
}

static __always_inline __u32 head_of(int sorted)
{
	return (__u32)sorted >> FIRST_BITS;
}

/* Apart from what sends, because the stack is short. */
static __noinline int sort_act_of_task(const struct job *job, const struct decision *d)
{
	return sort_act(job, d, true);
}

/* No record could be made: the next of its kind is the first; a fold's head is one of its repeats instead. */
static __always_inline void count_unsent(int sorted, const struct job *job, const struct decision *d,
					 struct job_stats *stats)
{
	struct evidence *evidence = evidence_of(job);
	__u32 head = head_of(sorted);

	first_forget(evidence, first_of(sorted));
	if (evidence && head && fold_add_head(&evidence->folds[(head - 1) & (FOLDS - 1)], d->sequence))
		count(&stats->folded);
	else if (d->kind < EVENT_KINDS)
		count(&stats->lost[d->kind]);
}

#endif
