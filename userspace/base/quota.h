/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What all users share, and no one user may take: for any thread.
 */
#ifndef JOBCAGE_BASE_QUOTA_H
#define JOBCAGE_BASE_QUOTA_H

#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>

struct quota_user {
	uid_t uid;
	size_t cnt; /* never 0 */
};

struct quota {
	pthread_mutex_t lock;
	pthread_cond_t returned; /* something was given back */
	/* All that follows under the lock. */
	struct quota_user *users; /* who holds something; kept for the life of the process */
	size_t user_cnt, room;
	size_t cnt; /* of all */
};

#define QUOTA_NONE                                       \
	{                                                \
		.lock = PTHREAD_MUTEX_INITIALIZER,       \
		.returned = PTHREAD_COND_INITIALIZER,    \
	}

/* How much there may be. The first two do not hold for root, who is never locked out by others. */
struct quota_limits {
	size_t of_user, of_users, of_all;
};

/*
 * Takes cnt for the user, and waits up to so many ms for it. Returns 0; -EDQUOT: the user has too
 * much; -EBUSY: all together have; -ENOMEM.
 */
int quota_take(struct quota *quota, uid_t uid, size_t cnt, const struct quota_limits *limits,
	       int wait_ms);

/* Gives back what was taken for the user, or a part of it. */
void quota_return(struct quota *quota, uid_t uid, size_t cnt);

#endif
