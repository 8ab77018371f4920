/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One epoll, and who is to be told what is ready.
 *
 * One event is taken at a time: what a handler frees can never be the subject of another event of
 * the same batch, and the kernel itself is fair among the ready ones.
 */
#ifndef JOBCAGE_DAEMON_LOOP_H
#define JOBCAGE_DAEMON_LOOP_H

#include <stdint.h>

struct loop_source;

typedef void (*loop_fn)(void *arg);

/* A descriptor and its handler. Borrowed by the loop until loop_remove(). */
struct loop_source {
	int fd; /* -1: not in the loop */
	loop_fn fn;
	void *arg;
};

#define LOOP_SOURCE_NONE \
	{                \
		.fd = -1 \
	}

/* Returns a descriptor to close, or -errno. */
int loop_new(void);

/* events: EPOLLIN and the like. The descriptor stays the caller's. Returns 0 or -errno. */
int loop_add(int loop_fd, struct loop_source *source, int fd, uint32_t events, loop_fn fn,
	     void *arg);
void loop_remove(int loop_fd, struct loop_source *source);

/* Waits for one event, at most timeout_ms, and has it handled. Returns 0 or -errno. */
int loop_step(int loop_fd, int timeout_ms);

#endif
