// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A test that always fails: tools/test runs it to prove that it would notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_fails(void **state)
{
	(void)state;
	assert_int_equal(1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fails) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
