// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reading a job's ring; see ring.h. */
#include "kern/ring.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "abi/event.h"
#include "base/cleanup.h"
#include "kern/jobs.h"

/*
 * libbpf's reader gives each record back to the kernel as soon as it is handed on. Here the reader
 * says when: what was not written yet must still be there for the next controller if this one is
 * killed. The layout is the kernel's: a page with the consumer's position, one with the producer's,
 * then the data, twice in a row so that no record is cut in two.
 */
struct ring {
	int fd;
	size_t size; /* of the data; a power of two */
	size_t page;
	unsigned long *consumer;
	const unsigned long *producer;
	const unsigned char *data;
	unsigned long taken; /* up to here records were handed on */
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

/* --- opening ---------------------------------------------------------------------------------- */

/* The id of the ring of the job's slot, or 0. The map of maps is not asked: before 6.8 that waits. */
static __u32 ring_id(const struct kern *kern, struct job_label label)
{
	if (label.slot >= JOB_SLOTS || kern->jobs[label.slot].force.generation != label.generation)
		return 0;
	return kern->jobs[label.slot].ring_id;
}

static int map_pages(struct ring *ring)
{
	struct bpf_map_info info = { 0 };
	__u32 info_len = sizeof(info);
	void *consumer, *rest;

	if (bpf_obj_get_info_by_fd(ring->fd, &info, &info_len))
		return -errno;
	ring->size = info.max_entries;
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	consumer = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	ring->consumer = consumer;
	rest = mmap(NULL, ring->page + 2 * ring->size, PROT_READ, MAP_SHARED, ring->fd,
		    (off_t)ring->page);
	if (rest == MAP_FAILED)
		return -errno;
	ring->producer = rest;
	ring->data = (const unsigned char *)rest + ring->page;
	ring->taken = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	return 0;
}

int ring_open(struct kern *kern, struct job_label label, ring_record_fn fn, void *arg,
	      struct error *err, struct ring **ret_ring)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	__u32 id = ring_id(kern, label);
	int r;

	if (!ring)
		return error_errno(err, -ENOMEM, "cannot open the job's ring");
	ring->label = label;
	ring->fn = fn;
	ring->arg = arg;
	ring->fd = id ? bpf_map_get_fd_by_id(id) : -1;
	if (!id)
		r = error_errno(err, -ENOENT, "the job's slot has no ring");
	else if (ring->fd < 0)
		r = error_errno(err, -errno, "cannot open the job's ring");
	else if ((r = map_pages(ring)))
		error_errno(err, r, "cannot map the job's ring");
	if (r) {
		ring_close(ring);
		return r;
	}
	*ret_ring = ring;
	return 0;
}

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	if (ring->producer)
		munmap((void *)ring->producer, ring->page + 2 * ring->size);
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	cleanup_fd(&ring->fd);
	free(ring);
}

int ring_fd(const struct ring *ring)
{
	return ring->fd;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* What a record of that header takes up: its length without the flags, a header, in eights. */
static unsigned long record_room(__u32 header)
{
	__u32 len = header & ~(__u32)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

	return (len + BPF_RINGBUF_HDR_SZ + 7UL) & ~7UL;
}

/* Returns whether there was a whole one. */
static bool take_one(struct ring *ring, size_t *cnt)
{
	const unsigned char *at = ring->data + (ring->taken & (ring->size - 1));
	__u32 header;

	if (ring->taken >= __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE))
		return false;
	header = __atomic_load_n((const __u32 *)(const void *)at, __ATOMIC_ACQUIRE);
	if (header & BPF_RINGBUF_BUSY_BIT)
		return false;
	/* Before it is handed on: whoever gets it may ask for the position behind it. */
	ring->taken += record_room(header);
	at += BPF_RINGBUF_HDR_SZ;
	if (header & BPF_RINGBUF_DISCARD_BIT || is_of_another_job(ring, at, header))
		return true;
	++*cnt;
	ring->fn(ring->arg, at, header);
	return true;
}

size_t ring_take(struct ring *ring, size_t max)
{
	size_t cnt = 0, seen = 0;

	while (cnt < max && seen++ < RECORDS_MAX && take_one(ring, &cnt))
		;
	return cnt;
}

void ring_release(struct ring *ring)
{
	__atomic_store_n(ring->consumer, ring->taken, __ATOMIC_RELEASE);
}

uint64_t ring_position(const struct ring *ring)
{
	return ring->taken;
}

void ring_skip_to(struct ring *ring, uint64_t position)
{
	if (position - ring->taken > ring->size ||
	    position > __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE))
		return;
	ring->taken = position;
	ring_release(ring);
}

void ring_drain_to(struct ring *ring, ring_record_fn fn, void *arg)
{
	ring_record_fn own_fn = ring->fn;
	void *own_arg = ring->arg;

	ring->fn = fn;
	ring->arg = arg;
	ring_take(ring, RECORDS_MAX);
	ring_release(ring);
	ring->fn = own_fn;
	ring->arg = own_arg;
}
