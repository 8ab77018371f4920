/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the places that a policy's paths lead to, to what the kernel compares: (device, inode), and
 * the ancestors that must stay. Nothing here waits for a server of files.
 */
#ifndef JOBCAGE_KERN_ROOTS_H
#define JOBCAGE_KERN_ROOTS_H

#include <stdbool.h>

#include "abi/policy.h"
#include "base/error.h"
#include "kern/kern.h"
#include "kern/mounts.h"
#include "kern/places.h"

struct root {
	struct root_key key;
	struct root_value value;
	bool is_access_given; /* by a rule for this very root, not one above a mount */
	bool is_exec_given;
	bool is_unix_given;
	bool is_own; /* jobcage's own file or directory */
};

/* Where a rule's path led to when it was resolved. */
struct root_path {
	__u32 rule; /* number */
	int fd;     /* one of roots.fds; -1: nowhere, and the rule is optional */
	char *path; /* canonical */
	bool is_read_only; /* the mount it was reached by, or the file system */
};

struct roots {
	struct root *items;
	size_t cnt;
	__u32 *devs; /* superblocks that hold a rule's root, each once */
	size_t dev_cnt;
	size_t dataset_dev_cnt; /* of these, the first: with a dataset that the job may not write to */
	int *fds;    /* of every root, O_PATH: overlayfs gives an inode a new number once it is evicted */
	size_t fd_cnt;
	uid_t owner; /* whose descriptors they count as: the policy's */
	struct root_path *paths; /* of every rule that has one */
	size_t path_cnt;
	struct mounts mounts; /* that are below a rule's root */
};

/*
 * Makes roots of what places_find() found, and takes from it what they hold: no second time. own:
 * paths, ended by NULL, that are closed to the job whatever the rules say. Returns 0 or -errno, and
 * the sentence of places->err if that is why. Free with roots_free().
 */
int roots_resolve(struct kern *kern, struct places *places, const char *const *own,
		  struct error *err, struct roots *ret_roots);
void roots_free(struct roots *roots);

/* The rule whose root is nearest above the path, or NULL. */
const struct root_path *roots_above(const struct roots *roots, const char *path);

enum root_news {
	ROOT_REPLACED = 1, /* the path leads to another file now */
	ROOT_GONE = 2,     /* the path leads nowhere; the rule still holds for the file it led to */
	ROOT_APPEARED = 3, /* the path of an optional rule leads somewhere now */
	ROOT_REMOUNTED = 4,   /* what was read-only is writable, or the other way round */
	ROOT_MOUNT_BELOW = 5, /* a file system was mounted below it, which the rules do not know */
};

struct root_change {
	__u32 rule; /* number */
	enum root_news news;
	bool is_read_only;   /* REMOUNTED: what it is now */
	struct root_key old; /* REPLACED, GONE: the file that the rule holds for, as the hooks name it */
	struct root_key now; /* REPLACED, APPEARED: the file that the path leads to */
};

/*
 * Compares where every rule's path leads now, as places_find() found it for the same policy, with
 * where it led when the roots were made. The kernel is asked for identities only if something
 * differs. Nothing is altered: as long as the roots stay the same, so does the answer. Returns 0 and
 * the changes, by rule (free them), or -errno.
 */
int roots_check(struct kern *kern, const struct roots *roots, const struct places *places,
		struct error *err, struct root_change **ret_changes, size_t *ret_cnt);

#endif
