// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the kernel calls the files that a process has open; see identify.h. */
#include "kern/identify.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "kern/iter.h"
#include "kern/trees.h"

/* How often to ask again when another controller asked in between. */
#define TRIES 100

static int ask(struct kern *kern, pid_t tgid, const struct identify_request *request, size_t max,
	       void **ret_data, size_t *ret_len)
{
	__u32 zero = 0;

	if (bpf_map_update_elem(kern->map_fd[MAP_IDENTIFY_REQ], &zero, request, BPF_ANY))
		return -errno;
	return iter_read(kern, PROG_IDENTIFY, tgid, max * sizeof(struct identity), ret_data,
			 ret_len);
}

static bool is_answer(const struct identity *identities, size_t cnt,
		      const struct identify_request *request)
{
	for (size_t i = 0; i < cnt; i++)
		if (memcmp(&identities[i].request, request, sizeof(*request)))
			return false;
	return true;
}

static bool has_tree(const struct identity *identities, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (identities[i].tree)
			return true;
	return false;
}

static int by_fd(const void *a, const void *b)
{
	const struct identity *x = a, *y = b;

	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

int identify_files(struct kern *kern, pid_t tgid, long policy_slot, size_t max, struct error *err,
		   struct identity **ret_identities, size_t *ret_cnt)
{
	struct identify_request request = { .has_policy = policy_slot >= 0,
					    .policy = policy_slot >= 0 ? policy_slot : 0,
					    .btrfs = trees_known(kern) };

	for (int i = 0; i < TRIES; i++) {
		_cleanup_free_ void *data = NULL;
		size_t len = 0;
		int r = ask(kern, tgid, &request, max, &data, &len);

		if (r == -E2BIG)
			return error_set(err, r,
					 "process %d has more than %zu descriptors open; close "
					 "those that it does not need",
					 tgid, max);
		if (r)
			return error_errno(err, r, "cannot read the file identities of process %d",
					   tgid);
		if (!is_answer(data, len / sizeof(struct identity), &request))
			continue;
		if (!request.btrfs.word && has_tree(data, len / sizeof(struct identity)) &&
		    !trees_learn(kern, &request.btrfs))
			continue;
		*ret_cnt = len / sizeof(struct identity);
		qsort(data, *ret_cnt, sizeof(struct identity), by_fd);
		*ret_identities = TAKE_PTR(data);
		return 0;
	}
	return error_set(err, -EBUSY, "others keep asking the kernel for file identities");
}

const struct identity *identity_of_fd(const struct identity *identities, size_t cnt, int fd)
{
	const struct identity key = { .fd = fd };

	return cnt ? bsearch(&key, identities, cnt, sizeof(key), by_fd) : NULL;
}
