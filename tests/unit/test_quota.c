// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shares: of one user, of all users, of all; what is given back is there again, and can be waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/quota.h"

#define ALICE 1001
#define BOB 1002
#define CAROL 1003

static const struct quota_limits limits = { .of_user = 10, .of_users = 15, .of_all = 20 };

static int take(struct quota *quota, uid_t uid, size_t cnt)
{
	return quota_take(quota, uid, cnt, &limits, 0);
}

static void one_user(void **state)
{
	struct quota quota = QUOTA_NONE;

	(void)state;
	assert_int_equal(take(&quota, ALICE, 7), 0);
	assert_int_equal(take(&quota, ALICE, 4), -EDQUOT);
	assert_int_equal(take(&quota, ALICE, SIZE_MAX), -EDQUOT);
	assert_int_equal(take(&quota, ALICE, 3), 0);
	assert_int_equal(take(&quota, ALICE, 0), 0);
	assert_int_equal(take(&quota, ALICE, 1), -EDQUOT);
	assert_int_equal(take(&quota, BOB, 1), 0);
	quota_return(&quota, ALICE, 2);
	assert_int_equal(take(&quota, ALICE, 2), 0);
	assert_int_equal(take(&quota, ALICE, 1), -EDQUOT);
	free(quota.users);
}

static void all_users(void **state)
{
	struct quota quota = QUOTA_NONE;

	(void)state;
	assert_int_equal(take(&quota, ALICE, 10), 0);
	assert_int_equal(take(&quota, BOB, 6), -EBUSY);
	assert_int_equal(take(&quota, BOB, 5), 0);
	assert_int_equal(take(&quota, CAROL, 1), -EBUSY);
	/* What is left is root's, and what root has takes nothing from users. */
	assert_int_equal(take(&quota, 0, 6), -EBUSY);
	assert_int_equal(take(&quota, 0, 5), 0);
	quota_return(&quota, ALICE, 10);
	assert_int_equal(take(&quota, CAROL, 10), 0);
	free(quota.users);
}

static void root_has_no_share(void **state)
{
	struct quota quota = QUOTA_NONE;

	(void)state;
	assert_int_equal(take(&quota, 0, 20), 0);
	assert_int_equal(take(&quota, ALICE, 1), -EBUSY);
	quota_return(&quota, 0, 20);
	assert_int_equal(quota.user_cnt, 0);
	free(quota.users);
}

/* Who holds nothing is not remembered, in whatever order they let go. */
static void many_users(void **state)
{
	struct quota quota = QUOTA_NONE;
	const struct quota_limits wide = { .of_user = 2, .of_users = 1000, .of_all = 1000 };

	(void)state;
	for (uid_t uid = 1; uid <= 100; uid++)
		assert_int_equal(quota_take(&quota, uid, 2, &wide, 0), 0);
	for (int uid = 100; uid >= 1; uid -= 3) {
		assert_int_equal(quota_take(&quota, uid, 1, &wide, 0), -EDQUOT);
		quota_return(&quota, uid, 2);
		assert_int_equal(quota_take(&quota, uid, 1, &wide, 0), 0);
		quota_return(&quota, uid, 1);
	}
	assert_int_equal(quota.user_cnt, 66);
	assert_int_equal(quota.cnt, 2 * 66);
	free(quota.users);
}

static void *return_later(void *quota)
{
	usleep(50000);
	quota_return(quota, ALICE, 1);
	return NULL;
}

static void waits_for_it(void **state)
{
	struct quota quota = QUOTA_NONE;
	pthread_t thread;
	int64_t start = clock_ms(CLOCK_MONOTONIC), took;

	(void)state;
	assert_int_equal(take(&quota, ALICE, 10), 0);
	assert_int_equal(quota_take(&quota, ALICE, 1, &limits, 100), -EDQUOT);
	took = clock_ms(CLOCK_MONOTONIC) - start;
	assert_in_range(took, 99, 5000);
	assert_int_equal(pthread_create(&thread, NULL, return_later, &quota), 0);
	assert_int_equal(quota_take(&quota, ALICE, 1, &limits, 10000), 0);
	pthread_join(thread, NULL);
	free(quota.users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_user),   cmocka_unit_test(all_users),
		cmocka_unit_test(many_users), cmocka_unit_test(root_has_no_share),
		cmocka_unit_test(waits_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
