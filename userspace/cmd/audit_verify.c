// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage audit: is a log as it was written? */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "alert/audit.h"
#include "alert/rotate.h"
#include "alert/text.h"
#include "base/cleanup.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"

#define EXIT_FAULT 1
#define EXIT_PARTIAL 3
#define EXIT_UNREADABLE 4

struct options {
	struct option_list heads;
	const char *key, *of;
	bool is_alone, json;
};

static const struct option_row rows[] = {
	OPTION_LIST(
		struct options, heads, 0, "head", "HEAD",
		"a line that the log must have: SEQUENCE:HASH, or a file of another sink, for all\n"
		"heads in it; may be repeated"),
	OPTION_WORD(struct options, of, 0, "of", "NAME",
		    "which log of those that the heads are of this one is, if it is a copy:\n"
		    "\"FILE of machine ID\""),
	OPTION_WORD(struct options, key, 0, "key", "FILE",
		    "verify the signatures of heads with this public key (PEM)"),
	OPTION_FLAG(struct options, is_alone, 0, "alone",
		    "only the files named, without their rotated ones"),
	OPTION_FLAG(struct options, json, 'j', "json", "the result as a JSON object"),
	OPTION_END,
};

static const struct command command = {
	.name = "audit verify",
	.synopsis = "[OPTION...] FILE...",
	.about =
		"Verifies that a log is as it was written: no line changed, missing, repeated or out of its\n"
		"place. A file stands for its rotated ones (FILE.NNNNNNNNNNNN) too. Prints the first fault.",
	.rows = rows,
	.notes =
		"Without a head from elsewhere, lines that were cut off at the end are not missed.\n"
		"Exit status: 0 sound, from line 1 on; 1 a fault; 2 wrong usage; 3 sound, but its beginning is\n"
		"not in the files; 4 a file cannot be read, or the result not be written.",
	.words_min = 1,
	.words_max = INT_MAX,
	.usage_status = EXIT_USAGE,
};

/* --- what to verify --------------------------------------------------------------------------- */

struct files {
	char **items;
	size_t cnt;
};

static void files_free(struct files *files)
{
	for (size_t i = 0; i < files->cnt; i++)
		free(files->items[i]);
	free(files->items);
}

/* Takes path over; NULL: there was no memory for it. One that is there already is passed over. */
static int add_file(struct files *files, char *path)
{
	char **items;

	if (!path)
		return -ENOMEM;
	for (size_t i = 0; i < files->cnt; i++)
		if (!strcmp(files->items[i], path)) {
			free(path);
			return 0;
		}
	items = realloc(files->items, (files->cnt + 1) * sizeof(*items));
	if (!items) {
		free(path);
		return -ENOMEM;
	}
	files->items = items;
	items[files->cnt++] = path;
	return 0;
}

/* Rotated files in a folder that cannot be listed are missing, which the result says. */
static int add_with_rotated(struct files *files, const char *path, bool is_alone)
{
	char **rotated = NULL;
	size_t cnt = 0;
	int r = is_alone ? 0 : rotate_list(path, &rotated, &cnt);

	if (r != -ENOMEM)
		r = 0;
	for (size_t i = 0; i < cnt; i++)
		r = add_file(files, rotated[i]) ?: r;
	free(rotated);
	return add_file(files, strdup(path)) ?: r;
}

/* --- what came of it -------------------------------------------------------------------------- */

static bool print_json(const struct audit_result *result)
{
	json_auto_t *object = json_pack(
		"{s:b, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I}", "sound", result->is_sound, "lines",
		(json_int_t)result->lines, "first", (json_int_t)result->first, "last",
		(json_int_t)result->last, "hash", result->hash, "heads", (json_int_t)result->heads,
		"signatures", (json_int_t)result->signatures, "signed_to", (json_int_t)result->signed_to, "others",
		(json_int_t)result->others, "torn", (json_int_t)result->torn);

	if (!object)
		return false;
	if (*result->of)
		json_object_set_new(object, "of", text_json(result->of));
	if (!result->is_sound)
		json_object_set_new(object, "fault", text_json(result->fault));
	if (result->file) {
		json_object_set_new(object, "file", text_json(result->file));
		json_object_set_new(object, "line", json_integer((json_int_t)result->line));
	}
	return !ask_print_json(&command, object);
}

static void print_fault(const struct audit_result *result)
{
	if (result->file)
		printf("%s:%" PRIu64 ": %s\n", result->file, result->line, result->fault);
	else
		printf("%s\n", result->fault);
	printf("the %" PRIu64 " lines before that are sound\n", result->lines);
}

/* Names come from logs, which may say anything. */
static void print_names(const struct audit_result *result)
{
	_cleanup_free_ char *of = text_escape(result->of);

	if (of && *of)
		printf("those in it call it %s\n", of);
	if (result->others)
		printf("%zu heads are of other logs, by what they call them\n", result->others);
}

static void print_text(const struct audit_result *result)
{
	if (!result->is_sound) {
		print_fault(result);
		return;
	}
	printf("sound: lines %" PRIu64 " to %" PRIu64 ", the last with hash %s\n", result->first,
	       result->last, result->hash);
	if (result->torn)
		printf("%zu times a writer died within a line; the line after it says so\n",
		       result->torn);
	printf("%zu heads agree with it, %zu of them with a verified signature\n", result->heads,
	       result->signatures);
	if (result->signed_to)
		printf("it is signed up to line %" PRIu64 "\n", result->signed_to);
	print_names(result);
	if (result->first > 1)
		printf("what stood before line %" PRIu64 " is not in the files\n", result->first);
}

static bool print_result(const struct audit_result *result, bool is_json)
{
	if (is_json)
		return print_json(result);
	print_text(result);
	return command_printed(&command);
}

/* The log's name if it stands where it was written. */
static void name_of_place(const char *path, char ret_of[static HEAD_OF_SIZE])
{
	_cleanup_free_ char *absolute = realpath(path, NULL), *machine = head_machine_id();
	struct utsname uts = { 0 };

	uname(&uts);
	head_name(absolute ? absolute : path, machine, uts.nodename, ret_of);
}

/* Heads of several logs: it must be said which is this one, because the heads cannot prove it. */
static int choose_heads(const struct options *options, const char *path, char place[static HEAD_OF_SIZE],
			struct error *err, struct audit_heads *heads)
{
	_cleanup_free_ char *shown = NULL;
	const char *other;

	name_of_place(path, place);
	heads->of = options->of ? options->of : place;
	other = audit_heads_other(heads, heads->of);
	if (!other || audit_heads_are_of(heads, heads->of))
		return 0;
	if (!options->of && !audit_heads_other(heads, other)) {
		heads->of = NULL;
		return 0;
	}
	shown = text_quote_always(other);
	return error_set(err, -ENODATA,
			 "no head is of \"%s\", and some are of %s: say by --of which log this is",
			 heads->of, shown ? shown : "another log");
}

/* Returns 0, or -errno with the sentence. */
static int find_result(const struct options *options, const struct files *files, struct error *err,
		       struct audit_result *ret_result)
{
	struct audit_heads heads = { 0 };
	char place[HEAD_OF_SIZE];
	struct head_key *key = NULL;
	int r = options->key ? head_key_load(options->key, false, err, &key) : 0;

	for (size_t i = 0; !r && i < options->heads.cnt; i++)
		r = audit_heads_add(&heads, options->heads.items[i].value, err);
	if (!r && heads.cnt)
		r = choose_heads(options, files->items[files->cnt - 1], place, err, &heads);
	if (!r)
		r = audit_verify(files->items, files->cnt, &heads, key, err, ret_result);
	head_key_free(key);
	audit_heads_free(&heads);
	return r;
}

static int verify(const struct options *options, const struct files *files)
{
	struct audit_result result = { 0 };
	struct error err = { 0 };
	int status = EXIT_FAULT;

	if (find_result(options, files, &err, &result)) {
		command_error(&command, "%s", err.text);
		return EXIT_UNREADABLE;
	}
	if (result.is_sound)
		status = result.first > 1 ? EXIT_PARTIAL : 0;
	if (!print_result(&result, options->json))
		status = EXIT_UNREADABLE;
	audit_result_free(&result);
	return status;
}

/* --- the command ------------------------------------------------------------------------------ */

int cmd_audit_verify(int argc, char **argv)
{
	_cleanup_(files_free) struct files files = { 0 };
	struct options options = { 0 };
	char **names;
	int status = command_parse(&command, argc, argv, &options, &names);

	for (; status < 0 && *names; names++)
		if (add_with_rotated(&files, *names, options.is_alone)) {
			command_error(&command, "out of memory");
			status = EXIT_UNREADABLE;
		}
	if (status < 0)
		status = verify(&options, &files);
	option_list_free(&options.heads);
	return status;
}
