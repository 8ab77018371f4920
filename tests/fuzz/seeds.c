// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Writes the inputs that the fuzzer of decode_event() starts from: "seeds DIR" puts one record in
 * one file. They are made from the fixture and not kept as files, because a file of bytes is
 * nonsense, silently, as soon as struct event changes.
 *
 * Each record must be one that decode_event() takes; the program fails if it is not, so no seed can
 * rot.
 *
 * "found-*" are what the fuzzer has broken the code with. Whoever mends a finding adds it here, as
 * the record that it was once repaired, by the name of what was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alert/op.h"
#include "base/cleanup.h"
#include "../ocsf/fixture.h"

#define PYTHON "/usr/bin/python3.11"

/* Names that have something for each branch of text.c. */
static const char *const paths[] = {
	"/srv/datasets/digits/train.csv",
	"/",
	"/t/\x01\n\x7f\xc2\x9b/\"quoted\"\\x7f",
	"/t/\xe2\x80\xae\xf3\xa0\x81\x81\xef\xbb\xbf/\xf0\x9f\x98\x80 \xc3\xa9",
	"/t/\xff\xc3(\xed\xa0\x80/\xf4\x90\x80\x80\xe0\x80\x80\xc2",
};

static const enum fixture_rule file_rules[] = { FIXTURE_DIGITS, FIXTURE_FACES, FIXTURE_CKPT,
						FIXTURE_CONFIG };
static const enum fixture_rule exec_rules[] = { FIXTURE_USR_BIN, FIXTURE_NO_SHELL };
static const enum fixture_rule net_rules[] = { FIXTURE_NCCL, FIXTURE_OBJECTS };

static const struct {
	enum event_reason reason;
	enum event_op op;
} reasons[] = {
	{ REASON_WALK_LIMIT, OP_OPEN_READ },   { REASON_DISCONNECTED, OP_EXEC },
	{ REASON_NAMELESS, OP_EXEC },	       { REASON_PROTECTED, OP_RENAME },
	{ REASON_FAMILY, OP_CONNECT },	       { REASON_NOT_IN_FORCE, OP_SENDMSG },
	{ REASON_NOT_IN_FORCE, OP_OPEN_READ }, { REASON_OWN, OP_UNLINK },
};

static void fail(const char *name, const char *why)
{
	fprintf(stderr, "seeds: %s: %s\n", name, why);
	exit(1);
}

static void must_decode(const char *name, const unsigned char *record, size_t len)
{
	struct decoded_event event;

	if (decode_event(record, len, &event))
		fail(name, "decode_event() does not take it: make it a valid record again");
	decoded_event_free(&event);
}

static void put(const char *dir, const char *kind, struct event header, const char *path,
		const char *path2)
{
	static unsigned int number;
	unsigned char record[FIXTURE_RECORD_MAX];
	const char *exe = header.flags & EVENT_PATH_MISSING ? NULL : PYTHON;
	size_t len = fixture_record(record, header, path, path2, exe);
	_cleanup_free_ char *name = NULL;
	_cleanup_fd_ int fd = -1;

	if (asprintf(&name, "%s/%s-%03u", dir, kind, ++number) < 0)
		fail(kind, strerror(ENOMEM));
	must_decode(name, record, len);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, record, len) != (ssize_t)len)
		fail(name, strerror(errno));
}

/* path for what has one; the other end of a rename is the next of the names. */
static void put_op(const char *dir, const char *kind, struct event header, size_t path)
{
	const struct op_info *op = op_info(header.op);

	put(dir, kind, header, op->kind == EVENT_NET || op->kind == EVENT_GUARD ? NULL : paths[path],
	    op->has_path2 ? paths[(path + 1) % ARRAY_SIZE(paths)] : NULL);
}

static void put_found(const char *dir)
{
	put(dir, "found-del-in-advice", fixture_event(OP_OPEN_WRITE), "/t/\x7f/x", NULL);
	put(dir, "found-del-in-advice", fixture_event(OP_RENAME), "/t/\x7f/x", "/\x7f/y");
}

static uint32_t rule_of(enum event_kind kind, size_t i)
{
	switch (kind) {
	case EVENT_FILE: return file_rules[i % ARRAY_SIZE(file_rules)];
	case EVENT_EXEC: return exec_rules[i % ARRAY_SIZE(exec_rules)];
	default: return net_rules[i % ARRAY_SIZE(net_rules)];
	}
}

/* Each operation with each of the names, by default and by a rule. */
static void put_ops(const char *dir)
{
	for (enum event_op op = OP_OPEN_READ; op_info(op); op++)
		for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
			struct event header = by_rule(op, rule_of(op_info(op)->kind, i));

			put_op(dir, "default", fixture_event(op), i);
			if (op_info(op)->kind == EVENT_GUARD)
				continue;
			header.verdict = VERDICT_ALLOW + i % 3;
			header.object_mode = 0100644;
			put_op(dir, "rule", header, i);
		}
}

static void put_reasons(const char *dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		put_op(dir, "reason", by_reason(reasons[i].op, reasons[i].reason),
		       i % ARRAY_SIZE(paths));
}

static void put_flags(const char *dir)
{
	for (unsigned int flag = EVENT_PATH_TRUNCATED; flag <= EVENT_BY_CGROUP; flag <<= 1)
		for (enum event_op op = OP_OPEN_READ; op_info(op); op += 3) {
			struct event header = fixture_event(op);

			header.flags = flag;
			if (flag == EVENT_PATH_MISSING)
				put(dir, "flag", header, NULL, NULL);
			else
				put_op(dir, "flag", header, op % ARRAY_SIZE(paths));
		}
}

static void put_endpoints(const char *dir)
{
	static const int families[] = { AF_INET6, AF_UNIX, AF_PACKET, AF_NETLINK, AF_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct event header = fixture_event(OP_SENDMSG);

		header.net.family = (__u16)families[i];
		header.net.addr[0] = 0xfe;
		header.net.protocol = (__u16)(i * 262 / 2);
		header.net.port = (__u16)(i % 2 * 53);
		put_op(dir, "endpoint", header, 0);
	}
}

/* Strings of all the room there is, deep and wide. */
static void put_longest(const char *dir)
{
	char deep[EVENT_STRINGS_MAX - sizeof(PYTHON) + 2] = "";

	for (size_t i = 0; i + 2 < sizeof(deep); i += 2)
		memcpy(deep + i, "/x", 3);
	put(dir, "long", fixture_event(OP_OPEN_WRITE), deep, NULL);
	memset(deep + 1, 'x', sizeof(deep) - 2);
	put(dir, "long", fixture_event(OP_OPEN_WRITE), deep, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: seeds DIR\n", stderr);
		return 2;
	}
	put_found(argv[1]);
	put_ops(argv[1]);
	put_reasons(argv[1]);
	put_flags(argv[1]);
	put_endpoints(argv[1]);
	put_longest(argv[1]);
	return 0;
}
