// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Running a BPF iterator; see iter.h. */
#include "kern/iter.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

static int open_iterator(struct kern *kern, enum kern_prog prog, pid_t tgid)
{
	union bpf_iter_link_info info = { .task.pid = tgid };
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	_cleanup_fd_ int link_fd = -1;
	int fd;

	if (tgid != ITER_ALL) {
		opts.iter_info = &info;
		opts.iter_info_len = sizeof(info);
	}
	link_fd = bpf_link_create(kern->prog_fd[prog], 0, BPF_TRACE_ITER, &opts);
	if (link_fd < 0)
		return -errno;
	fd = bpf_iter_create(link_fd);
	return fd < 0 ? -errno : fd;
}

/* The kernel goes on with the iteration as far as it is read. */
static int read_all(int fd, size_t max, void **ret_data, size_t *ret_len)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0, room = 0;
	ssize_t n;

	do {
		if (len > max)
			return -E2BIG;
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

int iter_read(struct kern *kern, enum kern_prog prog, pid_t tgid, size_t max, void **ret_data,
	      size_t *ret_len)
{
	_cleanup_fd_ int fd = open_iterator(kern, prog, tgid);

	return fd < 0 ? fd : read_all(fd, max, ret_data, ret_len);
}
