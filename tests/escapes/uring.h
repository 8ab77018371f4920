/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* io_uring without its library: one request at a time. */
#ifndef JOBCAGE_TESTS_URING_H
#define JOBCAGE_TESTS_URING_H

#include <linux/io_uring.h>

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqes;
};

enum { RING_PLAIN, RING_POLLED }; /* polled: a kernel thread takes the requests */

/* All return 0 (or what the request returned) or -errno. */
int ring_open(struct ring *ring, int kind);

/* The same for a ring that somebody else made: its parameters are those of a ring of the same kind. */
int ring_adopt(struct ring *ring, int fd, int kind);

/* Hands in a request and waits for its result. */
int ring_do(struct ring *ring, struct io_uring_sqe request);

#endif
