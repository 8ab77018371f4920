/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The places that a policy's paths lead to, held open.
 *
 * A walk along a path may wait for a server of files that is away. All such walks are
 * places_find()'s, which a thread of its own may do; what is made of the places later (roots.h)
 * asks nobody but the kernel.
 */
#ifndef JOBCAGE_KERN_PLACES_H
#define JOBCAGE_KERN_PLACES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "kern/mounts.h"
#include "policy/policy.h"

/* Rules of these kinds do not know of each other. */
enum place_kind {
	PLACE_FILE, /* datasets and file rules */
	PLACE_EXEC,
	PLACE_UNIX,
	PLACE_KINDS,
};

struct held_place {
	char *path;              /* canonical; as the rule has it if that leads nowhere */
	int fd;                  /* O_PATH, or -1 */
	int error;               /* why it is not open: -errno */
	const struct rule *rule; /* NULL: an ancestor */
	__u32 number;            /* of the rule */
	bool is_mount;           /* not the rule's own root, but a mount below it */
	bool is_own;             /* jobcage's own: closed, whatever the rules say */
	const struct rule *through; /* a link that this rule's path leads through */
};

struct places {
	struct policy *policy; /* a reference of its own */
	struct held_place *items;
	size_t cnt, room;
	struct mounts mounts;   /* all there are */
	const char *_Atomic at; /* the path that is being walked, for other threads; or NULL */
	size_t sorted_cnt; /* of the first items, by path: all but mounts, and what was added later */
	const char *latest; /* of the paths whose ancestors were added; of a link or a rule */
	size_t claimed;    /* of the descriptors that places may have open, for the policy's owner */
	bool is_renewal;   /* for jobs that run: no owner's share refuses it */
	struct error err;       /* why no roots can be made of them; code 0: they can */
};

/* Nowhere yet. Takes no reference of the caller's. NULL: no memory. */
struct places *places_new(struct policy *policy);

/*
 * Walks every path, as the calling process sees them now. What is wrong (a path of a rule that is
 * not optional leads nowhere, a link that the job could make) is in places->err, of the first that
 * is wrong; the rest is walked nevertheless. Once.
 */
void places_find(struct places *places);

/* Both. NULL, and a sentence: no memory. */
struct places *places_walk(struct policy *policy, struct error *err);

/* Why no roots can be made of them: places->err. Returns its code; 0: they can. */
int places_check(const struct places *places, struct error *err);

/*
 * Adds paths, ended by NULL, that are the controller's own and must be closed to the job. Returns 0
 * or -errno.
 */
int places_add_own(struct places *places, const char *const *own, struct error *err);

/* May be NULL. */
void places_free(struct places *places);

/* Who took descriptors out of places, and their part of places->claimed, has closed them. */
void places_let_go(uid_t owner, size_t cnt);

enum place_kind place_kind(const struct rule *rule);

#endif
