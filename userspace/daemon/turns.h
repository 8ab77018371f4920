/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Users take turns: of each one request is done before the second of another, however many he has
 * waiting, because each may take seconds.
 *
 * A turn is a number: the lower, the sooner. Who has not asked lately begins with those who are being
 * served now, neither before them nor behind all that wait.
 */
#ifndef JOBCAGE_DAEMON_TURNS_H
#define JOBCAGE_DAEMON_TURNS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How many users' turns are remembered. */
#define TURNS_USERS_MAX 64

struct turn {
	uid_t uid;
	uint64_t number; /* 0: of nobody */
};

/* Begins with all zeros. */
struct turns {
	struct turn served[TURNS_USERS_MAX]; /* the last that each user had; a ring */
	size_t served_next;
	uint64_t now; /* the one that was served last */
};

/* The first that a user may have who has none waiting. */
uint64_t turns_first(const struct turns *turns, uid_t uid);

/* It is that user's turn now. */
void turns_serve(struct turns *turns, uid_t uid, uint64_t number);

#endif
