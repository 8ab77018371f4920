// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Whose turn it is at the daemon's socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/turns.h"

#define GREEDY 1000
#define MODEST 1001

static void of_one_user_in_their_order(void **state)
{
	struct turns turns = { 0 };
	uint64_t first = turns_first(&turns, GREEDY);

	(void)state;
	assert_true(first > 0);
	turns_serve(&turns, GREEDY, first);
	assert_true(turns_first(&turns, GREEDY) > first);
}

/* Of three that wait the second is being done: whoever comes now is before the third. */
static void a_newcomer_is_before_the_next_of_another(void **state)
{
	struct turns turns = { 0 };
	uint64_t first = turns_first(&turns, GREEDY);

	(void)state;
	turns_serve(&turns, GREEDY, first);
	turns_serve(&turns, GREEDY, first + 1);
	assert_true(turns_first(&turns, MODEST) < first + 2);
}

/* Who rested has not saved up turns. */
static void a_newcomer_has_one_turn_not_many(void **state)
{
	struct turns turns = { 0 };
	uint64_t first;

	(void)state;
	turns_serve(&turns, MODEST, 1);
	turns_serve(&turns, GREEDY, 100);
	first = turns_first(&turns, MODEST);
	assert_true(first >= 100);
	turns_serve(&turns, MODEST, first);
	assert_true(turns_first(&turns, MODEST) > first);
	assert_true(turns_first(&turns, GREEDY) <= turns_first(&turns, MODEST));
}

/* The oldest is forgotten, who then is a newcomer. */
static void more_users_than_are_remembered(void **state)
{
	struct turns turns = { 0 };

	(void)state;
	for (uid_t uid = 0; uid <= TURNS_USERS_MAX; uid++)
		turns_serve(&turns, uid, 7);
	assert_int_equal(turns_first(&turns, 0), 7);
	assert_int_equal(turns_first(&turns, 1), 8);
	assert_int_equal(turns_first(&turns, TURNS_USERS_MAX), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_one_user_in_their_order),
		cmocka_unit_test(a_newcomer_is_before_the_next_of_another),
		cmocka_unit_test(a_newcomer_has_one_turn_not_many),
		cmocka_unit_test(more_users_than_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
