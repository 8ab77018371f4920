/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Egress by name: what a policy's domains are for the kernel, and what it learns of them. See
 * docs/names.md.
 *
 * A domain is known by an id, a hash of its text ("*.example.com"), which is the same in every policy; 0 is
 * none. Domains are flattened when compiled, as prefixes are: the nearest has what is open by the wider ones.
 */
#ifndef JOBCAGE_ABI_NAMES_H
#define JOBCAGE_ABI_NAMES_H

#include "dns.h"
#include "policy.h"

/* names_by_policy[slot]: hash of struct dns_name. */
struct name_value {
	__u64 exact; /* the domain of the name itself */
	__u64 below; /* of all names below it */
};

/* domains_by_policy[slot]: hash of ids. */
struct domain_value {
	struct net_value span; /* in ports_by_policy[slot] */
};

/* resolvers_by_policy[slot]: hash of addresses, 128 bits; whatever the value. */
#define RESOLVERS_MAX 8

#define LEARNED_DOMAINS 8
#define LEARNED_PER_JOB 4096

/* What an address was an answer for, and until when; 0: nothing. Written by one word each. */
struct learned {
	__u64 domain[LEARNED_DOMAINS];
	__u64 until_ns[LEARNED_DOMAINS]; /* CLOCK_BOOTTIME */
};

#define NAME_TTL_MIN 60
#define NAME_TTL_MAX 86400

enum address_class {
	ADDRESS_PUBLIC = 0,
	ADDRESS_PRIVATE = 1, /* needs "private" */
	ADDRESS_CLOSED = 2,  /* no name opens it */
};

ABI_FUNCTION enum address_class address_class_v4(const __u8 *a)
{
	switch (a[0]) {
	case 0:
	case 127: return ADDRESS_CLOSED;
	case 10: return ADDRESS_PRIVATE;
	case 100:
		if (a[1] == 100 && a[2] == 100 && a[3] == 200) /* a cloud's metadata */
			return ADDRESS_CLOSED;
		return a[1] >> 6 == 1 ? ADDRESS_PRIVATE : ADDRESS_PUBLIC;
	case 168: /* another's */
		return a[1] == 63 && a[2] == 129 && a[3] == 16 ? ADDRESS_CLOSED : ADDRESS_PUBLIC;
	case 169: return a[1] == 254 ? ADDRESS_CLOSED : ADDRESS_PUBLIC;
	case 172: return a[1] >> 4 == 1 ? ADDRESS_PRIVATE : ADDRESS_PUBLIC;
	case 192:
		if (!a[1] && !a[2]) /* for protocols; metadata of one more */
			return ADDRESS_CLOSED;
		return a[1] == 168 ? ADDRESS_PRIVATE : ADDRESS_PUBLIC;
	case 198: return a[1] >> 1 == 9 ? ADDRESS_PRIVATE : ADDRESS_PUBLIC;
	default: return a[0] >= 224 ? ADDRESS_CLOSED : ADDRESS_PUBLIC;
	}
}

ABI_FUNCTION __u32 address_word(const __u8 *a, int at)
{
	return (__u32)a[at] << 24 | (__u32)a[at + 1] << 16 | (__u32)a[at + 2] << 8 | a[at + 3];
}

/* fd00:ec2::254, fd20:ce::254 and fd00:42::42: each a cloud's. */
ABI_FUNCTION __u32 address_is_metadata_v6(const __u8 *a)
{
	__u32 first = address_word(a, 0), last = address_word(a, 12);

	if (address_word(a, 4) || address_word(a, 8))
		return 0;
	return (last == 0x254 && (first == 0xfd000ec2 || first == 0xfd2000ce)) ||
	       (last == 0x42 && first == 0xfd000042);
}

/* 128 bits in network order. */
ABI_FUNCTION enum address_class address_class(const __u8 *a)
{
	__u32 first = address_word(a, 0), second = address_word(a, 4), third = address_word(a, 8);

	if (!first && !second) /* mapped; or compatible, the loopback, unspecified */
		return third == 0xffff ? address_class_v4(a + 12) : ADDRESS_CLOSED;
	if (first == 0x0064ff9b && !second && !third) /* NAT64 */
		return address_class_v4(a + 12);
	if (address_is_metadata_v6(a))
		return ADDRESS_CLOSED;
	if (a[0] == 0xff || first >> 22 == 0xfe80 >> 6 || first >> 16 == 0x2002)
		return ADDRESS_CLOSED; /* multicast, link-local, 6to4 */
	if (first == 0x0064ff9b && second >> 16 == 1) /* NAT64 of a site's own */
		return ADDRESS_PRIVATE;
	return a[0] >> 1 == 0xfc >> 1 || first >> 22 == 0xfec0 >> 6 ? ADDRESS_PRIVATE : ADDRESS_PUBLIC;
}

_Static_assert(sizeof(struct name_value) == 16, "name_value is ABI");
_Static_assert(sizeof(struct domain_value) == 8, "domain_value is ABI");
_Static_assert(sizeof(struct learned) == 128, "learned is ABI");
_Static_assert(__builtin_offsetof(struct learned, until_ns) == 64, "learned is ABI");

#endif
