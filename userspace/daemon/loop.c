// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One epoll; see loop.h. */
#include "daemon/loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

int loop_new(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int loop_add(int loop_fd, struct loop_source *source, int fd, uint32_t events, loop_fn fn,
	     void *arg)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	*source = (struct loop_source){ .fd = fd, .fn = fn, .arg = arg };
	return 0;
}

void loop_remove(int loop_fd, struct loop_source *source)
{
	if (source->fd >= 0)
		epoll_ctl(loop_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = -1;
}

int loop_step(int loop_fd, int timeout_ms)
{
	struct loop_source *source;
	struct epoll_event event;
	int n = epoll_wait(loop_fd, &event, 1, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n)
		return 0;
	source = event.data.ptr;
	source->fn(source->arg);
	return 0;
}
