// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Messages of DNS as the kernel programs read them, by the very same steps: which questions go out, and
 * which addresses an answer has. Every refused message has an accepted one beside it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "abi/names.h"

#define RECORDS_MAX 4096

struct message {
	uint8_t bytes[DNS_MESSAGE_MAX];
	uint32_t len;
};

static void put(struct message *m, const void *bytes, size_t len)
{
	assert_true(m->len + len <= sizeof(m->bytes));
	memcpy(m->bytes + m->len, bytes, len);
	m->len += (uint32_t)len;
}

static void put_u16(struct message *m, unsigned int value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(m, bytes, sizeof(bytes));
}

static void put_header(struct message *m, unsigned int flags, unsigned int answers, unsigned int additional)
{
	put_u16(m, 0x1234);
	put_u16(m, flags);
	put_u16(m, 1);
	put_u16(m, answers);
	put_u16(m, 0);
	put_u16(m, additional);
}

/* "a.example" */
static void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");
		uint8_t length = (uint8_t)len;

		put(m, &length, 1);
		put(m, name, len);
		name += len + (name[len] == '.');
	}
	put(m, "", 1);
}

static struct message question(const char *name, unsigned int type)
{
	struct message m = { .len = 0 };

	put_header(&m, 0x0100, 0, 0);
	put_name(&m, name);
	put_u16(&m, type);
	put_u16(&m, DNS_CLASS_IN);
	return m;
}

static struct message answer(const char *name, unsigned int type, unsigned int records)
{
	struct message m = question(name, type);

	m.bytes[2] = 0x81;
	m.bytes[3] = 0x80;
	m.bytes[6] = (uint8_t)(records >> 8);
	m.bytes[7] = (uint8_t)records;
	return m;
}

/* Its name is a pointer to the question's. */
static void put_record(struct message *m, unsigned int type, unsigned int ttl, const void *data, size_t len)
{
	put_u16(m, 0xc00c);
	put_u16(m, type);
	put_u16(m, DNS_CLASS_IN);
	put_u16(m, ttl >> 16);
	put_u16(m, ttl & 0xffff);
	put_u16(m, (unsigned int)len);
	put(m, data, len);
}

static enum dns_progress read_name(const struct message *m, struct dns_reader *reader, struct dns_name *name)
{
	enum dns_progress progress = DNS_GO_ON;

	memset(name, 0, sizeof(*name));
	*reader = dns_reader_of(m->len);
	for (int i = 0; i < DNS_STEPS && progress == DNS_GO_ON; i++)
		progress = dns_name_step(reader, m->bytes, name->wire);
	return progress;
}

static bool goes_out(const struct message *m)
{
	struct dns_reader reader;
	struct dns_name name;

	return dns_is_question(m->bytes, m->len) && read_name(m, &reader, &name) == DNS_DONE &&
	       dns_question_end(&reader, m->bytes);
}

struct learned_record {
	uint8_t address[16];
	uint32_t len, ttl;
};

/* -1: the message is bad. */
static int learn(const struct message *m, struct learned_record *records)
{
	enum dns_progress progress = DNS_GO_ON;
	struct dns_reader reader;
	struct dns_walk walk;
	struct dns_name name;
	int cnt = 0;

	if (!dns_is_response(m->bytes, m->len) || read_name(m, &reader, &name) != DNS_DONE ||
	    !dns_question_type(&reader, m->bytes))
		return -1;
	walk = dns_walk_of(&reader, m->bytes);
	for (int i = 0; i < DNS_STEPS && progress != DNS_DONE && progress != DNS_BAD; i++) {
		progress = dns_walk_step(&walk, m->bytes);
		if (progress != DNS_ADDRESS)
			continue;
		records[cnt].len = walk.address_len;
		records[cnt].ttl = walk.ttl;
		memcpy(records[cnt++].address, m->bytes + walk.address_at, walk.address_len);
	}
	return progress == DNS_DONE ? cnt : -1;
}

static struct learned_record records[RECORDS_MAX];

/* --- questions -------------------------------------------------------------------------------- */

static void plain_questions_go_out(void **state)
{
	static const unsigned int refused[] = { 0, 2, 5, 6, 10, 12, 16, 33, 41, 64, 250, 252, 255, 257 };
	struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		m = question("a.example", refused[i]);
		assert_false(goes_out(&m));
	}
	m = question("a.example", DNS_A);
	assert_true(goes_out(&m));
	m = question("a.example", DNS_AAAA);
	assert_true(goes_out(&m));
	m = question("a.example", DNS_HTTPS);
	assert_true(goes_out(&m));
	m.bytes[m.len - 1] = 3; /* class CHAOS */
	assert_false(goes_out(&m));
}

static void names_are_folded(void **state)
{
	struct message m = question("wWw.EXAMPLE-1.Org", DNS_A);
	struct dns_reader reader;
	struct dns_name name;

	(void)state;
	assert_int_equal(read_name(&m, &reader, &name), DNS_DONE);
	assert_memory_equal(name.wire, "\3www\11example-1\3org\0\0", 20);
	assert_int_equal(reader.cnt, 19);
}

static void every_header_bit_counts(void **state)
{
	struct message m = question("a.example", DNS_A);
	int open = 0;

	(void)state;
	for (uint32_t bit = 16; bit < DNS_HEADER_LEN * 8; bit++) {
		struct message changed = m;

		changed.bytes[bit / 8] ^= 0x80 >> bit % 8;
		open += goes_out(&changed);
	}
	assert_int_equal(open, 3); /* RD, AD, CD */
}

static void nothing_behind_a_question(void **state)
{
	struct message m = question("a.example", DNS_A);

	(void)state;
	assert_true(goes_out(&m));
	put(&m, "x", 1);
	assert_false(goes_out(&m));
	for (m.len -= 2; m.len; m.len--)
		assert_false(goes_out(&m));
}

static struct message with_opt(unsigned int version, unsigned int flags, const void *options, size_t len)
{
	struct message m = question("a.example", DNS_A);

	m.bytes[11] = 1;
	put(&m, "", 1);
	put_u16(&m, DNS_OPT);
	put_u16(&m, 1232);
	put_u16(&m, version);
	put_u16(&m, flags);
	put_u16(&m, (unsigned int)len);
	put(&m, options, len);
	return m;
}

static void options_are_cookies(void **state)
{
	static const char cookie[] = "\0\12\0\10abcdefgh";
	static const char long_cookie[] = "\0\12\0\50abcdefghabcdefghabcdefghabcdefghabcdefgh";
	static const char odd_cookie[] = "\0\12\0\11abcdefghi";
	static const char subnet[] = "\0\10\0\10\0\1\40\0\1\2\3\4";
	struct message m;

	(void)state;
	m = with_opt(0, 0, "", 0);
	assert_true(goes_out(&m));
	m.len--;
	assert_false(goes_out(&m));
	m = with_opt(0, DNS_EDNS_DO, "", 0);
	assert_true(goes_out(&m));
	m = with_opt(0, 1, "", 0);
	assert_false(goes_out(&m));
	m = with_opt(1, 0, "", 0);
	assert_false(goes_out(&m));
	m = with_opt(0, 0, cookie, sizeof(cookie) - 1);
	assert_true(goes_out(&m));
	m = with_opt(0, 0, long_cookie, sizeof(long_cookie) - 1);
	assert_true(goes_out(&m));
	m = with_opt(0, 0, odd_cookie, sizeof(odd_cookie) - 1);
	assert_false(goes_out(&m));
	m = with_opt(0, 0, subnet, sizeof(subnet) - 1);
	assert_false(goes_out(&m));
	m = with_opt(0, 0, "\0\12\0\10abcdefgh\0\12\0\10abcdefgh", 24);
	assert_false(goes_out(&m));
}

static void lengths_of_names(void **state)
{
	char name[300] = "", label[65];
	struct message m;

	(void)state;
	memset(label, 'a', 64);
	label[63] = '\0';
	m = question(label, DNS_A);
	assert_true(goes_out(&m));
	label[63] = 'a';
	label[64] = '\0';
	m = question(label, DNS_A);
	assert_false(goes_out(&m));
	for (int i = 0; i < 126; i++)
		strcat(name, "a.");
	strcat(name, "a"); /* 253 characters */
	m = question(name, DNS_A);
	assert_true(goes_out(&m));
	strcat(name, "a");
	m = question(name, DNS_A);
	assert_false(goes_out(&m));
}

static void names_of_questions_are_not_compressed(void **state)
{
	struct message m = { .len = 0 };

	(void)state;
	put_header(&m, 0x0100, 0, 0);
	put(&m, "\1a\xc0\x0c", 4);
	put_u16(&m, DNS_A);
	put_u16(&m, DNS_CLASS_IN);
	assert_false(goes_out(&m));
}

/* --- answers ---------------------------------------------------------------------------------- */

static void addresses_are_found(void **state)
{
	struct message m = answer("a.example", DNS_A, 4);
	uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

	(void)state;
	put_record(&m, 5, 300, "\1b\xc0\x0e", 4); /* a.example is b.example */
	put_record(&m, DNS_A, 300, "\xc0\0\2\1", 4);
	put_record(&m, DNS_AAAA, 0x80000000, v6, 16);
	put_record(&m, DNS_A, 0x7fffffff, "\xc0\0\2\2", 4);
	put(&m, "what follows is not read", 24);
	assert_int_equal(learn(&m, records), 3);
	assert_memory_equal(records[0].address, "\xc0\0\2\1", 4);
	assert_int_equal(records[0].ttl, 300);
	assert_memory_equal(records[1].address, v6, 16);
	assert_int_equal(records[1].ttl, 0);
	assert_memory_equal(records[2].address, "\xc0\0\2\2", 4);
	m.bytes[3] = 0x83; /* no such name: nothing is learned, whatever stands there */
	assert_int_equal(learn(&m, records), 0);
	m.bytes[2] = 0x01; /* a question */
	assert_int_equal(learn(&m, records), -1);
}

static void other_classes_are_not(void **state)
{
	struct message m = answer("a.example", DNS_A, 1);

	(void)state;
	put_record(&m, DNS_A, 300, "\xc0\0\2\1", 4);
	assert_int_equal(learn(&m, records), 1);
	m.bytes[m.len - 11] = 3;
	assert_int_equal(learn(&m, records), 0);
}

static void truncated_answers(void **state)
{
	struct message m = answer("a.example", DNS_A, 2);
	uint32_t end;

	(void)state;
	put_record(&m, DNS_A, 300, "\xc0\0\2\1", 4);
	put_record(&m, DNS_A, 300, "\xc0\0\2\2", 4);
	assert_int_equal(learn(&m, records), 2);
	for (end = m.len, m.len = 0; m.len < end; m.len++)
		assert_int_equal(learn(&m, records), -1);
	m.bytes[7] = 3;
	assert_int_equal(learn(&m, records), -1);
}

static void lengths_of_addresses(void **state)
{
	struct message m = answer("a.example", DNS_A, 1);

	(void)state;
	put_record(&m, DNS_A, 300, "\xc0\0\2\1\0", 5);
	assert_int_equal(learn(&m, records), -1);
	m = answer("a.example", DNS_A, 1);
	put_record(&m, DNS_A, 300, "", 0);
	assert_int_equal(learn(&m, records), -1);
	m = answer("a.example", DNS_A, 1);
	put_record(&m, DNS_AAAA, 300, "\xc0\0\2\1", 4);
	assert_int_equal(learn(&m, records), -1);
}

/* A pointer to itself, or ahead, leads nowhere: it is passed over like any other. */
static void loops_of_pointers(void **state)
{
	struct message m = answer("a.example", DNS_A, 2);
	uint32_t first = m.len;

	(void)state;
	put_record(&m, DNS_A, 300, "\xc0\0\2\1", 4);
	put_record(&m, DNS_A, 300, "\xc0\0\2\2", 4);
	m.bytes[first] = (uint8_t)(DNS_POINTER | first >> 8);
	m.bytes[first + 1] = (uint8_t)first;
	m.bytes[m.len - 16] = 0xff;
	m.bytes[m.len - 15] = 0xff;
	assert_int_equal(learn(&m, records), 2);
}

static void labels_in_answers(void **state)
{
	static const int lengths[] = { 1, 63, 64, 0x7f, 0x80, 0xbf };
	char label[0xbf] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct message m = answer("a.example", DNS_A, 1);
		uint8_t len = (uint8_t)lengths[i];

		put(&m, &len, 1);
		put(&m, label, len);
		put(&m, "\0\0\1\0\1\0\0\0\0\0\4\xc0\0\2\1", 15);
		assert_int_equal(learn(&m, records), len <= DNS_LABEL_MAX ? 1 : -1);
	}
}

static void as_many_records_as_there_is_room_for(void **state)
{
	struct message m = answer("a.example", DNS_A, 254);

	(void)state;
	for (int i = 0; i < 254; i++)
		put_record(&m, DNS_A, 300, "\xc0\0\2\1", 4);
	assert_int_equal(learn(&m, records), 254);
	m.bytes[6] = 0xff; /* 65,278 records, it says */
	assert_int_equal(learn(&m, records), -1);
	m = answer("", DNS_A, 371); /* the smallest records: the root's, without data */
	while (m.len + 11 <= sizeof(m.bytes))
		put(&m, "\0\0\1\0\1\0\0\0\0\0\0", 11);
	assert_int_equal(learn(&m, records), -1);
}

/* --- addresses -------------------------------------------------------------------------------- */

static enum address_class class_of(const char *text)
{
	uint8_t address[16] = { [10] = 0xff, [11] = 0xff };
	unsigned int b[8];

	if (sscanf(text, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]) == 4) {
		for (int i = 0; i < 4; i++)
			address[12 + i] = (uint8_t)b[i];
		return address_class(address);
	}
	assert_int_equal(sscanf(text, "%x:%x:%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
				&b[6], &b[7]), 8);
	for (int i = 0; i < 8; i++) {
		address[2 * i] = (uint8_t)(b[i] >> 8);
		address[2 * i + 1] = (uint8_t)b[i];
	}
	return address_class(address);
}

static void classes_of_addresses(void **state)
{
	static const char *const closed[] = {
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.169.254", "169.254.0.1", "224.0.0.1",
		"240.0.0.1", "255.255.255.255", "0:0:0:0:0:0:0:0", "0:0:0:0:0:0:0:1", "0:0:0:0:0:0:c000:201",
		"0:0:0:0:0:ffff:a9fe:a9fe", "64:ff9b:0:0:0:0:7f00:1", "64:ff9b:0:0:0:0:a9fe:a9fe", "fd00:ec2:0:0:0:0:0:254",
		"fd20:ce:0:0:0:0:0:254", "fd00:42:0:0:0:0:0:42", "100.100.100.200", "168.63.129.16", "192.0.0.192", "64:ff9b:0:0:0:0:a83f:8110",
		"fe80:0:0:0:0:0:0:1", "febf:0:0:0:0:0:0:1", "ff02:0:0:0:0:0:0:1", "2002:c000:201:0:0:0:0:1",
	};
	static const char *const private[] = {
		"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1",
		"100.127.255.255", "198.18.0.1", "198.19.255.255", "fc00:0:0:0:0:0:0:1", "fdff:0:0:0:0:0:0:1",
		"fec0:0:0:0:0:0:0:1", "64:ff9b:0:0:0:0:a00:1", "fd00:ec2:0:0:0:0:0:253", "100.100.100.199", "64:ff9b:1:0:0:0:101:101",
		"fd20:ce:0:0:0:0:0:42", "fd00:42:0:0:0:0:0:254",
	};
	static const char *const public[] = {
		"9.255.255.255", "11.0.0.0", "126.0.0.1", "128.0.0.1", "169.253.0.1", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "192.169.0.0", "100.63.255.255", "100.128.0.0", "198.17.255.255", "198.20.0.0",
		"223.255.255.255", "1.1.1.1", "168.63.129.17", "192.0.1.0", "192.1.0.0", "2001:db8:0:0:0:0:0:1", "64:ff9b:0:0:0:0:101:101", "2606:4700:0:0:0:0:0:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		assert_int_equal(class_of(closed[i]), ADDRESS_CLOSED);
	for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
		assert_int_equal(class_of(private[i]), ADDRESS_PRIVATE);
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
		assert_int_equal(class_of(public[i]), ADDRESS_PUBLIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_questions_go_out),
		cmocka_unit_test(names_are_folded),
		cmocka_unit_test(every_header_bit_counts),
		cmocka_unit_test(nothing_behind_a_question),
		cmocka_unit_test(options_are_cookies),
		cmocka_unit_test(lengths_of_names),
		cmocka_unit_test(names_of_questions_are_not_compressed),
		cmocka_unit_test(addresses_are_found),
		cmocka_unit_test(other_classes_are_not),
		cmocka_unit_test(truncated_answers),
		cmocka_unit_test(lengths_of_addresses),
		cmocka_unit_test(loops_of_pointers),
		cmocka_unit_test(labels_in_answers),
		cmocka_unit_test(as_many_records_as_there_is_room_for),
		cmocka_unit_test(classes_of_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
