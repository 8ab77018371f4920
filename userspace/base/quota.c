// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Shares of something; see quota.h. */
#include "base/quota.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

static struct quota_user *find_user(struct quota *quota, uid_t uid)
{
	for (size_t i = 0; i < quota->user_cnt; i++)
		if (quota->users[i].uid == uid)
			return &quota->users[i];
	return NULL;
}

static int add_user(struct quota *quota, uid_t uid, size_t cnt)
{
	if (quota->user_cnt == quota->room) {
		size_t room = quota->room ? 2 * quota->room : 16;
		struct quota_user *users = reallocarray(quota->users, room, sizeof(*quota->users));

		if (!users)
			return -ENOMEM;
		quota->users = users;
		quota->room = room;
	}
	quota->users[quota->user_cnt++] = (struct quota_user){ uid, cnt };
	return 0;
}

static size_t held_by(struct quota *quota, uid_t uid)
{
	const struct quota_user *user = find_user(quota, uid);

	return user ? user->cnt : 0;
}

/* Whether cnt more is no more than max, without a sum that overflows. */
static int check(size_t held, size_t cnt, size_t max, int failure)
{
	return cnt <= max && held <= max - cnt ? 0 : failure;
}

static int check_all(struct quota *quota, uid_t uid, size_t cnt, const struct quota_limits *limits)
{
	int r = uid ? check(held_by(quota, uid), cnt, limits->of_user, -EDQUOT) : 0;

	if (!r && uid)
		r = check(quota->cnt - held_by(quota, 0), cnt, limits->of_users, -EBUSY);
	return r ? r : check(quota->cnt, cnt, limits->of_all, -EBUSY);
}

static int take_now(struct quota *quota, uid_t uid, size_t cnt, const struct quota_limits *limits)
{
	struct quota_user *user = find_user(quota, uid);
	int r = check_all(quota, uid, cnt, limits);

	if (!r && user)
		user->cnt += cnt;
	else if (!r)
		r = add_user(quota, uid, cnt);
	if (!r)
		quota->cnt += cnt;
	return r;
}

static struct timespec time_in(int ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * 1000000L;
	if (ts.tv_nsec >= 1000000000L) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000L;
	}
	return ts;
}

int quota_take(struct quota *quota, uid_t uid, size_t cnt, const struct quota_limits *limits,
	       int wait_ms)
{
	struct timespec end = time_in(wait_ms);
	bool is_late = !wait_ms;
	int r;

	if (!cnt)
		return 0;
	pthread_mutex_lock(&quota->lock);
	r = take_now(quota, uid, cnt, limits);
	while ((r == -EDQUOT || r == -EBUSY) && !is_late) {
		is_late = pthread_cond_clockwait(&quota->returned, &quota->lock, CLOCK_MONOTONIC,
						 &end);
		r = take_now(quota, uid, cnt, limits);
	}
	pthread_mutex_unlock(&quota->lock);
	return r;
}

void quota_return(struct quota *quota, uid_t uid, size_t cnt)
{
	struct quota_user *user;

	if (!cnt)
		return;
	pthread_mutex_lock(&quota->lock);
	user = find_user(quota, uid);
	user->cnt -= cnt;
	quota->cnt -= cnt;
	if (!user->cnt)
		*user = quota->users[--quota->user_cnt];
	pthread_cond_broadcast(&quota->returned);
	pthread_mutex_unlock(&quota->lock);
}
