/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages of DNS (RFC 1035, 6891, 7873), as far as names that rules name need: one question on its way
 * out, the addresses of an answer on its way in. See docs/names.md.
 *
 * The kernel programs read by these steps, and so do the tests. Each step looks at one byte or one record
 * and moves forward, so whoever repeats it DNS_STEPS times is at the end. Names in answers are skipped:
 * no pointer is ever followed. A message stands in a buffer of DNS_MESSAGE_MAX bytes, whatever its
 * length; what lies behind its length is never believed.
 */
#ifndef JOBCAGE_ABI_DNS_H
#define JOBCAGE_ABI_DNS_H

#include "types.h"

#define DNS_PORT 53
#define DNS_MESSAGE_MAX 4096 /* a power of two */
#define DNS_STEPS DNS_MESSAGE_MAX
#define DNS_HEADER_LEN 12
#define DNS_QUESTION_MAX 512 /* a question as dns_question_end() accepts it is shorter */
#define DNS_NAME_SIZE 256    /* a power of two; a name takes 255 at most */
#define DNS_NAME_MAX 255
#define DNS_LABEL_MAX 63

enum dns_type {
	DNS_A = 1,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_HTTPS = 65,
};

enum dns_number {
	DNS_CLASS_IN = 1,
	DNS_POINTER = 0xc0,          /* the upper bits of a compressed name's length */
	DNS_FLAG_RESPONSE = 0x8000,
	DNS_OPCODE_MASK = 0x7800,
	DNS_RCODE_MASK = 0x000f,
	DNS_QUESTION_FLAGS = 0x0130, /* RD, AD, CD */
	DNS_EDNS_DO = 0x8000,
	DNS_OPT_LEN = 11,            /* without options */
	DNS_OPTION_COOKIE = 10,
	DNS_RECORD_LEN = 10,         /* type, class, TTL and length */
};

/* What a name is compared as: lower case, labels with their lengths, the root, and zeros behind. */
struct dns_name {
	__u8 wire[DNS_NAME_SIZE];
};

enum dns_progress {
	DNS_GO_ON = 0,
	DNS_DONE = 1,
	DNS_ADDRESS = 2, /* a record that has one: dns_walk says where */
	DNS_BAD = 3,
};

/* Where a name is being read. */
struct dns_reader {
	__u32 at;   /* of the message */
	__u32 len;  /* of the message */
	__u32 left; /* bytes of the label */
	__u32 cnt;  /* bytes of the name so far */
};

/* Where in the records of an answer. */
struct dns_walk {
	__u32 at;
	__u32 len;
	__u32 left;       /* records */
	__u32 is_in_name; /* 0: at what follows the name */
	__u32 ttl;        /* of the record that has an address */
	__u32 address_at;
	__u32 address_len; /* 4 or 16 */
};

/* What the compiler knows of an offset the verifier may have lost, so it is masked wherever it is used. */
ABI_FUNCTION __u32 dns_mask(__u32 at, __u32 size)
{
	__asm__ volatile("" : "+r"(at));
	return at & (size - 1);
}

ABI_FUNCTION __u32 dns_u8(const __u8 *message, __u32 at)
{
	return message[dns_mask(at, DNS_MESSAGE_MAX)];
}

ABI_FUNCTION __u32 dns_u16(const __u8 *message, __u32 at)
{
	return dns_u8(message, at) << 8 | dns_u8(message, at + 1);
}

ABI_FUNCTION __u32 dns_u32(const __u8 *message, __u32 at)
{
	return dns_u16(message, at) << 16 | dns_u16(message, at + 2);
}

ABI_FUNCTION __u8 dns_lower(__u8 c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* --- the question ----------------------------------------------------------------------------- */

ABI_FUNCTION struct dns_reader dns_reader_of(__u32 len)
{
	return (struct dns_reader){ .at = DNS_HEADER_LEN, .len = len };
}

/* One byte of the name in the question. The name's buffer is zero before the first. */
ABI_FUNCTION enum dns_progress dns_name_step(struct dns_reader *reader, const __u8 *message, __u8 *name)
{
	__u32 is_length = !reader->left;
	__u8 c;

	if (reader->at >= reader->len || reader->cnt >= DNS_NAME_MAX)
		return DNS_BAD;
	c = dns_u8(message, reader->at);
	if (is_length && c > DNS_LABEL_MAX)
		return DNS_BAD;
	reader->left = is_length ? c : reader->left - 1;
	name[dns_mask(reader->cnt, DNS_NAME_SIZE)] = is_length ? c : dns_lower(c);
	reader->cnt++;
	reader->at++;
	return is_length && !c ? DNS_DONE : DNS_GO_ON;
}

/* Behind the name: the question's type, and where it ends; 0: there is no whole one of class IN. */
ABI_FUNCTION __u32 dns_question_type(const struct dns_reader *reader, const __u8 *message)
{
	if (reader->len < 4 || reader->at > reader->len - 4 ||
	    dns_u16(message, reader->at + 2) != DNS_CLASS_IN)
		return 0;
	return dns_u16(message, reader->at);
}

ABI_FUNCTION __u32 dns_is_type_asked(__u32 type)
{
	return type == DNS_A || type == DNS_AAAA || type == DNS_HTTPS;
}

/* The header of a message that asks one thing and brings nothing but, at most, one OPT record. */
ABI_FUNCTION __u32 dns_is_question(const __u8 *message, __u32 len)
{
	return len > DNS_HEADER_LEN && !(dns_u16(message, 2) & ~DNS_QUESTION_FLAGS) &&
	       dns_u16(message, 4) == 1 && !dns_u16(message, 6) && !dns_u16(message, 8) &&
	       dns_u16(message, 10) <= 1;
}

/* Nothing, or a cookie. */
ABI_FUNCTION __u32 dns_is_option_fair(const __u8 *message, __u32 at, __u32 len)
{
	if (!len)
		return 1;
	if (len < 4 || dns_u16(message, at) != DNS_OPTION_COOKIE || dns_u16(message, at + 2) != len - 4)
		return 0;
	return len - 4 == 8 || (len - 4 >= 16 && len - 4 <= 40);
}

ABI_FUNCTION __u32 dns_is_opt_fair(const __u8 *message, __u32 at, __u32 len)
{
	if (len - at < DNS_OPT_LEN || dns_u8(message, at) || dns_u16(message, at + 1) != DNS_OPT)
		return 0;
	/* The extended code and the version are zero; of the flags there is one. */
	if (dns_u16(message, at + 5) || dns_u16(message, at + 7) & ~DNS_EDNS_DO)
		return 0;
	return dns_u16(message, at + 9) == len - at - DNS_OPT_LEN &&
	       dns_is_option_fair(message, at + DNS_OPT_LEN, len - at - DNS_OPT_LEN);
}

/* Does the question that the reader has read the name of end as it should, with nothing behind it? */
ABI_FUNCTION __u32 dns_question_end(const struct dns_reader *reader, const __u8 *message)
{
	__u32 at = reader->at + 4;

	if (!dns_is_type_asked(dns_question_type(reader, message)))
		return 0;
	if (!dns_u16(message, 10))
		return at == reader->len;
	return at < reader->len && dns_is_opt_fair(message, at, reader->len);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* A response to one question. */
ABI_FUNCTION __u32 dns_is_response(const __u8 *message, __u32 len)
{
	__u32 flags = dns_u16(message, 2);

	return len > DNS_HEADER_LEN && flags & DNS_FLAG_RESPONSE && !(flags & DNS_OPCODE_MASK) &&
	       dns_u16(message, 4) == 1;
}

/* From behind the question, whose name the reader has read. An error answers with nothing. */
ABI_FUNCTION struct dns_walk dns_walk_of(const struct dns_reader *reader, const __u8 *message)
{
	return (struct dns_walk){
		.at = reader->at + 4,
		.len = reader->len,
		.left = dns_u16(message, 2) & DNS_RCODE_MASK ? 0 : dns_u16(message, 6),
		.is_in_name = 1,
	};
}

ABI_FUNCTION enum dns_progress dns_skip_label(struct dns_walk *walk, const __u8 *message)
{
	__u32 c = dns_u8(message, walk->at);

	if (c > DNS_LABEL_MAX && c < DNS_POINTER)
		return DNS_BAD;
	walk->is_in_name = c && c < DNS_POINTER;
	walk->at += c < DNS_POINTER ? c + 1 : 2;
	return DNS_GO_ON;
}

ABI_FUNCTION enum dns_progress dns_read_record(struct dns_walk *walk, const __u8 *message)
{
	__u32 type = dns_u16(message, walk->at), class = dns_u16(message, walk->at + 2);
	__u32 ttl = dns_u32(message, walk->at + 4), len = dns_u16(message, walk->at + 8);

	if (walk->len < DNS_RECORD_LEN || walk->at > walk->len - DNS_RECORD_LEN ||
	    len > walk->len - DNS_RECORD_LEN - walk->at)
		return DNS_BAD;
	walk->address_at = walk->at + DNS_RECORD_LEN;
	walk->at = walk->address_at + len;
	walk->left--;
	walk->is_in_name = 1;
	if (class != DNS_CLASS_IN || (type != DNS_A && type != DNS_AAAA))
		return DNS_GO_ON;
	walk->address_len = type == DNS_A ? 4 : 16;
	walk->ttl = ttl >> 31 ? 0 : ttl; /* RFC 2181, 8 */
	return len == walk->address_len ? DNS_ADDRESS : DNS_BAD;
}

/* One label, or what follows a name. */
ABI_FUNCTION enum dns_progress dns_walk_step(struct dns_walk *walk, const __u8 *message)
{
	if (!walk->left)
		return DNS_DONE;
	if (walk->at >= walk->len)
		return DNS_BAD;
	return walk->is_in_name ? dns_skip_label(walk, message) : dns_read_record(walk, message);
}

_Static_assert(sizeof(struct dns_name) == DNS_NAME_SIZE, "dns_name is ABI");

#endif
