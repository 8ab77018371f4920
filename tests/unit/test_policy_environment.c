// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A policy's environment: what it comes to, over several files too, and every mistake in it at its
 * place. The canonical form is tested here for the limits too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\",\n"
#define ENVIRONMENT(members) HEAD "\"environment\": {" members "}}"
#define LIMITS(members) HEAD "\"limits\": {" members "}}"
#define MUST(place, text) "p.json:" place ": error: " text "\n"

static const char everything[] =
	HEAD "\"datasets\": [{\"name\": \"digits\", \"access\": \"read\"}],\n"
	     "\"environment\": {\n"
	     "\"private\": [\"/tmp/\", \"/dev/shm\"],\n"
	     "\"scratch\": \"/scratch\",\n"
	     "\"hide\": [\"/root\", \"/home\"],\n"
	     "\"read_only_datasets\": true,\n"
	     "\"variables\": {\"keep\": [\"SLURM_*\", \"PATH\"],\n"
	     "\"set\": {\"OMP_NUM_THREADS\": \"8\", \"HOME\": \"/scratch\"}},\n"
	     "\"directory\": \"/scratch\"},\n"
	     "\"limits\": {\"runtime\": \"1h30m\", \"processes\": 4096, \"scratch\": \"20GiB\"}}";

static void assert_path(const struct environment *environment, size_t i, const char *path,
			enum env_path_kind kind, unsigned int line, unsigned int column)
{
	const struct env_path *item = &environment->paths[i];

	assert_string_equal(item->path, path);
	assert_int_equal(item->kind, kind);
	assert_string_equal(item->origin.file, "p.json");
	assert_int_equal(item->origin.line, line);
	assert_int_equal(item->origin.column, column);
}

static void as_written(void **state)
{
	struct policy *policy = parse_good(everything, &test_site);
	const struct environment *environment = &policy->environment;

	(void)state;
	assert_true(environment->is_present);
	assert_int_equal(environment->path_cnt, 5);
	assert_path(environment, 0, "/dev/shm", ENV_PRIVATE, 4, 22);
	assert_path(environment, 1, "/home", ENV_HIDDEN, 6, 19);
	assert_path(environment, 2, "/root", ENV_HIDDEN, 6, 10);
	assert_path(environment, 3, "/scratch", ENV_SCRATCH, 5, 12);
	assert_path(environment, 4, "/tmp", ENV_PRIVATE, 4, 13);
	assert_true(environment->are_datasets_read_only);
	assert_true(environment->is_filtered);
	assert_int_equal(environment->keep_cnt, 2);
	assert_string_equal(environment->keep[0], "PATH");
	assert_string_equal(environment->keep[1], "SLURM_*");
	assert_int_equal(environment->set_cnt, 2);
	assert_string_equal(environment->set[0].name, "HOME");
	assert_string_equal(environment->set[0].value, "/scratch");
	assert_string_equal(environment->set[1].name, "OMP_NUM_THREADS");
	assert_string_equal(environment->set[1].value, "8");
	assert_string_equal(environment->directory, "/scratch");
	assert_int_equal(environment->directory_origin.line, 10);
	assert_int_equal(policy->limits.runtime_ms, 90 * 60 * 1000);
	assert_int_equal(policy->limits.processes, 4096);
	assert_int_equal(policy->limits.scratch_bytes, 20ULL << 30);
	policy_free(policy);
}

/* The form itself is a promise: digests are kept in audit records. */
static void canonical_form(void **state)
{
	struct policy *policy = parse_good(everything, &test_site);

	(void)state;
	assert_non_null(strstr(
		policy->canonical,
		"\"environment\":{\"directory\":\"/scratch\",\"hide\":[\"/home\",\"/root\"],"
		"\"private\":[\"/dev/shm\",\"/tmp\"],\"read_only_datasets\":true,"
		"\"scratch\":\"/scratch\",\"variables\":{\"keep\":[\"PATH\",\"SLURM_*\"],"
		"\"set\":{\"HOME\":\"/scratch\",\"OMP_NUM_THREADS\":\"8\"}}},"));
	assert_non_null(strstr(policy->canonical,
			       "\"limits\":{\"processes\":4096,\"runtime\":\"5400s\","
			       "\"scratch\":\"21474836480B\"},"));
	policy_free(policy);
}

static void assert_same_environment(const struct environment *a, const struct environment *b)
{
	assert_int_equal(a->is_present, b->is_present);
	assert_int_equal(a->path_cnt, b->path_cnt);
	for (size_t i = 0; i < a->path_cnt; i++) {
		assert_string_equal(a->paths[i].path, b->paths[i].path);
		assert_int_equal(a->paths[i].kind, b->paths[i].kind);
	}
	assert_int_equal(a->are_datasets_read_only, b->are_datasets_read_only);
	assert_int_equal(a->is_filtered, b->is_filtered);
	assert_int_equal(a->keep_cnt, b->keep_cnt);
	for (size_t i = 0; i < a->keep_cnt; i++)
		assert_string_equal(a->keep[i], b->keep[i]);
	assert_int_equal(a->set_cnt, b->set_cnt);
	for (size_t i = 0; i < a->set_cnt; i++) {
		assert_string_equal(a->set[i].name, b->set[i].name);
		assert_string_equal(a->set[i].value, b->set[i].value);
	}
	assert_string_equal(a->directory ? a->directory : "", b->directory ? b->directory : "");
}

static void assert_same_limits(const struct limits *a, const struct limits *b)
{
	assert_int_equal(a->runtime_ms, b->runtime_ms);
	assert_int_equal(a->processes, b->processes);
	assert_int_equal(a->scratch_bytes, b->scratch_bytes);
}

static void canonical_parses_back(void **state)
{
	static const char *const texts[] = {
		everything,
		ENVIRONMENT("\"variables\": {\"keep\": []}"),
		ENVIRONMENT("\"variables\": {\"set\": {\"A\": \"\"}}"),
		ENVIRONMENT("\"hide\": [\"/home\"], \"private\": [\"/home/j\"]"),
		ENVIRONMENT("\"read_only_datasets\": true"),
		ENVIRONMENT("\"directory\": \"/\""),
		LIMITS("\"runtime\": \"36500d\""),
		LIMITS("\"processes\": 1"),
		HEAD "\"environment\": {\"scratch\": \"/s\"}, "
		     "\"limits\": {\"scratch\": \"9223372036854775807B\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy *policy = parse_good(texts[i], &test_site);
		struct policy *again = parse_good(policy->canonical, NULL);

		assert_string_equal(policy->canonical, again->canonical);
		assert_string_equal(policy->digest, again->digest);
		assert_same_environment(&policy->environment, &again->environment);
		assert_same_limits(&policy->limits, &again->limits);
		policy_free(again);
		policy_free(policy);
	}
}

/* A controller reads what a user's client merged, but takes the site's word on datasets. */
static void canonical_parses_back_on_the_site(void **state)
{
	struct policy *policy = parse_good(everything, &test_site);
	struct policy *again = parse_good(policy->canonical, &test_site);

	(void)state;
	assert_string_equal(policy->canonical, again->canonical);
	policy_free(again);
	policy_free(policy);
	expect_parse_errors(HEAD "\"datasets\": [{\"name\": \"digits\", \"access\": \"write\",\n"
				 "\"path\": \"/srv/patients\"}]}", &test_site,
			    MUST("3:1", "a dataset's path is registered with the site; remove "
					"'path'"));
}

/* What asks for nothing changes nothing, so that digests of before stay. */
static void nothing_asked(void **state)
{
	static const char *const texts[] = {
		HEAD "\"environment\": {}, \"limits\": {}}",
		ENVIRONMENT("\"private\": [], \"hide\": [], \"read_only_datasets\": false, "
			    "\"variables\": {\"set\": {}}"),
	};
	struct policy *plain = parse_good(HEAD "\"mode\": \"enforce\"}", NULL), *policy;

	(void)state;
	assert_null(strstr(plain->canonical, "environment"));
	assert_null(strstr(plain->canonical, "limits"));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		policy = parse_good(texts[i], NULL);
		assert_false(policy->environment.is_present);
		assert_string_equal(policy->digest, plain->digest);
		policy_free(policy);
	}
	policy_free(plain);
}

static void every_part_counts_in_the_digest(void **state)
{
	static const char *const texts[] = {
		HEAD "\"mode\": \"enforce\"}",
		ENVIRONMENT("\"private\": [\"/a\"]"),
		ENVIRONMENT("\"hide\": [\"/a\"]"),
		ENVIRONMENT("\"scratch\": \"/a\""),
		ENVIRONMENT("\"directory\": \"/a\""),
		ENVIRONMENT("\"read_only_datasets\": true"),
		ENVIRONMENT("\"variables\": {\"keep\": []}"),
		ENVIRONMENT("\"variables\": {\"keep\": [\"A\"]}"),
		ENVIRONMENT("\"variables\": {\"set\": {\"A\": \"\"}}"),
		ENVIRONMENT("\"variables\": {\"set\": {\"A\": \"1\"}}"),
		LIMITS("\"runtime\": \"1s\""),
		LIMITS("\"processes\": 1"),
	};
	struct policy *policies[ARRAY_SIZE(texts)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		policies[i] = parse_good(texts[i], NULL);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(policies[i]->digest, policies[j]->digest);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		policy_free(policies[i]);
}

/* Several files */

static void files_add_up(void **state)
{
	struct policy *policy;
	const struct environment *environment;

	(void)state;
	write_file("base.json", "{\"version\": 1, \"environment\": {\n"
				"\"private\": [\"/tmp\", \"/dev/shm\"], \"scratch\": \"/old\",\n"
				"\"hide\": [\"/home\", \"/srv/x\"], \"directory\": \"/old\",\n"
				"\"read_only_datasets\": true, \"variables\": {\"keep\": [\"A\", \"B\"],\n"
				"\"set\": {\"X\": \"1\", \"Y\": \"1\"}}},\n"
				"\"limits\": {\"runtime\": \"1h\", \"processes\": 5}}");
	write_file("p.json", HEAD "\"extends\": [\"base.json\"], \"environment\": {\n"
				  "\"private\": [\"/srv/x\", \"/tmp\"],\n"
				  "\"scratch\": \"/new\", \"directory\": \"/\",\n"
				  "\"variables\": {\"keep\": [\"B\", \"C*\"], \"set\": {\"Y\": \"2\"}}},\n"
				  "\"limits\": {\"processes\": 7}}");
	policy = load_good("p.json", NULL);
	environment = &policy->environment;
	assert_int_equal(environment->path_cnt, 5);
	assert_string_equal(environment->paths[0].path, "/dev/shm");
	assert_string_equal(environment->paths[0].origin.file, "base.json");
	assert_string_equal(environment->paths[1].path, "/home");
	assert_path(environment, 2, "/new", ENV_SCRATCH, 4, 12);
	assert_path(environment, 3, "/srv/x", ENV_PRIVATE, 3, 13);
	assert_path(environment, 4, "/tmp", ENV_PRIVATE, 3, 23);
	assert_true(environment->are_datasets_read_only);
	assert_int_equal(environment->keep_cnt, 3);
	assert_string_equal(environment->keep[2], "C*");
	assert_int_equal(environment->set_cnt, 2);
	assert_string_equal(environment->set[0].value, "1");
	assert_string_equal(environment->set[1].value, "2");
	assert_string_equal(environment->directory, "/");
	assert_int_equal(policy->limits.runtime_ms, 3600 * 1000);
	assert_int_equal(policy->limits.processes, 7);
	policy_free(policy);
}

/* A path that was the scratch may become another thing in the file that names a new scratch. */
static void scratch_moves(void **state)
{
	struct policy *policy;

	(void)state;
	write_file("base.json", "{\"version\": 1, \"environment\": {\"scratch\": \"/s\"}}");
	write_file("p.json", HEAD "\"extends\": [\"base.json\"],\n\"environment\": "
				  "{\"hide\": [\"/s\"], \"scratch\": \"/t\"}}");
	policy = load_good("p.json", NULL);
	assert_int_equal(policy->environment.path_cnt, 2);
	assert_path(&policy->environment, 0, "/s", ENV_HIDDEN, 3, 26);
	assert_path(&policy->environment, 1, "/t", ENV_SCRATCH, 3, 44);
	policy_free(policy);
	write_file("p.json", HEAD "\"extends\": [\"base.json\"],\n\"environment\": "
				  "{\"scratch\": \"/s\"}}");
	policy = load_good("p.json", NULL);
	assert_int_equal(policy->environment.path_cnt, 1);
	assert_path(&policy->environment, 0, "/s", ENV_SCRATCH, 3, 28);
	policy_free(policy);
}

static void mistakes_over_files(void **state)
{
	(void)state;
	write_file("base.json", "{\"version\": 1, \"environment\": {\n\"private\": [\"/tmp\"]},\n"
				"\"filesystem\": {\"rules\": [\n"
				"{\"path\": \"/tmp/x\", \"access\": \"read\"}]}}");
	write_file("p.json", HEAD "\"extends\": [\"base.json\"],\n\"environment\": "
				  "{\"hide\": [\"/tmp/y\"]}}");
	expect_load_errors("p.json", NULL,
			   "p.json:3:26: error: path '/tmp/y' lies in '/tmp', which begins empty "
			   "already (base.json:2:13); remove one of the two\n"
			   "base.json:4:1: error: path '/tmp/x' is in the job's own '/tmp' "
			   "(base.json:2:13), which the job may write; remove the rule, or say "
			   "\"write\"\n");
}

/* Mistakes */

struct mistake {
	const char *text;
	const char *want;
};

static void check_all(const struct mistake *mistakes, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		expect_parse_errors(mistakes[i].text, &test_site, mistakes[i].want);
}

static void keys_and_types(void **state)
{
	static const struct mistake mistakes[] = {
		{ ENVIRONMENT("\"privat\": [], \"tmpfs\": 1"),
		  MUST("2:17", "unknown key 'privat'; did you mean 'private'?")
		  MUST("2:31", "unknown key 'tmpfs'; 'environment' has: private, scratch, hide, "
			       "read_only_datasets, variables, directory") },
		{ ENVIRONMENT("\"private\": \"/tmp\", \"scratch\": [], \"hide\": [7],\n"
			      "\"read_only_datasets\": 1, \"variables\": [], \"directory\": null"),
		  MUST("2:28", "'private' must be a list, not a string")
		  MUST("2:47", "'scratch' must be a string, not a list")
		  MUST("2:60", "a path must be a string, not a whole number")
		  MUST("3:23", "'read_only_datasets' must be true or false, not a whole number")
		  MUST("3:39", "'variables' must be an object, not a list")
		  MUST("3:56", "'directory' must be a string, not null") },
		{ HEAD "\"environment\": [], \"limits\": \"1h\"}",
		  MUST("2:16", "'environment' must be an object, not a list")
		  MUST("2:30", "'limits' must be an object, not a string") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void bad_paths(void **state)
{
	static const struct mistake mistakes[] = {
		{ ENVIRONMENT("\"private\": [\"/\", \"tmp\"], \"scratch\": \"//\",\n"
			      "\"hide\": [\"/a/..\", \"/\"], \"directory\": \"srv\""),
		  MUST("2:29", "the root of all files cannot be private")
		  MUST("2:34", "path 'tmp' is relative; paths begin with '/'")
		  MUST("2:53", "the root of all files cannot be the scratch")
		  MUST("3:10", "path '/a/..' has a '.' or '..'; write where it leads")
		  MUST("3:19", "the root of all files cannot be hidden")
		  MUST("3:38", "path 'srv' is relative; paths begin with '/'") },
		{ ENVIRONMENT("\"private\": [\"/a\", \"/a/\"], \"scratch\": \"/b\",\n"
			      "\"hide\": [\"/a\", \"/b\"]"),
		  MUST("2:35", "path '/a' is private already at p.json:2:29; keep one of the two")
		  MUST("3:10", "path '/a' is private already at p.json:2:29; keep one of the two")
		  MUST("3:16", "path '/b' is the scratch already at p.json:2:54; keep one of the "
			       "two") },
		{ ENVIRONMENT("\"private\": [\"/a\", \"/a/b\", \"/c\"],\n\"scratch\": \"/a/b/s\", "
			      "\"hide\": [\"/h\", \"/h/i\", \"/c/x\", \"/h-\"]"),
		  MUST("2:35", "path '/a/b' lies in '/a', which begins empty already "
			       "(p.json:2:29); remove one of the two")
		  MUST("3:12", "path '/a/b/s' lies in '/a/b', which begins empty already "
			       "(p.json:2:35); remove one of the two")
		  MUST("3:37", "path '/h/i' lies in '/h', which begins empty already "
			       "(p.json:3:31); remove one of the two")
		  MUST("3:45", "path '/c/x' lies in '/c', which begins empty already "
			       "(p.json:2:43); remove one of the two") },
		{ ENVIRONMENT("\"hide\": [\"/home\"], \"private\": [\"/home/j\", \"/home/j/k\"]"),
		  MUST("2:59", "path '/home/j/k' lies in '/home/j', which begins empty already "
			       "(p.json:2:48); remove one of the two") },
		{ ENVIRONMENT("\"private\": [\"/tmp\"],\n\"directory\": \"/tmp/x\""),
		  MUST("3:14", "directory '/tmp/x' lies in '/tmp', which begins empty "
			       "(p.json:2:29); the job can begin in '/tmp'") },
		{ ENVIRONMENT("\"hide\": [\"/home\"],\n\"directory\": \"/home/x\""),
		  MUST("3:14", "directory '/home/x' lies in '/home', which begins empty "
			       "(p.json:2:26); the job can begin in '/home'") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

static void against_the_rules(void **state)
{
	static const struct mistake mistakes[] = {
		{ HEAD "\"datasets\": [{\"name\": \"digits\", \"access\": \"read\"}],\n"
		       "\"environment\": {\"hide\": [\"/srv\"], \"scratch\": \"/srv/digits\"}}",
		  MUST("3:26", "path '/srv' cannot be hidden: dataset 'digits', which this policy "
			       "grants, is in it")
		  MUST("3:46", "path '/srv/digits' cannot be the scratch: dataset 'digits', which "
			       "this policy grants, is there") },
		{ HEAD "\"environment\": {\"private\": [\"/tmp\"], \"scratch\": \"/s\", "
		       "\"hide\": [\"/h\"]},\n\"filesystem\": {\"rules\": [\n"
		       "{\"path\": \"/tmp/x\", \"access\": \"none\"},\n"
		       "{\"path\": \"/s\", \"access\": \"read\"},\n"
		       "{\"path\": \"/h/x\", \"access\": \"read\"},\n"
		       "{\"path\": \"/tmp/y\", \"access\": \"write\"}]}}",
		  MUST("4:1", "path '/tmp/x' is in the job's own '/tmp' (p.json:2:29), which the "
			      "job may write; remove the rule, or say \"write\"")
		  MUST("5:1", "path '/s' is at the job's own '/s' (p.json:2:49), which the job may "
			      "write; remove the rule, or say \"write\"") },
		{ HEAD "\"environment\": {\"private\": [\"/tmp\"], \"hide\": [\"/h\"]},\n"
		       "\"filesystem\": {\"rules\": [\n"
		       "{\"path\": \"/tmp\", \"access\": \"write\", \"create\": true},\n"
		       "{\"path\": \"/h/x\", \"access\": \"write\", \"create\": true},\n"
		       "{\"path\": \"/o\", \"access\": \"write\", \"create\": true}]}}",
		  MUST("4:1", "path '/tmp' is at '/tmp' (p.json:2:29), which begins empty for the job: a "
			      "directory that is made on the host is nothing to it; remove 'create'")
		  MUST("5:1", "path '/h/x' is in '/h' (p.json:2:47), which begins empty for the job: a "
			      "directory that is made on the host is nothing to it; remove 'create'") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

#define BAD_VARIABLE(text) \
	"bad variable '" text "': a name (A-Z a-z 0-9 _, no digit first), or the beginning of " \
	"names and '*'"

static void bad_variables(void **state)
{
	static const struct mistake mistakes[] = {
		{ ENVIRONMENT("\"variables\": {\"keep\": [\"\", \"1A\", \"A-B\", \"*_PROXY\", "
			      "\"A**\", \"A=*\", 3]}"),
		  MUST("2:40", BAD_VARIABLE("")) MUST("2:44", BAD_VARIABLE("1A"))
		  MUST("2:50", BAD_VARIABLE("A-B")) MUST("2:57", BAD_VARIABLE("*_PROXY"))
		  MUST("2:68", BAD_VARIABLE("A**")) MUST("2:75", BAD_VARIABLE("A=*"))
		  MUST("2:82", "a variable must be a string, not a whole number") },
		{ ENVIRONMENT("\"variables\": {\"keep\": [\"A*\", \"_\", \"*\",\n\"A*\"]}"),
		  MUST("3:1", "'A*' is listed already at p.json:2:40; remove one of the two") },
		{ ENVIRONMENT("\"variables\": {\"set\": {\"\": \"\", \"A*\": \"\", \"2\": \"\", "
			      "\"N\": 8, \"O\": null}}"),
		  MUST("2:39", "bad variable '': A-Z a-z 0-9 _, no digit first")
		  MUST("2:47", "bad variable 'A*': A-Z a-z 0-9 _, no digit first")
		  MUST("2:57", "bad variable '2': A-Z a-z 0-9 _, no digit first")
		  MUST("2:71", "'N' must be a string, not a whole number")
		  MUST("2:79", "'O' must be a string, not null") },
		{ ENVIRONMENT("\"variables\": {\"unset\": []}"),
		  MUST("2:31", "unknown key 'unset'; did you mean 'set'?") },
	};

	(void)state;
	check_all(mistakes, ARRAY_SIZE(mistakes));
}

/* Whoever may bring a policy of his own cannot keep the reader busy by it. */
static void too_many(void **state)
{
	char text[8192];
	size_t len = (size_t)sprintf(text, HEAD "\"environment\": {\"private\": [");

	(void)state;
	for (int i = 0; i < 65; i++)
		len += (size_t)sprintf(text + len, "%s\"/p%d\"", i ? "," : "", i);
	sprintf(text + len, "]}}");
	expect_parse_errors(text, NULL, MUST("2:28", "'private' has 65 entries; at most 64"));
	len = (size_t)sprintf(text, HEAD "\"environment\": {\"hide\": [\n\"/h\"],\"private\": [");
	for (int i = 0; i < 64; i++)
		len += (size_t)sprintf(text + len, "%s\"/p%d\"", i ? "," : "", i);
	sprintf(text + len, "]}}");
	expect_parse_errors(text, NULL, MUST("3:1", "more than 64 entries, together with the files "
						    "that this policy extends"));
}

static void long_variable(void **state)
{
	_cleanup_free_ char *value = calloc(1, 131072), *text = NULL;

	(void)state;
	assert_non_null(value);
	memset(value, 'x', 131069); /* with "A=" and the NUL as much as fits */
	assert_true(asprintf(&text, ENVIRONMENT("\"variables\": {\"set\": {\"A\": \"%s\"}}"),
			     value) > 0);
	policy_free(parse_good(text, NULL));
	free(text);
	text = NULL;
	value[131069] = 'x';
	assert_true(asprintf(&text, ENVIRONMENT("\"variables\": {\"set\": {\"A\": \"%s\"}}"),
			     value) > 0);
	expect_parse_errors(text, NULL, MUST("2:44", "'A' needs 131073 bytes; a program takes "
						     "variables of at most 131072"));
}

/* For those who put it in force */

static void private_paths(void **state)
{
	struct policy *policy = parse_good(
		ENVIRONMENT("\"private\": [\"/tmp\", \"/home/j\"], \"scratch\": \"/s\", "
			    "\"hide\": [\"/home\"]"), NULL);
	struct policy *plain = parse_good(HEAD "\"mode\": \"enforce\"}", NULL);

	(void)state;
	assert_true(policy_path_is_private(policy, "/tmp"));
	assert_true(policy_path_is_private(policy, "/tmp/a/b"));
	assert_true(policy_path_is_private(policy, "/s"));
	assert_true(policy_path_is_private(policy, "/s/x"));
	assert_true(policy_path_is_private(policy, "/home/j/x"));
	assert_false(policy_path_is_private(policy, "/home"));
	assert_false(policy_path_is_private(policy, "/home/k"));
	assert_false(policy_path_is_private(policy, "/tmpx"));
	assert_false(policy_path_is_private(policy, "/srv"));
	assert_false(policy_path_is_private(policy, "/"));
	assert_false(policy_path_is_private(plain, "/tmp"));
	policy_free(plain);
	policy_free(policy);
}

static void kept_variables(void **state)
{
	struct policy *some = parse_good(
		ENVIRONMENT("\"variables\": {\"keep\": [\"PATH\", \"SLURM_*\"]}"), NULL);
	struct policy *none = parse_good(ENVIRONMENT("\"variables\": {\"keep\": []}"), NULL);
	struct policy *all = parse_good(ENVIRONMENT("\"variables\": {\"keep\": [\"*\"]}"), NULL);
	struct policy *open = parse_good(HEAD "\"mode\": \"enforce\"}", NULL);

	(void)state;
	assert_true(environment_keeps(&some->environment, "PATH"));
	assert_true(environment_keeps(&some->environment, "PATH=/bin"));
	assert_true(environment_keeps(&some->environment, "SLURM_=1"));
	assert_true(environment_keeps(&some->environment, "SLURM_JOB_ID=1"));
	assert_false(environment_keeps(&some->environment, "PATHS=/bin"));
	assert_false(environment_keeps(&some->environment, "PAT=H"));
	assert_false(environment_keeps(&some->environment, "SLURM=_"));
	assert_false(environment_keeps(&some->environment, ""));
	assert_false(environment_keeps(&none->environment, "PATH=/bin"));
	assert_true(environment_keeps(&all->environment, "BASH_FUNC_x%%=() {}"));
	assert_true(environment_keeps(&open->environment, "PATH=/bin"));
	policy_free(open);
	policy_free(all);
	policy_free(none);
	policy_free(some);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_written),
		cmocka_unit_test(canonical_form),
		cmocka_unit_test(canonical_parses_back),
		cmocka_unit_test(canonical_parses_back_on_the_site),
		cmocka_unit_test(nothing_asked),
		cmocka_unit_test(every_part_counts_in_the_digest),
		in_folder(files_add_up),
		in_folder(scratch_moves),
		in_folder(mistakes_over_files),
		cmocka_unit_test(keys_and_types),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(against_the_rules),
		cmocka_unit_test(bad_variables),
		cmocka_unit_test(too_many),
		cmocka_unit_test(long_variable),
		cmocka_unit_test(private_paths),
		cmocka_unit_test(kept_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
