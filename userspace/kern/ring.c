// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reading a job's ring; see ring.h.
 *
 * Not through libbpf's ring_buffer, whose mappings cannot be named: those of a thousand jobs would be
 * copied, page by page, into every canary.
 */
#include "kern/ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/event.h"
#include "base/cleanup.h"
#include "kern/jobs.h"

/*
 * The kernel's layout (kernel/bpf/ringbuf.c): a page with the reader's position, which is the only one
 * that may be written; one with the writers'; then the records, mapped twice in a row, so that none
 * is cut. Positions only grow. Each record has a header and is rounded up to 8 bytes.
 */
struct ring {
	int fd;
	unsigned long *consumer;
	const unsigned long *producer;
	const char *data;
	struct job_label label;
	ring_record_fn fn;
	void *arg;
};

/* More records than a ring can hold at once. */
#define RECORDS_MAX (RING_SIZE / sizeof(struct event) + 1)

/* A ring outlives its job: what the slot's last one left in it is not this job's. */
static bool is_of_another_job(const struct ring *ring, const void *data, size_t len)
{
	const struct event *event = data;

	return len >= sizeof(*event) && (event->slot != ring->label.slot ||
					 event->generation != ring->label.generation);
}

/* The id of the ring of the job's slot, or 0. The map of maps is not asked: before 6.8 that waits. */
static __u32 ring_id(const struct kern *kern, struct job_label label)
{
	if (label.slot >= JOB_SLOTS || kern->jobs[label.slot].force.generation != label.generation)
		return 0;
	return kern->jobs[label.slot].ring_id;
}

void ring_close(struct ring *ring)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!ring)
		return;
	if (ring->producer)
		munmap((void *)ring->producer, page + 2 * RING_SIZE);
	if (ring->consumer)
		munmap(ring->consumer, page);
	cleanup_fd(&ring->fd);
	free(ring);
}

static void cleanup_ring(struct ring **ring)
{
	ring_close(*ring);
}

/* Not in children: the canary is none of the readers. */
static void *map(int fd, size_t size, int protection, off_t at)
{
	void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, at);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, size, MADV_DONTFORK);
	return memory;
}

static int map_ring(struct ring *ring)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *rest;

	ring->consumer = map(ring->fd, page, PROT_READ | PROT_WRITE, 0);
	rest = ring->consumer ? map(ring->fd, page + 2 * RING_SIZE, PROT_READ, page) : NULL;
	if (!rest)
		return -errno;
	ring->producer = (unsigned long *)rest;
	ring->data = rest + page;
	return 0;
}

int ring_open(struct kern *kern, struct job_label label, ring_record_fn fn, void *arg,
	      struct error *err, struct ring **ret_ring)
{
	_cleanup_(cleanup_ring) struct ring *ring = calloc(1, sizeof(*ring));
	__u32 id = ring_id(kern, label);
	int r;

	if (!ring)
		return error_errno(err, -ENOMEM, "cannot open the job's ring");
	*ring = (struct ring){ .fd = -1, .label = label, .fn = fn, .arg = arg };
	if (!id)
		return error_errno(err, -ENOENT, "the job's slot has no ring");
	ring->fd = bpf_map_get_fd_by_id(id);
	if (ring->fd < 0)
		return error_errno(err, -errno, "cannot open the job's ring");
	r = map_ring(ring);
	if (r)
		return error_errno(err, r, "cannot map the job's ring");
	*ret_ring = TAKE_PTR(ring);
	return 0;
}

int ring_fd(const struct ring *ring)
{
	return ring->fd;
}

/* Returns whether there was a record. One that is being written holds up those behind it. */
static bool take_one(struct ring *ring)
{
	unsigned long at = *ring->consumer;
	const char *record = ring->data + at % RING_SIZE;
	__u32 header, len;

	if (at >= __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE))
		return false;
	header = __atomic_load_n((const __u32 *)record, __ATOMIC_ACQUIRE);
	if (header & BPF_RINGBUF_BUSY_BIT)
		return false;
	len = header & ~BPF_RINGBUF_DISCARD_BIT;
	if (!(header & BPF_RINGBUF_DISCARD_BIT) &&
	    !is_of_another_job(ring, record + BPF_RINGBUF_HDR_SZ, len))
		ring->fn(ring->arg, record + BPF_RINGBUF_HDR_SZ, len);
	at += (len + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
	__atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
	return true;
}

void ring_take(struct ring *ring, size_t max)
{
	while (max-- && take_one(ring))
		;
}

void ring_drain(struct ring *ring)
{
	ring_take(ring, RECORDS_MAX);
}

void ring_drain_to(struct ring *ring, ring_record_fn fn, void *arg)
{
	ring_record_fn own_fn = ring->fn;
	void *own_arg = ring->arg;

	ring->fn = fn;
	ring->arg = arg;
	ring_drain(ring);
	ring->fn = own_fn;
	ring->arg = own_arg;
}
