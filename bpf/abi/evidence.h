/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a job's evidence has in kernel memory beside its ring: one page, mapped by the controller.
 *
 * A kind of act is (operation, object, name, rule, reason; thread group, program, name of the thread,
 * uid, gid): all that its records would have in common. Its first FOLD_AFTER acts in a window have a
 * record each. Then it gets a fold, if one of its places is free: the next act's record is the
 * fold's head, and every act after it is one more in the fold's word. The controller turns what the
 * folds have counted into events, each second and when the job ends.
 *
 * Nothing is ever taken out of a count, so none can be lost between the two sides: the kernel only
 * adds, by compare-and-swap on a word that also says whose count it is; the controller only notes how
 * far it has told (told), and closes a fold by the same compare-and-swap, which fails if anything
 * has been added since.
 */
#ifndef JOBCAGE_ABI_EVIDENCE_H
#define JOBCAGE_ABI_EVIDENCE_H

#include "types.h"
#include "event.h"

/* Powers of two. A kind has its fold in one of FOLD_WAYS places, which its hash gives. */
#define FOLDS 16
#define FOLD_WAYS 4
#define RECENTS 64
#define FIRSTS 64

/* Acts of a kind in a window of 2^FOLD_WINDOW_SHIFT ns (1.07 s) that have a record each; < 255. */
#define FOLD_AFTER 16
#define FOLD_WINDOW_SHIFT 30

/* fold.word: state << 62 | incarnation << 40 | acts counted */
#define FOLD_COUNT_BITS 40
#define FOLD_COUNT_MASK ((1ULL << FOLD_COUNT_BITS) - 1)
#define FOLD_STATE_SHIFT 62

enum fold_state {
	FOLD_FREE = 0, /* to the kernel, which makes it FOLD_FILLING */
	FOLD_FILLING = 1,
	FOLD_OPEN = 2, /* until the controller makes it FOLD_FREE, of the next incarnation */
};

struct fold {
	__u64 word;
	__u64 told;    /* of the acts counted, in events; written by the controller, zero when opened */
	__u64 hash;    /* of what follows */
	__u64 name;    /* of the names that the act was about, and of who does it */
	__u64 last_ns; /* CLOCK_BOOTTIME of the last act */
	struct event event; /* the head without its strings; time_ns: of the first act not yet told */
};

/* Shares of the ring: what is no first of a kind leaves so many bytes free for those; they leave
 * room for firsts without strings. */
#define RING_FOR_FIRSTS (64 * 1024)
#define RING_FOR_BARE (16 * 1024)

/* evidence_by_group: index is job slot / EVIDENCE_GROUP; an array, where it is the remainder. */
struct evidence {
	__u32 generation; /* of the job; another: not this job's */
	__u32 reserved;
	__u64 claimed;           /* bytes of the ring about to be used by records under way */
	__u64 firsts[FIRSTS];    /* (rule, policy, reason, op) that had their first record; 0: none */
	__u64 recents[RECENTS];  /* hash, window and count of acts, by hash: a hint, may be wrong */
	struct fold folds[FOLDS];
	__u8 room[112];
};

/* Groups, because to make a map of a map of maps costs a grace period. */
#define EVIDENCE_GROUP 16
#define EVIDENCE_GROUPS (JOB_SLOTS / EVIDENCE_GROUP)

_Static_assert(sizeof(struct fold) == 184, "fold is ABI");
_Static_assert(sizeof(struct evidence) == 4096, "evidence is mapped page by page");
_Static_assert(__builtin_offsetof(struct evidence, folds) == 1040, "evidence is ABI");
_Static_assert(__builtin_offsetof(struct evidence, room) == 3984, "evidence is ABI");

#endif
