// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The words of an alert: what a denial says and proposes, and names that no longer do harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../ocsf/fixture.h"
#include "alert/line.h"
#include "alert/message.h"
#include "alert/ocsf.h"
#include "alert/text.h"
#include "base/cleanup.h"

static char *message_of(struct event header, const char *path, const char *path2)
{
	const struct decoded_event event = { .event = header, .path = (char *)path, .path2 = (char *)path2 };
	const struct cause cause = cause_of(&fixture_policy, &header);
	char *text = fixture_message(&event, &cause);

	assert_non_null(text);
	assert_true(text_is_utf8(text));
	return text;
}

static void expect_message(struct event header, const char *path, const char *path2, const char *expected)
{
	_cleanup_free_ char *text = message_of(header, path, path2);

	assert_string_equal(text, expected);
}

/* The message has expected in it. */
static void expect_part(struct event header, const char *path, const char *expected)
{
	_cleanup_free_ char *text = message_of(header, path, NULL);

	assert_non_null(strstr(text, expected));
}

static void test_file_messages(void **state)
{
	(void)state;
	expect_message(
		by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS), "/srv/datasets/digits/train.csv", NULL,
		"python3 (pid 812) was denied opening /srv/datasets/digits/train.csv for writing: rule "
		"\"dataset:digits\" grants read. To allow it, change the grant in the policy to: "
		"{\"datasets\": [{\"name\": \"digits\", \"access\": \"write\"}]}");
	expect_message(
		by_rule(OP_OPEN_READ, FIXTURE_FACES), "/srv/datasets/faces/a", NULL,
		"python3 (pid 812) was denied opening /srv/datasets/faces/a for reading: rule \"dataset:faces\" "
		"grants no access. To allow it, add to the policy: "
		"{\"datasets\": [{\"name\": \"faces\", \"access\": \"read\"}]}");
	expect_message(
		fixture_event(OP_OPEN_WRITE), "/var/x/y", NULL,
		"python3 (pid 812) was denied opening /var/x/y for writing: no rule names it, and "
		"filesystem.default is \"read\". To allow it, add to the policy: "
		"{\"filesystem\": {\"rules\": [{\"path\": \"/var/x/y\", \"access\": \"write\"}]}}");
	/* A name is made and removed at its directory: a rule must name what exists and stays. */
	expect_message(
		fixture_event(OP_UNLINK), "/var/x/y", NULL,
		"python3 (pid 812) was denied removing /var/x/y: no rule names it, and filesystem.default is "
		"\"read\". To allow it, add to the policy: "
		"{\"filesystem\": {\"rules\": [{\"path\": \"/var/x\", \"access\": \"write\"}]}}");
	expect_message(
		by_rule(OP_MKDIR, FIXTURE_CONFIG), "/etc/train/new", NULL,
		"python3 (pid 812) was denied creating the directory /etc/train/new: rule \"config\" grants read. "
		"To allow it, change the rule in the policy to: "
		"{\"filesystem\": {\"rules\": [{\"path\": \"/etc/train\", \"access\": \"write\"}]}}");
}

static void test_two_paths(void **state)
{
	(void)state;
	expect_message(
		fixture_event(OP_RENAME), "/a/x", "/b/x",
		"python3 (pid 812) was denied renaming /a/x to /b/x: no rule names it, and filesystem.default is "
		"\"read\". To allow it, add to the policy: {\"filesystem\": {\"rules\": [{\"path\": \"/a\", "
		"\"access\": \"write\"}, {\"path\": \"/b\", \"access\": \"write\"}]}}");
	expect_message(
		by_rule(OP_RENAME, FIXTURE_CONFIG), "/tmp/x", "/etc/train/sub/x",
		"python3 (pid 812) was denied renaming /tmp/x to /etc/train/sub/x: rule \"config\" grants read. To "
		"allow it, add to the policy: {\"filesystem\": {\"rules\": [{\"path\": \"/etc/train/sub\", "
		"\"access\": \"write\"}]}}");
	expect_message(
		fixture_event(OP_LINK), "/a/x", "/a/y",
		"python3 (pid 812) was denied giving /a/x a second name /a/y: no rule names it, and "
		"filesystem.default is \"read\". To allow it, add to the policy: "
		"{\"filesystem\": {\"rules\": [{\"path\": \"/a\", \"access\": \"write\"}]}}");
}

static void test_mount_messages(void **state)
{
	(void)state;
	expect_message(by_reason(OP_MOUNT, REASON_MOUNTS), "/mnt", NULL,
		       "python3 (pid 812) was denied mounting at /mnt: "
		       "mounts is \"deny\". To allow it, add to the policy: {\"mounts\": "
		       "\"allow\"}");
	expect_message(by_reason(OP_OPEN_WRITE, REASON_KERNEL_FILE), "/proc/sys/vm/swappiness", NULL,
		       "python3 (pid 812) was denied opening /proc/sys/vm/swappiness for writing: it "
		       "controls the kernel, so that only a rule can open it for writing, and no "
		       "default. To allow it, add to the policy: {\"filesystem\": {\"rules\": "
		       "[{\"path\": \"/proc/sys/vm/swappiness\", \"access\": \"write\"}]}}");
}

static void test_device_messages(void **state)
{
	(void)state;
	expect_message(by_reason(OP_OPEN_READ, REASON_DEVICE), "/dev/loop0", NULL,
		       "python3 (pid 812) was denied opening /dev/loop0 for reading: it is a device, which "
		       "takes orders from whoever has it open, so that only a rule can open it, and no "
		       "default. To allow it, add to the policy: {\"filesystem\": {\"rules\": "
		       "[{\"path\": \"/dev/loop0\", \"access\": \"read\"}]}}");
	expect_message(by_reason(OP_MKNOD, REASON_NODE), "/srv/out/sda", NULL,
		       "python3 (pid 812) was denied creating the device, FIFO or socket /srv/out/sda: a node would "
		       "be the device of its number under the rules of its place, so a job makes none but null, "
		       "zero, full, random, urandom, tty and ptmx. No policy entry can allow it: let a rule name "
		       "the node in /dev, or 'devices' what it is for.");
	expect_message(by_reason(OP_IOCTL, REASON_TERMINAL), "/dev/pts/0", NULL,
		       "python3 (pid 812) was denied altering /dev/pts/0 by ioctl: whoever reads from the "
		       "terminal next would take it for typed. No policy entry can allow it.");
}

static void test_link_message(void **state)
{
	(void)state;
	expect_message(by_reason(OP_OPEN_WRITE, REASON_LINKED), "/out/x", NULL,
		       "python3 (pid 812) was denied opening /out/x for writing: the file has another name (hard link), "
		       "which may be in a dataset that the job may not write to. No policy entry can allow it: give the "
		       "job a copy of the file, or keep its own files on another file system than the datasets.");
}

static void test_setid_message(void **state)
{
	(void)state;
	expect_message(by_reason(OP_CHMOD, REASON_SETID), "/out/x", NULL,
		       "python3 (pid 812) was denied changing the mode of /out/x to 0000: whoever starts it, outside "
		       "too, would run as its owner or with its group. To allow it, name CAP_SETFCAP in the "
		       "policy's capabilities.");
}

static void test_exec_messages(void **state)
{
	struct event memfd = by_reason(OP_EXEC, REASON_NAMELESS);

	(void)state;
	expect_message(
		fixture_event(OP_EXEC), "/usr/local/bin/x", NULL,
		"python3 (pid 812) was denied running /usr/local/bin/x: no rule names it, and exec.default is "
		"\"deny\". To allow it, add to the policy: {\"exec\": {\"allow\": [\"/usr/local/bin/x\"]}}");
	expect_message(
		by_rule(OP_EXEC, FIXTURE_NO_SHELL), "/usr/bin/dash", NULL,
		"python3 (pid 812) was denied running /usr/bin/dash: rule \"exec.deny:/usr/bin/dash\" denies it. To "
		"allow it, take the path from the policy's exec.deny and add: "
		"{\"exec\": {\"allow\": [\"/usr/bin/dash\"]}}");
	memfd.flags = EVENT_PATH_DETACHED;
	expect_message(
		memfd, NULL, NULL,
		"python3 (pid 812) was denied running a file without a recorded path: code must come from a file with "
		"a name, and this one is a memfd, deleted or otherwise nameless. No policy entry can allow it: run the "
		"program from a file that exec.allow names.");
}

static void test_net_messages(void **state)
{
	struct event v6 = fixture_event(OP_SENDMSG), raw = fixture_event(OP_SENDMSG);
	struct event packet = by_reason(OP_SENDMSG, REASON_FAMILY);

	(void)state;
	expect_message(
		fixture_event(OP_CONNECT), NULL, NULL,
		"python3 (pid 812) was denied connecting to 192.0.2.7 port 443/tcp: no rule names it, and "
		"egress.default is \"deny\". To allow it, add to the policy: {\"egress\": {\"allow\": [{\"cidr\": "
		"\"192.0.2.7/32\", \"protocol\": \"tcp\", \"ports\": [443]}]}}");
	v6.net = (struct event_net){ .addr = { 0x20, 1, 0xd, 0xb8, [15] = 9 },
				     .port = 53,
				     .family = AF_INET6,
				     .type = SOCK_DGRAM };
	expect_message(
		v6, NULL, NULL,
		"python3 (pid 812) was denied sending to 2001:db8::9 port 53/udp: no rule names it, and "
		"egress.default is \"deny\". To allow it, add to the policy: {\"egress\": {\"allow\": [{\"cidr\": "
		"\"2001:db8::9/128\", \"protocol\": \"udp\", \"ports\": [53]}]}}");
	raw.net.protocol = IPPROTO_ICMP;
	raw.net.port = 0;
	expect_message(
		raw, NULL, NULL,
		"python3 (pid 812) was denied sending to 192.0.2.7 over icmp: no rule names it, and egress.default "
		"is \"deny\". No policy entry can allow it: rules name a TCP or UDP port of an IP address.");
	packet.net = (struct event_net){ .family = AF_PACKET, .type = SOCK_RAW };
	expect_message(
		packet, NULL, NULL,
		"python3 (pid 812) was denied sending to an address of family AF_PACKET: rules name TCP and UDP over "
		"IPv4 and IPv6, and nothing else leaves. No policy entry can allow it: use TCP or UDP over IPv4 or "
		"IPv6.");
}

/* What cannot be named is not proposed: the root directory, what is cut off, detached or no UTF-8. */
static void test_unnameable(void **state)
{
	static const char no_path[] =
		"To allow it, add a rule to filesystem.rules for the directory that holds it; the record "
		"has no path that a rule should name (inode 131074 on device 8:1).";
	struct event cut = fixture_event(OP_OPEN_WRITE), detached = cut, deleted = cut;

	(void)state;
	expect_part(fixture_event(OP_CREATE), "/x", no_path);
	expect_part(fixture_event(OP_OPEN_WRITE), "/", no_path);
	expect_part(fixture_event(OP_OPEN_WRITE), "/\xff", no_path);
	cut.flags = EVENT_PATH_TRUNCATED;
	expect_part(cut, ".../b/c", no_path);
	detached.flags = EVENT_PATH_DETACHED;
	expect_part(detached, "/b/c", no_path);
	expect_part(fixture_event(OP_OPEN_WRITE), "/ok/bad\xff/c",
		    "[{\"path\": \"/ok\", \"access\": \"write\"}]");
	deleted.flags = EVENT_PATH_DELETED;
	expect_part(deleted, "/b/c", "[{\"path\": \"/b\", \"access\": \"write\"}]");
}

/* A name cannot continue the sentence. */
static void test_forged_names(void **state)
{
	struct event header = fixture_event(OP_OPEN_WRITE);

	(void)state;
	strcpy(header.comm, "a\x1b[2J: rule \"");
	expect_part(header, "/t/\n\xff\\\"\xe2\x80\xae x",
		    "\"a\\x1b[2J: rule \\x22\" (pid 812) was denied opening "
		    "\"/t/\\x0a\\xff\\x5c\\x22\\xe2\\x80\\xae x\" for writing: ");
	header.comm[0] = '\0';
	expect_part(header, "/a", "a process (pid 812) was denied opening /a for writing: ");
}

/* A name that JSON can carry is proposed exactly, and in ASCII where showing it would mislead. */
static void test_advice_is_exact(void **state)
{
	_cleanup_free_ char *sly = message_of(fixture_event(OP_OPEN_WRITE), "/t/\xe2\x80\xae\x7f\n\"", NULL);
	json_auto_t *policy = json_loads(strchr(sly, '{'), 0, NULL);
	json_t *rules = json_object_get(json_object_get(policy, "filesystem"), "rules");

	(void)state;
	expect_part(fixture_event(OP_OPEN_WRITE), "/t/\xc3\xa9t\xc3\xa9",
		    "\"path\": \"/t/\xc3\xa9t\xc3\xa9\"");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rules, 0), "path")),
			    "/t/\xe2\x80\xae\x7f\n\"");
	assert_null(strstr(sly, "\xe2\x80\xae"));
	assert_null(strchr(sly, '\x7f'));
}

static size_t unescape(const char *text, char *out)
{
	size_t len = 0;

	while (*text) {
		unsigned int byte;

		if (*text == '\\') {
			assert_int_equal(sscanf(text, "\\x%2x", &byte), 1);
			out[len++] = (char)byte;
			text += 4;
		} else {
			out[len++] = *text++;
		}
	}
	out[len] = '\0';
	return len;
}

/* Escaping loses nothing, is valid UTF-8, and is plain. */
static void test_escape_round_trip(void **state)
{
	unsigned int seed = 1;
	char raw[64], back[64];

	(void)state;
	for (int round = 0; round < 100000; round++) {
		size_t len = (size_t)(rand_r(&seed) % 24);
		_cleanup_free_ char *text = NULL;

		for (size_t i = 0; i < len; i++) {
			int kind = rand_r(&seed) % 4, byte = rand_r(&seed);

			raw[i] = (char)(kind == 0 ? 0xe0 | (byte & 0x1f) :
					kind == 1 ? 0x80 | (byte & 0x3f) :
						    byte);
			raw[i] = raw[i] ? raw[i] : '\\';
		}
		raw[len] = '\0';
		text = text_escape(raw);
		assert_non_null(text);
		assert_true(text_is_utf8(text));
		assert_int_equal(unescape(text, back), len);
		assert_memory_equal(raw, back, len);
	}
}

static void expect_escaped(const char *raw, const char *expected)
{
	_cleanup_free_ char *text = text_escape(raw);

	assert_string_equal(text, expected);
	assert_int_equal(text_is_plain(raw), !strcmp(raw, expected));
}

static void test_escape(void **state)
{
	(void)state;
	expect_escaped("plain /path.txt", "plain /path.txt");
	expect_escaped("\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80",
		       "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80");
	expect_escaped("\xc0\xaf", "\\xc0\\xaf");                   /* overlong */
	expect_escaped("\xe0\x80\xaf", "\\xe0\\x80\\xaf");          /* overlong */
	expect_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
	expect_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	expect_escaped("\xe6\x97", "\\xe6\\x97");                   /* cut off */
	expect_escaped("\xc2\x9b"
		       "0m",
		       "\\xc2\\x9b"
		       "0m"); /* C1: CSI */
	expect_escaped("\x7f\t", "\\x7f\\x09");
	expect_escaped("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"); /* tag */
	expect_escaped("\\x41", "\\x5cx41");
	expect_escaped("", "");
}

/* --- how long an event becomes ---------------------------------------------------------------- */

#define DATAGRAM_MAX 65507
#define SYSLOG_MAX 600

static void fill(char *room, size_t size, char byte, char end)
{
	memset(room, byte, size - 1);
	for (size_t i = 0; i < size - 1; i += 200)
		room[i] = '/';
	room[size - 2] = end;
	room[size - 1] = '\0';
}

static json_t *event_of(const char *names, const struct ancestor *ancestors, size_t *ret_len)
{
	const struct decoded_event event = {
		.event = by_rule(OP_RENAME, FIXTURE_DIGITS),
		.path = (char *)names,
		.path2 = (char *)names,
		.exe = (char *)names,
		.cnt = 1,
		.ancestors = ancestors,
		.ancestor_cnt = 5,
	};
	struct alert_job job = fixture_job;
	struct line *line;
	json_t *json;

	job.command = job.user = names;
	job.pid = event.event.tgid;
	assert_int_equal(ocsf_decision(&job, &event, 1, 0, &line), 0);
	json = json_loadb(line->text, line->len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	*ret_len = line->len;
	line_unref(line);
	return json;
}

/* Whatever a job calls its files, a receiver of datagrams gets to know of it; no other name is cut. */
static void test_longest(void **state)
{
	static const char bytes[] = { '\x01', '\x80', '"', '\\', 'a' };
	struct ancestor ancestors[5];
	char names[4096];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		json_auto_t *json = NULL;
		const char *path = NULL;
		int is_cut = 0;

		fill(names, sizeof(names), bytes[i], 'z');
		for (size_t a = 0; a < ARRAY_SIZE(ancestors); a++) {
			fill(ancestors[a].name, sizeof(ancestors[a].name), bytes[i], 'z');
			fill(ancestors[a].program, sizeof(ancestors[a].program), bytes[i], 'z');
			ancestors[a].pid = 1;
			ancestors[a].start_ns = 1;
		}
		json = event_of(names, ancestors, &len);
		assert_true(len + SYSLOG_MAX <= DATAGRAM_MAX);
		assert_int_equal(json_unpack(json, "{s:{s?b}, s:{s:s}}", "metadata", "is_truncated",
					     &is_cut, "file", "path", &path), 0);
		assert_int_equal(path[strlen(path) - 1], 'z');
		assert_true(is_cut == (strstr(path, "...") != NULL));
	}
	json_decref(event_of("/short", ancestors, &len));
	assert_true(len < 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_messages),
		cmocka_unit_test(test_two_paths),
		cmocka_unit_test(test_mount_messages),
		cmocka_unit_test(test_device_messages),
		cmocka_unit_test(test_link_message),
		cmocka_unit_test(test_setid_message),
		cmocka_unit_test(test_exec_messages),
		cmocka_unit_test(test_net_messages),
		cmocka_unit_test(test_unnameable),
		cmocka_unit_test(test_forged_names),
		cmocka_unit_test(test_advice_is_exact),
		cmocka_unit_test(test_escape_round_trip),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
