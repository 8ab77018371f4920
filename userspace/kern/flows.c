// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Connections that are cut; see flows.h. */
#include "kern/flows.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A listener stays, and what has no socket any more is nobody's. */
#define STATES                                                                                     \
	(1U << TCP_ESTABLISHED | 1U << TCP_SYN_SENT | 1U << TCP_SYN_RECV | 1U << TCP_FIN_WAIT1 |  \
	 1U << TCP_FIN_WAIT2 | 1U << TCP_CLOSE_WAIT | 1U << TCP_LAST_ACK | 1U << TCP_CLOSING)

/* As the kernel likes to fill them. */
#define REPLY_SIZE 32768

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 sockets;
	struct rtattr storages;
	struct rtattr map;
	__u32 map_fd;
};

struct order {
	struct nlmsghdr head;
	struct inet_diag_req_v2 socket;
};

/* What a dump looks for, and has found so far. */
struct finds {
	struct job_label label;
	struct inet_diag_msg *found;
	size_t cnt;
};

/* What the kernel says. Of others something may have come before open_netlink() was done, and nothing since. */
static ssize_t receive(int netlink, void *buffer, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(netlink, buffer, size, MSG_TRUNC, (struct sockaddr *)&from, &len);

		if (n >= 0 && from.nl_pid)
			continue;
		if (n >= 0 || errno != EINTR)
			return n < 0 ? -errno : n;
	}
}

/* --- which they are ---------------------------------------------------------------------------- */

static const struct rtattr *attribute_of(const struct rtattr *attribute, int len, int type)
{
	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

/* Of one within another. */
static const struct rtattr *attribute_in(const struct rtattr *outer, int type)
{
	return outer ? attribute_of(RTA_DATA(outer), RTA_PAYLOAD(outer), type) : NULL;
}

static bool is_cut(const struct inet_diag_msg *socket, int len, struct job_label label)
{
	const struct rtattr *first = (const void *)(socket + 1), *value;
	struct sock_mark mark;

	if (len < (int)sizeof(*socket))
		return false;
	value = attribute_of(first, len - (int)sizeof(*socket), INET_DIAG_SK_BPF_STORAGES);
	value = attribute_in(value, SK_DIAG_BPF_STORAGE);
	value = attribute_in(value, SK_DIAG_BPF_STORAGE_MAP_VALUE);
	if (!value || RTA_PAYLOAD(value) < sizeof(mark))
		return false;
	memcpy(&mark, RTA_DATA(value), sizeof(mark));
	return mark.flags & SOCK_IS_CUT && job_label_equal(mark.label, label);
}

static int keep(struct finds *finds, const struct inet_diag_msg *socket)
{
	struct inet_diag_msg *grown =
		reallocarray(finds->found, finds->cnt + 1, sizeof(*finds->found));

	if (!grown)
		return -ENOMEM;
	finds->found = grown;
	finds->found[finds->cnt++] = *socket;
	return 0;
}

/* Returns 0: there is more; 1: that was the last; or -errno. */
static int read_reply(const struct nlmsghdr *head, int len, struct finds *finds)
{
	for (; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
		const struct inet_diag_msg *socket = NLMSG_DATA(head);
		int r = 0;

		if (head->nlmsg_type == NLMSG_DONE)
			return 1;
		if (head->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(head))->error ?: 1;
		if (is_cut(socket, NLMSG_PAYLOAD(head, 0), finds->label))
			r = keep(finds, socket);
		if (r)
			return r;
	}
	return 0;
}

static int read_replies(int netlink, struct finds *finds)
{
	_cleanup_free_ void *reply = malloc(REPLY_SIZE);
	int r = reply ? 0 : -ENOMEM;

	while (!r) {
		ssize_t n = receive(netlink, reply, REPLY_SIZE);

		if (n > REPLY_SIZE)
			r = -EMSGSIZE;
		else
			r = n < 0 ? (int)n : read_reply(reply, (int)n, finds);
	}
	return r < 0 ? r : 0;
}

static int find(int netlink, int mark_fd, __u8 family, struct finds *finds)
{
	struct question question = {
		.head = { .nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.sockets = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP,
			     .idiag_states = STATES },
		.storages = { .rta_len = sizeof(question) - offsetof(struct question, storages),
			      .rta_type = NLA_F_NESTED | INET_DIAG_REQ_SK_BPF_STORAGES },
		.map = { .rta_len = sizeof(question) - offsetof(struct question, map),
			 .rta_type = SK_DIAG_BPF_STORAGE_REQ_MAP_FD },
		.map_fd = mark_fd,
	};

	if (send(netlink, &question, sizeof(question), 0) < 0)
		return -errno;
	return read_replies(netlink, finds);
}

/* --- their end --------------------------------------------------------------------------------- */

/* One that ended by itself meanwhile is as good. */
static int reset(int netlink, const struct inet_diag_msg *socket)
{
	struct order order = {
		.head = { .nlmsg_len = sizeof(order), .nlmsg_type = SOCK_DESTROY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.socket = { .sdiag_family = socket->idiag_family, .sdiag_protocol = IPPROTO_TCP,
			    .id = socket->id },
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
	} answer = { .error.error = -EIO };
	ssize_t n;

	if (send(netlink, &order, sizeof(order), 0) < 0)
		return -errno;
	n = receive(netlink, &answer, sizeof(answer));
	if (n < 0)
		return (int)n;
	return answer.error.error == -ENOENT ? 0 : answer.error.error;
}

static int reset_family(int netlink, int mark_fd, __u8 family, struct job_label label)
{
	struct finds finds = { .label = label };
	int r = find(netlink, mark_fd, family, &finds);

	for (size_t i = 0; !r && i < finds.cnt; i++)
		r = reset(netlink, &finds.found[i]);
	free(finds.found);
	return r;
}

int flows_reset(int netlink, int mark_fd, struct job_label label)
{
	int r = reset_family(netlink, mark_fd, AF_INET, label);

	return r ?: reset_family(netlink, mark_fd, AF_INET6, label);
}

/* Connected, so that the root of a network namespace of the job's cannot speak to it, or fill it. */
static int open_netlink(void)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), r;

	if (fd < 0 || !connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)))
		return fd < 0 ? -errno : fd;
	r = -errno;
	close(fd);
	return r;
}

/* A controller that is in another's network must not go on. */
int flows_open(int pidfd)
{
	_cleanup_fd_ int own = -1;
	int netlink;

	if (pidfd < 0)
		return open_netlink();
	own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0 || setns(pidfd, CLONE_NEWNET))
		return -errno;
	netlink = open_netlink();
	if (setns(own, CLONE_NEWNET))
		abort();
	return netlink;
}
