// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the kernel calls the files that a process has open; see identify.h. */
#include "kern/identify.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static int open_iterator(struct kern *kern, pid_t tgid)
{
	union bpf_iter_link_info info = { .task.pid = tgid };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	_cleanup_fd_ int link_fd =
		bpf_link_create(kern->prog_fd[PROG_IDENTIFY], 0, BPF_TRACE_ITER, &opts);
	int fd;

	if (link_fd < 0)
		return -errno;
	fd = bpf_iter_create(link_fd);
	return fd < 0 ? -errno : fd;
}

static int read_all(int fd, char **ret_data, size_t *ret_len)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0, room = 0;
	ssize_t n;

	do {
		if (len == room) {
			char *grown = realloc(data, room = room ? 2 * room : 16384);

			if (!grown)
				return -ENOMEM;
			data = grown;
		}
		n = read(fd, data + len, room - len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			len += n;
	} while (n);
	*ret_data = TAKE_PTR(data);
	*ret_len = len;
	return 0;
}

int identify_files(struct kern *kern, pid_t tgid, long policy_slot, struct error *err,
		   struct identity **ret_identities, size_t *ret_cnt)
{
	struct identify_request request = { .has_policy = policy_slot >= 0,
					    .policy = policy_slot >= 0 ? policy_slot : 0 };
	_cleanup_fd_ int fd = -1;
	__u32 zero = 0;
	char *data = NULL;
	size_t len = 0;
	int r;

	if (bpf_map_update_elem(kern->map_fd[MAP_IDENTIFY_REQ], &zero, &request, BPF_ANY))
		return error_errno(err, -errno, "cannot ask the kernel for file identities");
	fd = open_iterator(kern, tgid);
	if (fd < 0)
		return error_errno(err, fd, "cannot iterate over the files of process %d", tgid);
	r = read_all(fd, &data, &len);
	if (r)
		return error_errno(err, r, "cannot read the file identities of process %d", tgid);
	*ret_identities = (struct identity *)data;
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
