/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the paths of a policy's rules to what the kernel compares: (device, inode), and the
 * ancestors that must stay.
 */
#ifndef JOBCAGE_KERN_ROOTS_H
#define JOBCAGE_KERN_ROOTS_H

#include <stdbool.h>

#include "abi/policy.h"
#include "base/error.h"
#include "kern/kern.h"
#include "policy/policy.h"

struct root {
	struct root_key key;
	struct root_value value;
	bool is_access_given; /* by a rule for this very root, not one above a mount */
	bool is_exec_given;
	bool is_own; /* jobcage's own file or directory */
};

struct roots {
	struct root *items;
	size_t cnt;
	__u32 *devs; /* superblocks that hold a rule's root, each once */
	size_t dev_cnt;
	int *fds;    /* of every root, O_PATH: overlayfs gives an inode a new number once it is evicted */
	size_t fd_cnt;
};

/*
 * Resolves every rule that has a path, as the calling process sees the paths now. A path that does
 * not exist is an error that names the rule and its place, unless the rule is optional. own: paths,
 * ended by NULL, that are closed to the job whatever the rules say. Returns 0 or -errno. Free with
 * roots_free().
 */
int roots_resolve(struct kern *kern, const struct policy *policy, const char *const *own,
		  struct error *err, struct roots *ret_roots);
void roots_free(struct roots *roots);

#endif
