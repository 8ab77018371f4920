/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the policy tests share: files in a folder of their own, a site in memory, and diagnostics
 * as one text. A header alone, so that a test stays one file; include it after cmocka.h.
 */
#ifndef JOBCAGE_TESTS_POLICY_FIXTURE_H
#define JOBCAGE_TESTS_POLICY_FIXTURE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "policy/policy.h"
#include "policy/site.h"

static char folder[64];
static char folder_before[4096];

static struct dataset datasets[] = {
	{ .name = (char *)"digits", .path = (char *)"/srv/digits",
	  .origin = { "site.json", 2, 1 } },
	{ .name = (char *)"patients", .path = (char *)"/srv/patients",
	  .origin = { "site.json", 3, 1 } },
};

/* "digits" at /srv/digits and "patients" at /srv/patients, from site.json:2 and 3. */
static const struct site test_site __attribute__((unused)) = {
	.file = (char *)"site.json",
	.datasets = datasets,
	.dataset_cnt = ARRAY_SIZE(datasets),
};

/* Makes an empty folder and works in it, as setup and teardown of a test. */
static inline int enter_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/jobcage-test-XXXXXX");
	if (!getcwd(folder_before, sizeof(folder_before)) || !mkdtemp(folder))
		return -1;
	return chdir(folder);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int leave_folder(void **state)
{
	(void)state;
	return chdir(folder_before) || nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The diagnostics as they are printed; free the text. Empties the list. */
static inline char *diags_text(struct diag_list *diags)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	diag_print(diags, out);
	assert_int_equal(fclose(out), 0);
	diag_free(diags);
	return text;
}

static inline struct policy *expect_good(int err, struct policy *policy, struct diag_list *diags)
{
	_cleanup_free_ char *text = diags_text(diags);

	assert_string_equal(text, "");
	assert_int_equal(err, 0);
	assert_non_null(policy);
	return policy;
}

static inline void expect_errors(int err, const struct policy *policy, struct diag_list *diags,
			  const char *want)
{
	size_t error_cnt = diags->error_cnt;
	_cleanup_free_ char *text = diags_text(diags);

	assert_string_equal(text, want);
	assert_true(err < 0);
	assert_true(error_cnt > 0);
	assert_null(policy);
}

/* Load, and fail the test with the diagnostics if that fails. */
static inline struct policy *load_good(const char *file, const struct site *site)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	int err = policy_load(file, site, &diags, &policy);

	return expect_good(err, policy, &diags);
}

static inline struct policy *parse_good(const char *text, const struct site *site)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	int err = policy_parse(text, strlen(text), "p.json", site, &diags, &policy);

	return expect_good(err, policy, &diags);
}

/* Fail the test unless loading or parsing fails with exactly these diagnostics. */
static inline void expect_load_errors(const char *file, const struct site *site, const char *want)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	int err = policy_load(file, site, &diags, &policy);

	expect_errors(err, policy, &diags, want);
}

static inline void expect_parse_errors(const char *text, const struct site *site, const char *want)
{
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;
	int err = policy_parse(text, strlen(text), "p.json", site, &diags, &policy);

	expect_errors(err, policy, &diags, want);
}

static inline const struct rule *rule_by_id(const struct policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->rule_cnt; i++) {
		if (!strcmp(policy->rules[i].id, id))
			return &policy->rules[i];
	}
	fail_msg("no rule has the id %s", id);
	return NULL;
}

#endif
