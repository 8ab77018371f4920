/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets that clients have left descriptors in, which nobody may close who has something else to do.
 *
 * The last close() of a descriptor can wait for whoever serves its file, uninterruptibly, and in a
 * thread of the daemon keep even a killed daemon from letting go of its locks. So processes are made
 * that have nothing but such sockets, and end. Each that does not come to its end makes the next
 * wait for twice as many, so that a client cannot have any number of them.
 */
#ifndef JOBCAGE_DAEMON_DISCARD_H
#define JOBCAGE_DAEMON_DISCARD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DISCARDERS_MAX 16

struct discard {
	int *fds; /* owned, also what they stand for */
	size_t cnt, room;
	pid_t discarders[DISCARDERS_MAX];
	size_t discarder_cnt;
	int64_t due_ms; /* CLOCK_MONOTONIC */
};

/* Takes the descriptor. */
void discard_add(struct discard *discard, int fd);

/* Has a process close them, if it is time. Returns ms until it may be again, or -1. */
int64_t discard_tick(struct discard *discard, int64_t now);

/* Whatever the time. */
void discard_now(struct discard *discard);

#endif
