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
#include "policy/explain.h"
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
		{ AF_INET, SOCK_SEQPACKET, 0, SOCKET_SCTP },
		{ AF_INET6, SOCK_DCCP, 0, SOCKET_DCCP },
		{ AF_INET, SOCK_RDM, 0, SOCKET_OTHER },
		{ AF_INET, SOCK_RDM, IPPROTO_TCP, SOCKET_OTHER },
		{ AF_INET, SOCK_DGRAM, IPPROTO_TCP, SOCKET_NONE },
		{ AF_INET6, SOCK_STREAM, IPPROTO_UDP, SOCKET_NONE },
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
	return fixture_message(&event, &cause);
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

/* --- ingress and Unix sockets --------------------------------------------------------------------- */

static void both_sections_come_back(void **state)
{
	static const char text[] =
		HEAD "\"ingress\": {\"allow\": [{\"cidr\": \"10.0.0.0/8\", \"protocol\": \"any\", \"ports\": [80]}]},\n"
		     "\"unix\": {\"default\": \"allow\", \"allow\": [\"/run/x\", {\"id\": \"log\", \"path\": \"/dev/log\", "
		     "\"optional\": true}]}}";
	struct policy *policy = parse_good(text, NULL), *again;

	(void)state;
	assert_int_equal(policy->ingress_default, INGRESS_DENY);
	assert_int_equal(policy->unix_default, UNIX_ALLOW);
	assert_int_equal(rule_by_id(policy, "ingress:10.0.0.0/8:any:80")->class, RULE_INGRESS);
	assert_true(rule_by_id(policy, "log")->is_optional);
	assert_int_equal(rule_by_id(policy, "unix:/run/x")->access, UNIX_ALLOW);
	again = parse_good(policy->canonical, NULL);
	assert_string_equal(again->digest, policy->digest);
	assert_int_equal(again->rule_cnt, policy->rule_cnt);
	policy_free(again);
	policy_free(policy);
}

static bool has_range(const struct egress_tables *tables, uint8_t protocol, uint16_t port, uint32_t rule)
{
	for (size_t i = 0; i < tables->port_cnt; i++)
		if (tables->ports[i].protocol == protocol && tables->ports[i].lo == port &&
		    tables->ports[i].rule == rule)
			return true;
	return false;
}

/* The two directions share a prefix, and neither opens the other. */
static void directions_are_apart(void **state)
{
	struct policy *policy = parse_good(
		HEAD "\"egress\": {\"allow\": [{\"cidr\": \"10.0.0.0/8\", \"ports\": [80]}]},\n"
		     "\"ingress\": {\"allow\": [{\"cidr\": \"10.0.0.0/8\", \"ports\": [90]}]}}", NULL);
	struct egress_tables tables;

	(void)state;
	assert_int_equal(egress_compile(policy, &tables), 0);
	assert_int_equal(tables.net_cnt, 1);
	assert_int_equal(tables.port_cnt, 2);
	assert_true(has_range(&tables, IPPROTO_TCP, 80, 1));
	assert_true(has_range(&tables, IPPROTO_TCP | PORT_INBOUND, 90, 2));
	egress_tables_free(&tables);
	policy_free(policy);
}

static struct decoded_event packet_in(void)
{
	struct decoded_event event = { .event = fixture_event(OP_PACKET_IN) };

	event.event.flags = EVENT_WITHOUT_TASK | EVENT_BY_CGROUP;
	event.event.net = (struct event_net){ .addr = { [10] = 0xff, 0xff, 192, 0, 2, 9 },
					      .port = 8080, .family = AF_INET, .protocol = IPPROTO_TCP };
	return event;
}

static void a_packet_has_no_process(void **state)
{
	struct decoded_event event = packet_in();
	struct cause cause = cause_of(&fixture_policy, &event.event);
	_cleanup_free_ char *text = fixture_message(&event, &cause);

	(void)state;
	assert_string_equal(text, "a socket of the job was denied receiving from 192.0.2.9 on its port 8080/tcp: no rule "
				  "names it, and ingress.default is \"deny\". To allow it, add to the policy: {\"ingress\": "
				  "{\"allow\": [{\"cidr\": \"192.0.2.9/32\", \"protocol\": \"tcp\", \"ports\": [8080]}]}}");
}

static void expect_unix(const char *path, const char *text)
{
	struct decoded_event event = { .event = fixture_event(OP_UNIX), .path = (char *)path };
	struct cause cause;
	_cleanup_free_ char *message = NULL;

	event.event.net = (struct event_net){ .family = AF_UNIX, .type = SOCK_STREAM };
	cause = cause_of(&fixture_policy, &event.event);
	message = fixture_message(&event, &cause);
	assert_string_equal(message, text);
}

static void unix_sockets_are_named_by_path(void **state)
{
	(void)state;
	expect_unix("/run/docker.sock", "python3 (pid 812) was denied connecting to the Unix socket /run/docker.sock: no rule "
					"names it, and unix.default is \"deny\". To allow it, add to the policy: {\"unix\": "
					"{\"allow\": [\"/run/docker.sock\"]}}");
	expect_unix(NULL, "python3 (pid 812) was denied connecting to a Unix socket without a path: no rule names it, and "
			  "unix.default is \"deny\". No policy entry can allow it: without a path only the job's own sockets "
			  "reach each other.");
}

static void expect_received(struct event_net net, enum event_reason reason, const char *path, const char *text)
{
	struct decoded_event event = { .event = by_reason(OP_RECEIVE_SOCKET, reason), .path = (char *)path };
	struct cause cause;
	_cleanup_free_ char *message = NULL;

	event.event.net = net;
	cause = cause_of(&fixture_policy, &event.event);
	message = fixture_message(&event, &cause);
	assert_string_equal(message, text);
}

static void received_sockets(void **state)
{
	struct event_net tcp = fixture_event(OP_CONNECT).net;
	struct event_net udp = { .family = AF_INET6, .type = SOCK_DGRAM, .protocol = IPPROTO_UDP };
	struct event_net local = { .family = AF_UNIX, .type = SOCK_STREAM };

	(void)state;
	expect_received(tcp, REASON_FOREIGN_SOCKET, NULL,
			"python3 (pid 812) was denied receiving a socket connected to 192.0.2.7 port 443/tcp: it was made outside "
			"the job, where nothing judges what is sent through it. No policy entry can allow it: make the socket in "
			"the job.");
	expect_received(udp, REASON_FOREIGN_SOCKET, NULL,
			"python3 (pid 812) was denied receiving a socket of family AF_INET6, type 2, protocol 17: it was made "
			"outside the job, where nothing judges what is sent through it. No policy entry can allow it: make the "
			"socket in the job.");
	expect_received(local, REASON_DEFAULT, "/run/docker.sock",
			"python3 (pid 812) was denied receiving the Unix socket /run/docker.sock: no rule names it, and "
			"unix.default is \"deny\". To allow it, add to the policy: {\"unix\": {\"allow\": "
			"[\"/run/docker.sock\"]}}");
	expect_received(local, REASON_DEFAULT, NULL,
			"python3 (pid 812) was denied receiving a Unix socket without a path: no rule names it, and unix.default "
			"is \"deny\". No policy entry can allow it: without a path only the job's own sockets reach each other.");
}

static void addresses_of_explain(void **state)
{
	static const char *const wrong[] = { "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:8x", "name:80",
					     "::1:80", "[::1]", "[10.0.0.1]:80", ":80", "[]:80", "10.0.0.1:+80" };
	struct flow flow = { .protocol = IPPROTO_UDP };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(flow_parse(wrong[i], &flow));
	assert_int_equal(flow.port, 0);
	assert_true(flow_parse("10.0.0.1:80", &flow));
	assert_int_equal(flow.port, 80);
	assert_int_equal(flow.addr[15], 1);
	assert_int_equal(flow.addr[11], 0xff);
	assert_true(flow_parse("[2001:db8::2]:65535", &flow));
	assert_int_equal(flow.port, 65535);
	assert_int_equal(flow.addr[0], 0x20);
	assert_int_equal(flow.protocol, IPPROTO_UDP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_are_bits),	      cmocka_unit_test(no_sockets_leave_no_trace),
		cmocka_unit_test(unknown_sockets_are_errors), cmocka_unit_test(every_class_has_a_word),
		cmocka_unit_test(classes),		      cmocka_unit_test(the_advice_can_be_pasted),
		cmocka_unit_test(both_sections_come_back),    cmocka_unit_test(directions_are_apart),
		cmocka_unit_test(a_packet_has_no_process),    cmocka_unit_test(unix_sockets_are_named_by_path),
		cmocka_unit_test(received_sockets),	      cmocka_unit_test(addresses_of_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
