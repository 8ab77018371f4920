// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The chain: whatever is done to a log, its proof fails, and names the place; and what a writer
 * leaves that dies is no fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "alert/audit.h"
#include "alert/ocsf_log.h"
#include "alert/sinks.h"
#include "base/cleanup.h"

#define LINES 50
#define TRIALS 1000

struct log {
	char dir[64], file[96], copy[96];
	char *lines[LINES]; /* with their newlines */
	struct head head;   /* of the last line */
};

static void put(struct sinks *sinks, struct sink *sink, int i)
{
	json_t *event = json_pack("{s:I, s:i, s:{s:{s:s}}}", "time", (json_int_t)1000 + i, "n", i,
				  "unmapped", "jobcage", "text", "x\"}}}\n");

	assert_int_equal(sinks_put(sinks, sink, NULL, event), 0);
	json_decref(event);
}

/* Writes lines first to last, as one controller. */
static void write_lines(const char *file, int first, int last)
{
	struct sinks *sinks;
	struct sink *sink;

	assert_int_equal(sinks_new(NULL, &sinks), 0);
	assert_int_equal(sinks_use(sinks, file, NULL, &sink), 0);
	for (int i = first; i <= last; i++)
		put(sinks, sink, i);
	sinks_free(sinks);
}

static void read_back(struct log *log)
{
	_cleanup_file_ FILE *in = fopen(log->file, "re");
	struct chain_link link;
	size_t room = 0;

	for (int i = 0; i < LINES; i++) {
		log->lines[i] = NULL;
		assert_true(getline(&log->lines[i], &room, in) > 0);
		room = 0;
	}
	log->lines[LINES - 1][strlen(log->lines[LINES - 1]) - 1] = '\0';
	assert_true(chain_read(log->lines[LINES - 1], strlen(log->lines[LINES - 1]), &link));
	strcat(log->lines[LINES - 1], "\n");
	log->head.sequence = link.sequence;
	strcpy(log->head.hash, link.hash);
}

static int setup(void **state)
{
	struct log *log = calloc(1, sizeof(*log));

	strcpy(log->dir, "/tmp/jobcage-audit-XXXXXX");
	if (!mkdtemp(log->dir))
		return -1;
	snprintf(log->file, sizeof(log->file), "%s/log", log->dir);
	snprintf(log->copy, sizeof(log->copy), "%s/copy", log->dir);
	/* Two controllers after each other. */
	write_lines(log->file, 1, LINES / 2);
	write_lines(log->file, LINES / 2 + 1, LINES);
	read_back(log);
	*state = log;
	return 0;
}

static int teardown(void **state)
{
	struct log *log = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", log->dir);
	for (int i = 0; i < LINES; i++)
		free(log->lines[i]);
	free(log);
	return system(command);
}

static struct audit_result verify(const char *file, const struct head *head,
				  const struct head_key *key)
{
	const struct audit_heads heads = { .items = (struct head *)head, .cnt = head ? 1 : 0 };
	char *files[] = { (char *)file };
	struct audit_result result = { 0 };
	struct error err = { 0 };

	if (audit_verify(files, 1, &heads, key, &err, &result))
		fail_msg("%s", err.text);
	return result;
}

static void expect_sound(const char *file, const struct head *head, uint64_t lines)
{
	struct audit_result result = verify(file, head, NULL);

	if (!result.is_sound)
		fail_msg("%s:%" PRIu64 ": %s", result.file, result.line, result.fault);
	assert_int_equal(result.lines, lines);
	audit_result_free(&result);
}

/* --- harm ------------------------------------------------------------------------------------- */

/* A log in memory that is harmed and written out. */
struct text {
	char *data;
	size_t len;
};

static void append(struct text *text, const char *line)
{
	size_t len = strlen(line);

	text->data = realloc(text->data, text->len + len + 1);
	memcpy(text->data + text->len, line, len + 1);
	text->len += len;
}

/* The lines in order but for two places; -1: the line is left out. */
static struct text assemble(const struct log *log, int at, int instead, int at2, int instead2)
{
	struct text text = { 0 };

	for (int i = 0; i < LINES; i++) {
		int line = i == at ? instead : i == at2 ? instead2 : i;

		if (line >= 0)
			append(&text, log->lines[line]);
	}
	return text;
}

enum harm { EDIT, DROP, SWAP, REPEAT, TRUNCATE, INSERT, HARM_CNT };

static struct text harm(const struct log *log, enum harm kind)
{
	int a = rand() % LINES, b = (a + 1 + rand() % (LINES - 1)) % LINES;
	struct text text = assemble(log, -2, 0, -2, 0);
	size_t at = rand() % text.len;

	switch (kind) {
	case EDIT:
		text.data[at] ^= 1 << rand() % 8;
		return text;
	case TRUNCATE:
		text.len = at;
		return text;
	default: free(text.data); break;
	}
	if (kind == DROP)
		return assemble(log, a, -1, -2, 0);
	if (kind == SWAP)
		return assemble(log, a, b, b, a);
	text = (struct text){ 0 };
	for (int i = 0; i < LINES; i++) {
		append(&text, log->lines[i]);
		if (i == a)
			append(&text, kind == REPEAT ? log->lines[b] : "{\"time\":1}\n");
	}
	return text;
}

static void write_copy(const struct log *log, const struct text *text)
{
	_cleanup_file_ FILE *out = fopen(log->copy, "we");

	assert_int_equal(fwrite(text->data, 1, text->len, out), text->len);
}

/* Which line of the copy is the first that differs from the log: the fault is there or before. */
static uint64_t first_difference(const struct log *log, const struct text *text)
{
	size_t at = 0;

	for (int i = 0; i < LINES; i++) {
		size_t len = strlen(log->lines[i]);

		if (at + len > text->len || memcmp(text->data + at, log->lines[i], len))
			return i + 1;
		at += len;
	}
	return LINES + 1;
}

/* Another line in the first one's place could begin a log: the one behind it does not follow. */
static bool is_right_place(const struct log *log, const struct text *text, uint64_t line)
{
	uint64_t place = first_difference(log, text);

	return line == place || (place == 1 && line == 2);
}

static void test_harm(void **state)
{
	struct log *log = *state;

	srand(7);
	for (int trial = 0; trial < TRIALS; trial++) {
		enum harm kind = trial % HARM_CNT;
		struct text text = harm(log, kind);
		struct audit_result result;

		write_copy(log, &text);
		result = verify(log->copy, &log->head, NULL);
		/* A log whose beginning is not there is sound, but says so: it may be rotated. */
		if (result.is_sound && (result.first == 1 || kind != DROP))
			fail_msg("trial %d: harm %d was not found", trial, kind);
		/* A cut between lines is found by the head alone, which names no line. */
		if (result.file)
			assert_true(is_right_place(log, &text, result.line));
		else
			assert_true(kind == TRUNCATE || kind == DROP);
		audit_result_free(&result);
		free(text.data);
	}
}

/* --- no harm ---------------------------------------------------------------------------------- */

static void test_sound(void **state)
{
	struct log *log = *state;

	expect_sound(log->file, NULL, LINES);
	expect_sound(log->file, &log->head, LINES);
}

static void append_raw(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A writer died within a line, and another one within closing it. */
static void test_torn(void **state)
{
	struct log *log = *state;
	struct audit_result result;
	char fragment[200];

	snprintf(fragment, sizeof(fragment), "%.100s", log->lines[0]);
	append_raw(log->file, fragment);
	result = verify(log->file, NULL, NULL);
	assert_false(result.is_sound);
	assert_int_equal(result.line, LINES + 1);
	audit_result_free(&result);
	append_raw(log->file, "\n{\"time");
	write_lines(log->file, LINES + 1, LINES + 5);
	result = verify(log->file, &log->head, NULL);
	assert_true(result.is_sound);
	assert_int_equal(result.lines, LINES + 5);
	assert_int_equal(result.torn, 1);
	audit_result_free(&result);
}

/* The last line changed while nobody wrote is no fragment, although the next writer goes on. */
static void test_edit_between_writers(void **state)
{
	struct log *log = *state;
	struct text text = assemble(log, -2, 0, -2, 0);
	struct audit_result result;

	text.data[text.len - 200] ^= 1;
	write_copy(log, &text);
	write_lines(log->copy, LINES + 1, LINES + 1);
	result = verify(log->copy, NULL, NULL);
	assert_false(result.is_sound);
	assert_int_equal(result.line, LINES);
	audit_result_free(&result);
	free(text.data);
}

static void test_rotated(void **state)
{
	struct log *log = *state;
	char *files[3], first[128], second[128];
	struct audit_result result;
	struct sinks *sinks;
	struct sink *sink;

	assert_int_equal(sinks_new(NULL, &sinks), 0);
	assert_int_equal(sinks_use(sinks, log->file, NULL, &sink), 0);
	put(sinks, sink, 51);
	sink->config.max_bytes = sink->file_size + 100;
	put(sinks, sink, 52);
	put(sinks, sink, 53);
	sink->config.max_bytes = sink->file_size + 100;
	put(sinks, sink, 54);
	sinks_free(sinks);
	snprintf(first, sizeof(first), "%s.%012d", log->file, 51);
	snprintf(second, sizeof(second), "%s.%012d", log->file, 53);
	files[0] = log->file;
	files[1] = second;
	files[2] = first;
	assert_int_equal(audit_verify(files, 3, NULL, NULL, NULL, &result), 0);
	assert_true(result.is_sound);
	assert_int_equal(result.lines, 54);
	assert_int_equal(result.first, 1);
	audit_result_free(&result);
	files[1] = first;
	assert_int_equal(audit_verify(files, 2, NULL, NULL, NULL, &result), 0);
	assert_false(result.is_sound);
	assert_non_null(strstr(result.fault, "lines 52 to 53 are missing"));
	audit_result_free(&result);
	expect_sound(log->file, NULL, 1);
}

/* --- heads ------------------------------------------------------------------------------------ */

static void make_key(const char *private, const char *public)
{
	_cleanup_file_ FILE *a = fopen(private, "we"), *b = fopen(public, "we");
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	assert_int_equal(PEM_write_PrivateKey(a, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(PEM_write_PUBKEY(b, key), 1);
	EVP_PKEY_free(key);
}

/* Signed heads stand in the log itself; another key's signature is a fault. */
static void test_signed(void **state)
{
	struct log *log = *state;
	char private[128], public[128], other[128], spare[128];
	struct site_audit audit = { .key = private, .interval_ms = 3600000 };
	struct head_key *key, *other_key;
	struct audit_result result;
	struct sinks *sinks;
	struct sink *sink;

	snprintf(private, sizeof(private), "%s/key", log->dir);
	snprintf(public, sizeof(public), "%s/key.pub", log->dir);
	snprintf(other, sizeof(other), "%s/other.pub", log->dir);
	snprintf(spare, sizeof(spare), "%s/other", log->dir);
	make_key(private, public);
	make_key(spare, other);
	assert_int_equal(head_key_load(public, false, NULL, &key), 0);
	assert_int_equal(head_key_load(other, false, NULL, &other_key), 0);
	assert_int_equal(sinks_new(NULL, &sinks), 0);
	assert_int_equal(sinks_set_site(sinks, NULL, 0, &audit, true, NULL), 0);
	assert_int_equal(sinks_use(sinks, log->file, NULL, &sink), 0);
	sinks_tick(sinks);
	put(sinks, sink, 51);
	sinks_free(sinks);
	result = verify(log->file, &log->head, key);
	assert_true(result.is_sound);
	assert_int_equal(result.signatures, 2);
	assert_int_equal(result.heads, 3);
	audit_result_free(&result);
	result = verify(log->file, NULL, other_key);
	assert_false(result.is_sound);
	assert_non_null(strstr(result.fault, "signature"));
	audit_result_free(&result);
	head_key_free(key);
	head_key_free(other_key);
}

static void use_key(const struct log *log, char private[static 128], struct head_key **ret_key)
{
	char public[128];

	snprintf(private, 128, "%s/key", log->dir);
	snprintf(public, sizeof(public), "%s/key.pub", log->dir);
	make_key(private, public);
	assert_int_equal(head_key_load(public, false, NULL, ret_key), 0);
}

/* The heads of each file go into the other one, too, and are no fault there. */
static void test_two_files(void **state)
{
	struct log *log = *state;
	char private[128];
	struct site_audit audit = { .key = private, .interval_ms = 3600000 };
	struct audit_result result;
	struct head_key *key;
	struct sinks *sinks;
	struct sink *one, *two;

	use_key(log, private, &key);
	assert_int_equal(sinks_new(NULL, &sinks), 0);
	assert_int_equal(sinks_set_site(sinks, NULL, 0, &audit, true, NULL), 0);
	assert_int_equal(sinks_use(sinks, log->file, NULL, &one), 0);
	assert_int_equal(sinks_use(sinks, log->copy, NULL, &two), 0);
	put(sinks, two, 1);
	sinks_tick(sinks);
	sinks_free(sinks);
	result = verify(log->file, &log->head, key);
	if (!result.is_sound)
		fail_msg("%s", result.fault);
	assert_int_equal(result.signatures, 2);
	assert_int_equal(result.signed_to, LINES + 2);
	assert_non_null(strstr(result.of, log->file));
	audit_result_free(&result);
	result = verify(log->copy, NULL, key);
	assert_true(result.is_sound);
	assert_int_equal(result.signatures, 2);
	assert_non_null(strstr(result.of, log->copy));
	audit_result_free(&result);
	head_key_free(key);
}

/* Of many files in one place, as a site's receiver has them, those that are of this one count. */
static void test_heads_of_many(void **state)
{
	struct log *log = *state;
	struct head items[2] = { log->head, log->head };
	struct audit_heads heads = { items, 2, "log of a" };
	char *files[] = { log->file };
	struct audit_result result;

	strcpy(items[0].of, "log of a");
	strcpy(items[1].of, "log of b");
	assert_true(audit_heads_are_of(&heads, "log of a"));
	assert_false(audit_heads_are_of(&heads, "log of c"));
	assert_string_equal(audit_heads_other(&heads, "log of a"), "log of b");
	memset(items[1].hash, 'a', CHAIN_HASH_SIZE - 1);
	assert_int_equal(audit_verify(files, 1, &heads, NULL, NULL, &result), 0);
	assert_true(result.is_sound);
	assert_int_equal(result.heads, 1);
	assert_int_equal(result.others, 1);
	audit_result_free(&result);
	/* That others agree helps nobody: they may have been added. */
	heads.of = "log of b";
	assert_int_equal(audit_verify(files, 1, &heads, NULL, NULL, &result), 0);
	assert_false(result.is_sound);
	audit_result_free(&result);
	heads.of = NULL;
	assert_int_equal(audit_verify(files, 1, &heads, NULL, NULL, &result), 0);
	assert_false(result.is_sound);
	audit_result_free(&result);
}

static void put_head(const char *file, const char *of, const struct head *head)
{
	const struct alert_job host = { .host = "h", .kernel = "k" };
	json_auto_t *event = ocsf_log_head(&host, of, head, "interval", 1000);
	struct sinks *sinks;
	struct sink *sink;

	assert_int_equal(sinks_new(NULL, &sinks), 0);
	assert_int_equal(sinks_use(sinks, file, NULL, &sink), 0);
	assert_int_equal(sinks_put(sinks, sink, NULL, event), 0);
	sinks_free(sinks);
}

/* A log of which the beginning is gone knows its own name by a head of the last line that is gone. */
static void test_head_of_line_before(void **state)
{
	struct log *log = *state;
	struct head other = { .sequence = 281 };
	struct audit_result result;
	char command[300];

	memset(other.hash, 'a', CHAIN_HASH_SIZE - 1);
	put_head(log->file, "/var/log/of-another", &other);
	put_head(log->file, log->file, &log->head);
	snprintf(command, sizeof(command), "tail -n 2 %s >%s", log->file, log->copy);
	assert_int_equal(system(command), 0);
	result = verify(log->copy, NULL, NULL);
	assert_true(result.is_sound);
	assert_int_equal(result.first, LINES + 1);
	assert_int_equal(result.heads, 1);
	assert_int_equal(result.others, 1);
	audit_result_free(&result);
}

/* Who asks for signatures does not get a log without. */
static void test_unsigned(void **state)
{
	struct log *log = *state;
	char private[128];
	struct audit_result result;
	struct head_key *key;

	use_key(log, private, &key);
	result = verify(log->file, &log->head, key);
	assert_false(result.is_sound);
	assert_non_null(strstr(result.fault, "signed"));
	audit_result_free(&result);
	head_key_free(key);
}

/* Somebody who can write the whole log anew is found by a head from elsewhere. */
static void test_rewritten(void **state)
{
	struct log *log = *state;
	struct audit_result result;

	write_lines(log->copy, 2, LINES + 1);
	expect_sound(log->copy, NULL, LINES);
	result = verify(log->copy, &log->head, NULL);
	assert_false(result.is_sound);
	assert_non_null(strstr(result.fault, "written anew"));
	audit_result_free(&result);
}

static void test_heads_from_file(void **state)
{
	struct log *log = *state;
	const struct alert_job host = { .host = "h", .kernel = "k" };
	json_auto_t *event = ocsf_log_head(&host, "/var/log/x", &log->head, "end", 1000);
	_cleanup_free_ char *text = json_dumps(event, JSON_COMPACT);
	struct audit_heads heads = { 0 };
	char argument[128];
	FILE *out = fopen(log->copy, "we");

	fprintf(out, "nothing\n<134>1 2026 host jobcage 1 log_head - %s\n", text);
	fclose(out);
	assert_int_equal(audit_heads_add(&heads, log->copy, NULL), 0);
	snprintf(argument, sizeof(argument), "%" PRIu64 ":%s", log->head.sequence, log->head.hash);
	assert_int_equal(audit_heads_add(&heads, argument, NULL), 0);
	assert_int_equal(audit_heads_add(&heads, log->file, NULL), -ENODATA);
	assert_int_equal(audit_heads_add(&heads, "5:abc", NULL), -ENOENT);
	assert_int_equal(heads.cnt, 2);
	assert_string_equal(heads.items[0].hash, heads.items[1].hash);
	assert_string_equal(heads.items[0].of, "/var/log/x of host h");
	assert_string_equal(heads.items[1].of, "");
	audit_heads_free(&heads);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sound),	 TEST(test_harm),    TEST(test_torn),
		TEST(test_edit_between_writers), TEST(test_rotated), TEST(test_signed),
		TEST(test_rewritten),	 TEST(test_heads_from_file), TEST(test_two_files),
		TEST(test_heads_of_many), TEST(test_head_of_line_before), TEST(test_unsigned),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
