// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage policy check: are these policies sound? For the admin's editor, and for CI.
 *
 * Reads what `jobcage run` would read and says all that is wrong with it, with no need of the
 * kernel or of root.
 */
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "alert/text.h"
#include "base/diag.h"
#include "cmd/cmd.h"
#include "cmd/command.h"
#include "policy/policy.h"
#include "policy/site.h"

#define STATUS_OK 0
#define STATUS_ERROR 125

struct options {
	const char *site; /* NULL: the default one */
	bool json;
};

static const struct option_row rows[] = {
	OPTION_WORD(struct options, site, 's', "site", "FILE",
		    "the site's datasets (default: " SITE_FILE ", if it exists)"),
	OPTION_FLAG(struct options, json, 'j', "json",
		    "print one JSON document on standard output, errors included"),
	OPTION_END,
};

static const struct command command = {
	.name = "policy check",
	.synopsis = "[--site FILE] [--json] FILE...",
	.about =
		"Checks policies and egress allowlists, with all that they extend and include, and\n"
		"reports every error with its file, line and column. Needs neither root nor the kernel.",
	.rows = rows,
	.notes = "Exit status: 0 if every file is sound, 125 if not, also on wrong usage.",
	.words_min = 1,
	.words_max = INT_MAX,
	.usage_status = STATUS_ERROR,
};

/* What came of one file. */
struct result {
	const char *file;
	bool is_ok;
	struct policy_check check;
	struct diag_list diags;
};

/* --- for people ------------------------------------------------------------------------------- */

static const char *plural(size_t cnt)
{
	return cnt == 1 ? "" : "s";
}

static void print_result(const struct result *result)
{
	const struct policy_check *check = &result->check;
	size_t error_cnt = result->diags.error_cnt;

	diag_print(&result->diags, stderr);
	if (!result->is_ok)
		printf("%s: failed: %zu error%s\n", result->file, error_cnt, plural(error_cnt));
	else if (check->is_allowlist)
		printf("%s: ok: egress allowlist '%s', %zu rule%s\n", result->file, check->name,
		       check->rule_cnt, plural(check->rule_cnt));
	else
		printf("%s: ok: policy '%s', %zu rule%s, sha256 %s\n", result->file, check->name,
		       check->rule_cnt, plural(check->rule_cnt), check->digest);
}

/* --- for programs ----------------------------------------------------------------------------- */

static json_t *diag_json(const struct diag *diag)
{
	return json_pack("{s:o, s:i, s:i, s:s, s:s}", "file",
			 text_json(diag->origin.file ? diag->origin.file : "-"), "line",
			 (int)diag->origin.line, "column", (int)diag->origin.column, "level",
			 diag->level == DIAG_ERROR ? "error" : "warning", "text",
			 diag->text ? diag->text : "out of memory");
}

static json_t *diags_json(const struct diag_list *diags)
{
	json_t *list = json_array();

	for (size_t i = 0; i < diags->cnt; i++)
		json_array_append_new(list, diag_json(&diags->items[i]));
	return list;
}

static json_t *result_json(const struct result *result)
{
	const struct policy_check *check = &result->check;
	json_t *object = json_pack("{s:o, s:b, s:o}", "file", text_json(result->file), "ok",
				   result->is_ok, "diagnostics", diags_json(&result->diags));

	if (!result->is_ok || !object)
		return object;
	json_object_set_new(object, "kind",
			    json_string(check->is_allowlist ? "allowlist" : "policy"));
	json_object_set_new(object, "name", json_string(check->name));
	json_object_set_new(object, "rules", json_integer((json_int_t)check->rule_cnt));
	if (!check->is_allowlist)
		json_object_set_new(object, "digest", json_string(check->digest));
	return object;
}

/* site_diags: what is wrong with the site file, when no file could be checked because of that. */
static bool print_json(json_t *files, const struct diag_list *site_diags, bool is_ok)
{
	json_t *root = json_pack("{s:b, s:o, s:o}", "ok", is_ok, "files", files, "diagnostics",
				 diags_json(site_diags));
	int err = root ? json_dumpf(root, stdout, JSON_INDENT(2)) : -1;

	json_decref(root);
	return !err && putchar('\n') != EOF;
}

/* --- the check -------------------------------------------------------------------------------- */

static bool check_file(const char *file, const struct site *site, json_t *json_files)
{
	struct result result = { .file = file };
	bool is_ok;

	result.is_ok = !policy_check(file, site, &result.diags, &result.check);
	is_ok = result.is_ok;
	if (json_files)
		is_ok &= !json_array_append_new(json_files, result_json(&result));
	else
		print_result(&result);
	diag_free(&result.diags);
	return is_ok;
}

static bool check_files(const struct options *options, char **files, const struct site *site,
			const struct diag_list *site_diags, bool has_site)
{
	json_t *json_files = options->json ? json_array() : NULL;
	bool is_ok = has_site;

	if (options->json && !json_files)
		return false;
	for (; has_site && *files; files++)
		is_ok &= check_file(*files, site, json_files);
	if (options->json)
		return print_json(json_files, site_diags, is_ok) && is_ok;
	diag_print(site_diags, stderr);
	return is_ok;
}

static int run_check(const struct options *options, char **files)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	bool has_site = !site_find(options->site, &diags, &site);
	bool is_ok = check_files(options, files, site, &diags, has_site);

	diag_free(&diags);
	site_free(site);
	return command_printed(&command) && is_ok ? STATUS_OK : STATUS_ERROR;
}

int cmd_policy_check(int argc, char **argv)
{
	struct options options = { 0 };
	char **files;
	int status = command_parse(&command, argc, argv, &options, &files);

	return status >= 0 ? status : run_check(&options, files);
}
