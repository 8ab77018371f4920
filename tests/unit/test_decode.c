// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * decode_event(): what is well formed comes out as it went in, and one wrong field refuses the
 * whole record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/decode.h"
#include "alert/op.h"
#include "base/cleanup.h"
#include "../ocsf/fixture.h"

#define EXE "/usr/bin/python3.11"

static int decode(struct event header, const char *path, const char *path2, const char *exe,
		  struct decoded_event *ret_event)
{
	unsigned char buf[FIXTURE_RECORD_MAX];
	size_t len = fixture_record(buf, header, path, path2, exe);
	_cleanup_free_ unsigned char *exact = malloc(
		len); /* so that a read beyond the end is seen */

	assert_non_null(exact);
	memcpy(exact, buf, len);
	return decode_event(exact, len, ret_event);
}

static void expect_paths(struct event header, const char *path, const char *path2, const char *exe)
{
	struct decoded_event event;

	assert_int_equal(decode(header, path, path2, exe, &event), 0);
	if (path)
		assert_string_equal(event.path, path);
	else
		assert_null(event.path);
	if (path2)
		assert_string_equal(event.path2, path2);
	else
		assert_null(event.path2);
	if (exe)
		assert_string_equal(event.exe, exe);
	else
		assert_null(event.exe);
	assert_int_equal(event.event.sequence, header.sequence);
	decoded_event_free(&event);
	assert_null(event.path);
}

static void test_every_operation(void **state)
{
	(void)state;
	for (unsigned int op = OP_OPEN_READ; op <= OP_RESOLVE; op++) {
		const struct op_info *info = op_info(op);
		bool is_pathless = info->kind == EVENT_NET || info->kind == EVENT_GUARD;

		expect_paths(fixture_event(op), is_pathless ? NULL : "/a/b",
			     info->has_path2 ? "/c/d/e" : NULL, EXE);
	}
}

static void test_paths(void **state)
{
	char deep[4096] = "", name[257] = "/";

	(void)state;
	expect_paths(fixture_event(OP_MKDIR), "/", NULL, NULL);
	expect_paths(fixture_event(OP_MKDIR), "/x", NULL, EXE);
	expect_paths(fixture_event(OP_RENAME), "/", "/", EXE);
	expect_paths(fixture_event(OP_UNLINK), "/a\n\"\\/\xff\xfe\x01/ ", NULL, EXE);
	expect_paths(fixture_event(OP_UNLINK), "/.../..", NULL, EXE);
	for (int i = 0; i < 2047; i++)
		strcat(deep, "/d");
	expect_paths(fixture_event(OP_OPEN_READ), deep, NULL, EXE);
	expect_paths(fixture_event(OP_LINK), deep, deep, deep);
	memset(name + 1, 'n', 255);
	expect_paths(fixture_event(OP_OPEN_READ), name, NULL, EXE);
}

static void expect_truncated(struct event header, uint32_t flag, const char *path,
			     const char *expected)
{
	struct decoded_event event;

	header.flags = flag;
	assert_int_equal(decode(header, path, NULL, NULL, &event), 0);
	assert_string_equal(event.path, expected);
	decoded_event_free(&event);
}

static void test_truncated(void **state)
{
	struct event header = fixture_event(OP_RENAME);
	struct decoded_event event;

	(void)state;
	expect_truncated(fixture_event(OP_MKDIR), EVENT_PATH_TRUNCATED, "/b/c", ".../b/c");
	expect_truncated(fixture_event(OP_MKDIR), EVENT_PATH_TRUNCATED, NULL, "...");
	header.flags = EVENT_PATH2_TRUNCATED | EVENT_EXE_TRUNCATED;
	assert_int_equal(decode(header, "/a", "/b", "/c", &event), 0);
	assert_string_equal(event.path, "/a");
	assert_string_equal(event.path2, ".../b");
	assert_string_equal(event.exe, ".../c");
	decoded_event_free(&event);
}

static void test_missing(void **state)
{
	struct event header = fixture_event(OP_RENAME);
	struct decoded_event event;

	(void)state;
	header.flags = EVENT_PATH_MISSING;
	assert_int_equal(decode(header, NULL, NULL, NULL, &event), 0);
	assert_null(event.path);
	assert_null(event.path2);
	assert_null(event.exe);
	decoded_event_free(&event);
	assert_int_equal(decode(header, "/a", NULL, NULL, &event), -EBADMSG);
}

/* A memfd: its walk ends at once, and it has a place in no tree. */
static void test_rootless(void **state)
{
	struct event header = fixture_event(OP_EXEC);
	struct decoded_event event;

	(void)state;
	header.flags = EVENT_PATH_DETACHED;
	assert_int_equal(decode(header, NULL, NULL, EXE, &event), 0);
	assert_null(event.path);
	assert_string_equal(event.exe, EXE);
	decoded_event_free(&event);
	assert_int_equal(decode(header, "/a", NULL, EXE, &event), 0);
	assert_string_equal(event.path, "/a");
	decoded_event_free(&event);
}

/* One change to a good header that must refuse it. */
static void expect_refused(enum event_op op, size_t offset, size_t size, uint64_t value)
{
	struct event header = fixture_event(op);
	struct decoded_event event = { .path = (char *)1 };

	memcpy((char *)&header + offset, &value, size);
	assert_int_equal(
		decode(header, op_info(op)->kind == EVENT_NET ? NULL : "/a", NULL, EXE, &event),
		-EBADMSG);
	assert_ptr_equal(event.path, (char *)1);
}

#define REFUSE(op, field, value) \
	expect_refused(op, offsetof(struct event, field), sizeof(((struct event *)0)->field), value)

static void test_header(void **state)
{
	(void)state;
	REFUSE(OP_MKDIR, sequence, 0);
	REFUSE(OP_MKDIR, slot, JOB_SLOT_NONE);
	REFUSE(OP_MKDIR, slot, JOB_SLOTS);
	REFUSE(OP_MKDIR, policy, 4096);
	REFUSE(OP_MKDIR, object_mode, UINT16_MAX + 1);
	REFUSE(OP_MKDIR, flags, 1U << 31);
	REFUSE(OP_MKDIR, kind, 0);
	REFUSE(OP_MKDIR, kind, 4);
	REFUSE(OP_MKDIR, kind, EVENT_EXEC);
	REFUSE(OP_MKDIR, kind, EVENT_NET);
	REFUSE(OP_EXEC, kind, EVENT_FILE);
	REFUSE(OP_CONNECT, kind, EVENT_FILE);
	REFUSE(OP_MKDIR, op, 0);
	REFUSE(OP_MKDIR, op, 200);
	REFUSE(OP_MKDIR, op, 255);
	REFUSE(OP_MKDIR, op, OP_EXEC);
	REFUSE(OP_MKDIR, verdict, 0);
	REFUSE(OP_MKDIR, verdict, 4);
	REFUSE(OP_MKDIR, reason, 0);
	REFUSE(OP_MKDIR, reason, 200);
}

static void test_reasons(void **state)
{
	(void)state;
	REFUSE(OP_MKDIR, rule, 1);             /* a default has no rule */
	REFUSE(OP_MKDIR, reason, REASON_RULE); /* a rule has a number */
	REFUSE(OP_MKDIR, reason, REASON_NAMELESS);
	REFUSE(OP_MKDIR, reason, REASON_FAMILY);
	REFUSE(OP_EXEC, reason, REASON_PROTECTED);
	REFUSE(OP_EXEC, reason, REASON_LINKED);
	REFUSE(OP_EXEC, reason, REASON_FAMILY);
	REFUSE(OP_CONNECT, reason, REASON_WALK_LIMIT);
	REFUSE(OP_CONNECT, reason, REASON_DISCONNECTED);
	REFUSE(OP_CONNECT, reason, REASON_NAMELESS);
	REFUSE(OP_CONNECT, reason, REASON_PROTECTED);
}

static void test_allowed_without_reason(void **state)
{
	struct event header = fixture_event(OP_RMDIR);
	struct decoded_event event;

	(void)state;
	header.verdict = VERDICT_ALLOW;
	assert_int_equal(decode(header, "/a", NULL, NULL, &event), 0);
	decoded_event_free(&event);
	header.reason = REASON_PROTECTED;
	assert_int_equal(decode(header, "/a", NULL, NULL, &event), -EBADMSG);
}

static void test_comm(void **state)
{
	struct event header = fixture_event(OP_MKDIR);
	struct decoded_event event;

	(void)state;
	memset(header.comm, 'x', sizeof(header.comm));
	assert_int_equal(decode(header, "/a", NULL, NULL, &event), -EBADMSG);
}

static void test_unexpected_strings(void **state)
{
	struct decoded_event event;

	(void)state;
	assert_int_equal(decode(fixture_event(OP_CONNECT), "/a", NULL, NULL, &event), -EBADMSG);
	assert_int_equal(decode(fixture_event(OP_MKDIR), "/a", "/b", NULL, &event), -EBADMSG);
	assert_int_equal(decode(fixture_event(OP_EXEC), "/a", "/b", NULL, &event), -EBADMSG);
}

/* The record cut off at every byte, and with every length claimed. */
static void test_lengths(void **state)
{
	unsigned char buf[FIXTURE_RECORD_MAX];
	size_t len = fixture_record(buf, fixture_event(OP_RENAME), "/a/b", "/c", EXE);
	struct decoded_event event;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		_cleanup_free_ unsigned char *exact = malloc(cut ? cut : 1);

		assert_non_null(exact);
		memcpy(exact, buf, cut);
		assert_int_equal(decode_event(exact, cut, &event), -EBADMSG);
	}
	assert_int_equal(decode_event(buf, len + 1, &event), -EBADMSG);
	assert_int_equal(decode_event(buf, len, &event), 0);
	decoded_event_free(&event);
}

static void test_length_overflow(void **state)
{
	unsigned char buf[FIXTURE_RECORD_MAX];
	struct event header = fixture_event(OP_RENAME);
	size_t len = fixture_record(buf, header, "/a", NULL, NULL);
	struct decoded_event event;

	(void)state;
	memcpy(&header, buf, sizeof(header));
	header.path2_len = UINT32_MAX;
	header.exe_len = 1; /* the 32-bit sum is right */
	memcpy(buf, &header, sizeof(header));
	assert_int_equal(decode_event(buf, len, &event), -EBADMSG);
}

static void test_too_long(void **state)
{
	size_t len = FIXTURE_RECORD_MAX + 2;
	_cleanup_free_ unsigned char *buf = calloc(1, len);
	struct event header = fixture_event(OP_MKDIR);
	struct decoded_event event;

	(void)state;
	assert_non_null(buf);
	memset(buf + sizeof(header), 'a', len - sizeof(header) - 1);
	header.path_len = header.strings_len = EVENT_STRINGS_MAX + 2;
	memcpy(buf, &header, sizeof(header));
	assert_int_equal(decode_event(buf, len, &event), -EBADMSG);
}

static void expect_bad_run(const char *bytes, uint32_t len)
{
	unsigned char buf[FIXTURE_RECORD_MAX];
	struct event header = fixture_event(OP_MKDIR);
	struct decoded_event event;

	header.path_len = header.strings_len = len;
	memcpy(buf, &header, sizeof(header));
	memcpy(buf + sizeof(header), bytes, len);
	assert_int_equal(decode_event(buf, sizeof(header) + len, &event), -EBADMSG);
}

static void test_runs(void **state)
{
	(void)state;
	expect_bad_run("a", 1);        /* not ended */
	expect_bad_run("a\0b", 3);     /* the last one not ended */
	expect_bad_run("\0", 1);       /* an empty component */
	expect_bad_run("a\0\0", 3);    /* at the root */
	expect_bad_run("\0a\0", 3);    /* as the leaf */
	expect_bad_run("a\0\0b\0", 5); /* in between */
	expect_bad_run("a/b\0c\0", 6); /* two in one */
	expect_bad_run("/\0", 2);
}

/* The boundary between the runs must hold too: path's last component may not borrow exe's NUL. */
static void test_run_boundary(void **state)
{
	unsigned char buf[FIXTURE_RECORD_MAX];
	struct event header = fixture_event(OP_MKDIR);
	struct decoded_event event;

	(void)state;
	header.path_len = 1;
	header.exe_len = 2;
	header.strings_len = 3;
	memcpy(buf, &header, sizeof(header));
	memcpy(buf + sizeof(header), "ab", 3);
	assert_int_equal(decode_event(buf, sizeof(header) + 3, &event), -EBADMSG);
}

static void test_unaligned(void **state)
{
	unsigned char buf[FIXTURE_RECORD_MAX + 1];
	size_t len = fixture_record(buf, fixture_event(OP_MKDIR), "/a", NULL, NULL);
	struct decoded_event event;

	(void)state;
	memmove(buf + 1, buf, len);
	assert_int_equal(decode_event(buf + 1, len, &event), 0);
	assert_string_equal(event.path, "/a");
	decoded_event_free(&event);
}

static void test_op_names(void **state)
{
	(void)state;
	assert_string_equal(event_op_name(OP_OPEN_WRITE), "open for writing");
	assert_string_equal(event_op_name(OP_RENAME), "rename");
	assert_string_equal(event_op_name(0), "unknown operation");
	assert_string_equal(event_op_name(OP_RESOLVE + 1), "unknown operation");
	for (unsigned int op = OP_OPEN_READ; op <= OP_RESOLVE; op++)
		assert_non_null(op_info(op));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_operation),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_allowed_without_reason),
		cmocka_unit_test(test_comm),
		cmocka_unit_test(test_unexpected_strings),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_length_overflow),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_run_boundary),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_rootless),
		cmocka_unit_test(test_op_names),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
