// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where a policy's paths lead: which rule is the nearest, that repeats are dropped and nothing else is,
 * and that what is held open counts, as long as it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/resource.h>

#include "kern/places.h"
#include "policy_fixture.h"

#define TEXT_MAX (256 * 1024)
#define ALICE 1001

/* How many folders /, the temporary one and the test's own are. */
#define ABOVE 3

/* A policy with so many rules, each for a directory of that name and number, which are made. */
static struct policy *policy_of(const char *name, unsigned int cnt, uid_t owner)
{
	_cleanup_free_ char *text = malloc(TEXT_MAX);
	size_t len = sprintf(text, "{\"version\": 1, \"name\": \"p\", \"filesystem\": {\"rules\": [");
	struct policy *policy;

	for (unsigned int i = 0; i < cnt; i++) {
		char dir[64];

		snprintf(dir, sizeof(dir), "%s%u", name, i);
		assert_true(!mkdir(dir, 0755) || errno == EEXIST);
		len += sprintf(text + len, "%s{\"path\": \"%s/%s\", \"access\": \"read\"}",
			       i ? ", " : "", folder, dir);
	}
	sprintf(text + len, "]}}");
	policy = parse_good(text, NULL);
	policy->owner = owner;
	return policy;
}

/* Returns the places, or NULL if they are refused with that code. */
static struct places *walk(struct policy *policy, int code)
{
	struct error err = { 0 };
	struct places *places = places_walk(policy, &err);

	policy_free(policy);
	assert_non_null(places);
	assert_int_equal(places_check(places, &err), code);
	if (!code)
		return places;
	places_free(places);
	return NULL;
}

static void ancestors_are_held_once(void **state)
{
	struct places *places = walk(policy_of("a", 500, 0), 0);
	size_t rule_cnt = 0;

	(void)state;
	assert_int_equal(places->cnt, 500 + ABOVE);
	for (size_t i = 0; i < places->cnt; i++) {
		assert_true(places->items[i].fd >= 0);
		rule_cnt += places->items[i].rule != NULL;
	}
	assert_int_equal(rule_cnt, 500);
	places_free(places);
}

static void own_paths_stay(void **state)
{
	struct places *places = walk(policy_of("a", 100, 0), 0);
	const char *const own[] = { "/", folder, NULL };
	size_t own_cnt = 0;

	(void)state;
	/* Growing drops what is repeated: enough for it to grow. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(places_add_own(places, own, NULL), 0);
	for (size_t i = 0; i < places->cnt; i++)
		own_cnt += places->items[i].is_own;
	assert_int_equal(own_cnt, 200);
	places_free(places);
}

static void limit_files(rlim_t cnt)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = cnt;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A sixteenth for one user, half for all. */
static void user_has_a_share(void **state)
{
	struct places *users, *roots;

	(void)state;
	limit_files(1024);
	walk(policy_of("a", 64, ALICE), -EBUSY);
	users = walk(policy_of("a", 30, ALICE), 0);
	walk(policy_of("b", 30, ALICE), -EBUSY);
	roots = walk(policy_of("b", 200, 0), 0);
	walk(policy_of("c", 400, 0), -EBUSY);
	places_free(roots);
	places_free(users);
	places_free(walk(policy_of("b", 30, ALICE), 0));
	places_free(walk(policy_of("c", 400, 0), 0));
}

/* Where the descriptors went on living: a part of the claim is not given back with the places. */
static void what_is_kept_counts(void **state)
{
	struct places *places = walk(policy_of("a", 30, ALICE), 0);
	size_t kept = places->claimed;

	(void)state;
	places->claimed = 0;
	places_free(places);
	walk(policy_of("b", 30, ALICE), -EBUSY);
	places_let_go(ALICE, kept);
	places_free(walk(policy_of("b", 30, ALICE), 0));
}

static struct policy *policy_by(const char *rules)
{
	_cleanup_free_ char *text = NULL;

	assert_true(asprintf(&text,
			     "{\"version\": 1, \"name\": \"p\", \"filesystem\": {\"rules\": [%s]}}",
			     rules) > 0);
	return parse_good(text, NULL);
}

/* A link is judged by the nearest rule above it, however many others there are. */
static void nearest_rule_decides(void **state)
{
	static const struct {
		const char *outer, *inner;
		int code;
	} rows[] = {
		{ "read", "read", 0 },
		{ "write", "read", 0 },
		{ "read", "write", -EINVAL },
		{ "write", "write", -EINVAL },
	};

	(void)state;
	assert_int_equal(mkdir("o", 0755), 0);
	assert_int_equal(mkdir("o/i", 0755), 0);
	assert_int_equal(mkdir("o-x", 0755), 0);
	assert_int_equal(mkdir("t", 0755), 0);
	assert_int_equal(symlink("../../t", "o/i/link"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *rules = NULL;

		assert_true(asprintf(&rules,
				     "{\"path\": \"%s/o\", \"access\": \"%s\"}, "
				     "{\"path\": \"%s/o/i\", \"access\": \"%s\"}, "
				     "{\"path\": \"%s/o-x\", \"access\": \"write\"}, "
				     "{\"path\": \"%s/o/i/link\", \"access\": \"read\"}",
				     folder, rows[i].outer, folder, rows[i].inner, folder,
				     folder) > 0);
		places_free(walk(policy_by(rules), rows[i].code));
	}
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(ancestors_are_held_once), IN_FOLDER(own_paths_stay),
		IN_FOLDER(nearest_rule_decides),    IN_FOLDER(user_has_a_share),
		IN_FOLDER(what_is_kept_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
