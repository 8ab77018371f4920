// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on packets; see attempt.h.
 *
 * All between sockets of the canary's own, on addresses of the loopback that nobody uses: no other
 * program stands in the way there, so what is refused is refused by the programs that see packets.
 */
#include "job/attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <string.h>

#include "base/cleanup.h"

#define PATIENCE_S 1 /* for a datagram that must come */

static struct sockaddr_in address_of(const struct destination *at)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(at->port) };

	memcpy(&a.sin_addr, &at->addr[12], sizeof(a.sin_addr));
	return a;
}

/* At port 0: at one that is free. ret_at is where it came to be. */
static int new_socket(const struct destination *at, struct sockaddr_in *ret_at)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = address_of(at);
	socklen_t len = sizeof(a);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len))
		return -errno;
	*ret_at = a;
	return TAKE_FD(fd);
}

/* A network whose loopback is down. */
static bool is_no_way(int r)
{
	return r == -ENETUNREACH || r == -ENETDOWN || r == -EADDRNOTAVAIL;
}

static int send_to(int fd, const struct sockaddr_in *to, char token)
{
	return sendto(fd, &token, 1, MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof(*to)) < 0 ?
		       -errno :
		       0;
}

/* Two sockets of our own at the attempt's address, and where the first can be reached. */
static int make_pair(const struct attempt *attempt, int *ret_receiver, int *ret_sender,
		     struct sockaddr_in *ret_to)
{
	struct destination any = attempt->to;
	struct sockaddr_in from;

	any.port = 0;
	*ret_receiver = new_socket(&any, ret_to);
	*ret_sender = new_socket(&any, &from);
	return *ret_receiver < 0 ? *ret_receiver : *ret_sender < 0 ? *ret_sender : 0;
}

static int send_to_own(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int receiver = -1, sender = -1;
	struct sockaddr_in to;
	char token;
	int r = make_pair(attempt, &receiver, &sender, &to);

	if (r)
		return act_impossible(result, r);
	r = send_to(sender, &to, 'a');
	if (is_no_way(r))
		return act_impossible(result, r);
	return !r && recv(receiver, &token, 1, 0) != 1 ? -errno : r;
}

/* The least of IP options: nothing but an end. */
static int send_with_options(const struct attempt *attempt, struct attempt_result *result)
{
	static const uint8_t options[4] = { IPOPT_EOL };
	_cleanup_fd_ int receiver = -1, sender = -1;
	struct sockaddr_in to;
	int r = make_pair(attempt, &receiver, &sender, &to);

	if (r)
		return act_impossible(result, r);
	if (setsockopt(sender, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)))
		return act_impossible(result, -errno);
	r = send_to(sender, &to, 'a');
	return is_no_way(r) ? act_impossible(result, r) : r;
}

/*
 * A socket that is connected with itself is nobody to its other peers, so its datagrams are a
 * stranger's. If the second one comes, which is not, the first has not come.
 */
static int receive_from_stranger(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int receiver = -1, stranger = -1, sender = -1;
	struct destination any = attempt->to;
	struct sockaddr_in to, from, other;
	char token = '\0';
	int r;

	any.port = 0;
	receiver = new_socket(&attempt->to, &to);
	stranger = new_socket(&attempt->from, &from);
	sender = new_socket(&any, &other);
	if (receiver < 0 || stranger < 0 || sender < 0)
		return act_impossible(result, -EADDRINUSE);
	if (connect(stranger, (struct sockaddr *)&from, sizeof(from)))
		return is_no_way(-errno) ? act_impossible(result, -errno) : -errno;
	r = send_to(stranger, &to, 's');
	if (!r)
		r = send_to(sender, &to, 'o');
	if (!r && recv(receiver, &token, 1, 0) != 1)
		r = -errno;
	if (r)
		return r;
	return token == 's' ? 0 : -EPERM;
}

#define PACKET_ACT(act_name, act_hook, act_what, act_fn, act_op, act_reason)                   \
	{                                                                                      \
		.name = act_name, .hook = act_hook, .what = act_what, .run = act_fn,           \
		.refusal = EPERM, .proof = PROOF_PACKET, .op = act_op, .reason = act_reason,   \
		.is_by_cgroup = true                                                           \
	}

const struct act packet_out_act =
	PACKET_ACT("packet out", "cgroup_skb/egress", "a datagram with IP options", send_with_options,
		   OP_PACKET_OUT, REASON_HEADER);

const struct act packet_in_act =
	PACKET_ACT("packet in", "cgroup_skb/ingress", "a datagram from a port that no rule names",
		   receive_from_stranger, OP_PACKET_IN, REASON_DEFAULT);

const struct act allowed_own_act = {
	.name = "allowed own socket",
	.what = "a datagram over the loopback between sockets of the job",
	.run = send_to_own,
	.noted_by = "cgroup/sock_create",
};
