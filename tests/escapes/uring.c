// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See uring.h. */
#include "uring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IDLE_MS 2000
#define PATIENCE 2000 /* looks, of a millisecond each */

static int map(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	size_t size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	ring->rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(*ring->sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			  IORING_OFF_SQES);
	return ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED ? -errno : 0;
}

static int set_up(struct ring *ring, int kind)
{
	memset(ring, 0, sizeof(*ring));
	if (kind == RING_POLLED) {
		ring->params.flags = IORING_SETUP_SQPOLL;
		ring->params.sq_thread_idle = IDLE_MS;
	}
	ring->fd = syscall(SYS_io_uring_setup, 4, &ring->params);
	return ring->fd < 0 ? -errno : 0;
}

int ring_open(struct ring *ring, int kind)
{
	return set_up(ring, kind) ?: map(ring);
}

int ring_adopt(struct ring *ring, int fd, int kind)
{
	int r = set_up(ring, kind);

	if (r)
		return r;
	close(ring->fd);
	ring->fd = fd;
	return map(ring);
}

static unsigned int *word(struct ring *ring, unsigned int offset)
{
	return (unsigned int *)(ring->rings + offset);
}

/* A thread that has fallen asleep must be woken. */
static int submit(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;

	if (!(p->flags & IORING_SETUP_SQPOLL))
		return syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 ? -errno : 0;
	if (!(__atomic_load_n(word(ring, p->sq_off.flags), __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
		return 0;
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0) < 0 ? -errno : 0;
}

int ring_do(struct ring *ring, struct io_uring_sqe request)
{
	struct io_uring_params *p = &ring->params;
	unsigned int tail = *word(ring, p->sq_off.tail), slot = tail & *word(ring, p->sq_off.ring_mask);
	unsigned int head = *word(ring, p->cq_off.head);
	struct io_uring_cqe *cqes = (void *)(ring->rings + p->cq_off.cqes);
	int r;

	ring->sqes[slot] = request;
	word(ring, p->sq_off.array)[slot] = slot;
	__atomic_store_n(word(ring, p->sq_off.tail), tail + 1, __ATOMIC_SEQ_CST);
	r = submit(ring);
	if (r)
		return r;
	for (int i = 0; __atomic_load_n(word(ring, p->cq_off.tail), __ATOMIC_ACQUIRE) == head; i++) {
		if (i == PATIENCE)
			return -ETIMEDOUT;
		usleep(1000);
	}
	r = cqes[head & *word(ring, p->cq_off.ring_mask)].res;
	__atomic_store_n(word(ring, p->cq_off.head), head + 1, __ATOMIC_RELEASE);
	return r;
}
