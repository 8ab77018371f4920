// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the kernel calls the files that a process has open; see identify.h. */
#include "kern/identify.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "kern/iter.h"

int identify_files(struct kern *kern, pid_t tgid, long policy_slot, struct error *err,
		   struct identity **ret_identities, size_t *ret_cnt)
{
	struct identify_request request = { .has_policy = policy_slot >= 0,
					    .policy = policy_slot >= 0 ? policy_slot : 0 };
	__u32 zero = 0;
	void *data = NULL;
	size_t len = 0;
	int r;

	if (bpf_map_update_elem(kern->map_fd[MAP_IDENTIFY_REQ], &zero, &request, BPF_ANY))
		return error_errno(err, -errno, "cannot ask the kernel for file identities");
	r = iter_read(kern, PROG_IDENTIFY, tgid, &data, &len);
	if (r)
		return error_errno(err, r, "cannot read the file identities of process %d", tgid);
	*ret_identities = data;
	*ret_cnt = len / sizeof(struct identity);
	return 0;
}

const struct identity *identity_of_fd(const struct identity *identities, size_t cnt, int fd)
{
	for (size_t i = 0; i < cnt; i++)
		if (identities[i].fd == (__u32)fd)
			return &identities[i];
	return NULL;
}
