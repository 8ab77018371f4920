// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a policy says of sockets: words and their errors, the canonical form, and that an alert's advice
 * is what the policy understands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../ocsf/fixture.h"
#include "abi/socket.h"
#include "alert/message.h"
#include "base/cleanup.h"
#include "policy/value.h"
#include "policy_fixture.h"

#define HEAD "{\"version\": 1, \"name\": \"t\",\n"

static void sockets_are_bits(void **state)
{
	struct policy *policy = parse_good(HEAD "\"sockets\": [\"raw\", \"ping\", \"raw\"]}", NULL);
	struct policy *again;

	(void)state;
	assert_int_equal(policy->sockets, 1 << SOCKET_PING | 1 << SOCKET_RAW);
	assert_non_null(strstr(policy->canonical, "\"sockets\":[\"ping\",\"raw\"]"));
	again = parse_good(policy->canonical, NULL);
	assert_string_equal(again->digest, policy->digest);
	policy_free(again);
	policy_free(policy);
}

static void no_sockets_leave_no_trace(void **state)
{
	struct policy *policy = parse_good(HEAD "\"sockets\": []}", NULL);

	(void)state;
	assert_int_equal(policy->sockets, 0);
	assert_null(strstr(policy->canonical, "sockets"));
	policy_free(policy);
}

static void unknown_sockets_are_errors(void **state)
{
	(void)state;
	expect_parse_errors(HEAD "\"sockets\": [\"pong\", \"telepathy\"]}", NULL,
			    "p.json:2:13: error: unknown kind of socket 'pong'; did you mean 'ping'? (one of: ping, "
			    "mptcp, sctp, dccp, udplite, smc, raw, packet, netlink, vsock, xdp, alg, rds, tipc)\n"
			    "p.json:2:21: error: unknown kind of socket 'telepathy'; one of: ping, mptcp, sctp, dccp, "
			    "udplite, smc, raw, packet, netlink, vsock, xdp, alg, rds, tipc\n");
}

static void every_class_has_a_word(void **state)
{
	(void)state;
	for (unsigned int class = SOCKET_PLAIN + 1; class < SOCKET_CLASSES; class++)
		assert_non_null(word_text(&socket_words, (uint8_t)class));
	assert_int_equal(socket_words.word_cnt, SOCKET_CLASSES - 1);
}

struct example {
	int family, type, protocol;
	enum socket_class class;
};

static void classes(void **state)
{
	static const struct example examples[] = {
		{ AF_UNIX, SOCK_DGRAM, 0, SOCKET_PLAIN },
		{ AF_INET, SOCK_STREAM, 0, SOCKET_PLAIN },
		{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, SOCKET_PLAIN },
		{ AF_INET, SOCK_DGRAM, IPPROTO_UDP, SOCKET_PLAIN },
		{ AF_NETLINK, SOCK_RAW, 0, SOCKET_PLAIN },
		{ AF_NETLINK, SOCK_DGRAM, 4, SOCKET_NETLINK },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, SOCKET_PING },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, SOCKET_PING },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMP, SOCKET_OTHER },
		{ AF_INET, SOCK_RAW, IPPROTO_UDP, SOCKET_RAW },
		{ AF_INET, SOCK_RAW, 0, SOCKET_RAW },
		{ AF_INET, SOCK_STREAM, 262, SOCKET_MPTCP },
		{ AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, SOCKET_SCTP },
		{ AF_INET, SOCK_SEQPACKET, 0, SOCKET_OTHER },
		{ AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, SOCKET_UDPLITE },
		{ AF_INET, SOCK_DGRAM, 115, SOCKET_OTHER },
		{ AF_PACKET, SOCK_DGRAM, 0, SOCKET_PACKET },
		{ AF_KEY, SOCK_RAW, 2, SOCKET_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		assert_int_equal(socket_class((uint32_t)examples[i].family, (uint32_t)examples[i].type,
					      (uint32_t)examples[i].protocol),
				 examples[i].class);
}

static char *message_of(int family, int type, int protocol, enum event_reason reason)
{
	struct decoded_event event = { .event = by_reason(OP_SOCKET, reason) };
	struct cause cause;

	event.event.net = (struct event_net){ .family = (uint16_t)family, .type = (uint16_t)type,
					      .protocol = (uint16_t)protocol };
	cause = cause_of(&fixture_policy, &event.event);
	return message_decision(&event, &cause);
}

static void the_advice_can_be_pasted(void **state)
{
	_cleanup_free_ char *raw = message_of(AF_INET, SOCK_RAW, IPPROTO_ICMP, REASON_SOCKET);
	_cleanup_free_ char *key = message_of(AF_KEY, SOCK_RAW, 2, REASON_FAMILY);

	(void)state;
	assert_string_equal(raw, "python3 (pid 812) was denied making a socket of family AF_INET, type 3, protocol 1: "
				 "no rule names it, and sockets.default is \"deny\". To allow it, add to the policy: "
				 "{\"sockets\": [\"raw\"]}");
	assert_string_equal(key, "python3 (pid 812) was denied making a socket of family AF_KEY, type 3, protocol 2: "
				 "rules name TCP and UDP over IPv4 and IPv6, and nothing else leaves. No policy entry can "
				 "allow it: use TCP or UDP over IPv4 or IPv6.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_are_bits),	      cmocka_unit_test(no_sockets_leave_no_trace),
		cmocka_unit_test(unknown_sockets_are_errors), cmocka_unit_test(every_class_has_a_word),
		cmocka_unit_test(classes),		      cmocka_unit_test(the_advice_can_be_pasted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
