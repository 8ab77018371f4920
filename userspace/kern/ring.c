// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reading a job's ring; see ring.h. */
#include "kern/ring.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>

#include "abi/event.h"
#include "base/cleanup.h"
#include "kern/jobs.h"

struct ring {
	struct ring_buffer *buffer;
	struct job_label label;
	ring_record_fn fn;
	void *arg;
	size_t left; /* records that may still be taken in this call */
};

/* More records than a ring can hold at once. */
#define RECORDS_MAX (RING_SIZE / sizeof(struct event) + 1)

/* Ends ring_buffer__consume(), which has taken the record by then. */
#define ENOUGH (-ECANCELED)

/* A ring outlives its job: what the slot's last one left in it is not this job's. */
static bool is_of_another_job(const struct ring *ring, const void *data, size_t len)
{
	const struct event *event = data;

	return len >= sizeof(*event) && (event->slot != ring->label.slot ||
					 event->generation != ring->label.generation);
}

static int on_sample(void *ctx, void *data, size_t len)
{
	struct ring *ring = ctx;

	if (!is_of_another_job(ring, data, len))
		ring->fn(ring->arg, data, len);
	return --ring->left ? 0 : ENOUGH;
}

/* The id of the ring of the job's slot, or 0. The map of maps is not asked: before 6.8 that waits. */
static __u32 ring_id(const struct kern *kern, struct job_label label)
{
	if (label.slot >= JOB_SLOTS || kern->jobs[label.slot].force.generation != label.generation)
		return 0;
	return kern->jobs[label.slot].ring_id;
}

int ring_open(struct kern *kern, struct job_label label, ring_record_fn fn, void *arg,
	      struct error *err, struct ring **ret_ring)
{
	_cleanup_free_ struct ring *ring = calloc(1, sizeof(*ring));
	_cleanup_fd_ int fd = -1;
	__u32 id = ring_id(kern, label);

	if (!ring)
		return error_errno(err, -ENOMEM, "cannot open the job's ring");
	if (!id)
		return error_errno(err, -ENOENT, "the job's slot has no ring");
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return error_errno(err, -errno, "cannot open the job's ring");
	ring->label = label;
	ring->fn = fn;
	ring->arg = arg;
	ring->buffer = ring_buffer__new(fd, on_sample, ring, NULL);
	if (!ring->buffer)
		return error_errno(err, -errno, "cannot map the job's ring");
	*ret_ring = TAKE_PTR(ring);
	return 0;
}

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	ring_buffer__free(ring->buffer);
	free(ring);
}

int ring_fd(const struct ring *ring)
{
	return ring_buffer__epoll_fd(ring->buffer);
}

/* libbpf takes records as long as there are any: as long as a job likes, if it is quicker. */
int ring_take(struct ring *ring, size_t max)
{
	int r;

	ring->left = max;
	r = ring_buffer__consume(ring->buffer);
	if (r < 0 && r != ENOUGH)
		return r;
	return !ring->left;
}

int ring_drain(struct ring *ring)
{
	int r = ring_take(ring, RECORDS_MAX);

	return r < 0 ? r : 0;
}

int ring_drain_to(struct ring *ring, ring_record_fn fn, void *arg)
{
	ring_record_fn own_fn = ring->fn;
	void *own_arg = ring->arg;
	int r;

	ring->fn = fn;
	ring->arg = arg;
	r = ring_drain(ring);
	ring->fn = own_fn;
	ring->arg = own_arg;
	return r;
}
