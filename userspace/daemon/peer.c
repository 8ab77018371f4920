// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who asks; see peer.h. */
#include "daemon/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "job/process.h"
#include "kern/jobs.h"

/*
 * A pidfd that came with the message and whose process still has the number that the kernel gave
 * the message can only be of its sender.
 */
static int check_pidfd(const struct message *message, struct error *err)
{
	int pidfd = message_fd(message, 0);
	pid_t pid;

	if (!message->has_sender || message->sender.pid <= 0)
		return error_set(err, -EPERM, "the request comes from another PID namespace");
	if (pidfd < 0 || process_of_pidfd(pidfd, &pid))
		return error_set(err, -EINVAL, "the request carries no pidfd of its sender");
	if (pid != message->sender.pid)
		return error_set(err, -EPERM, "the request's pidfd is not of its sender");
	return 0;
}

static int check_connection(int sock, const struct message *message, struct error *err)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return error_errno(err, -errno, "cannot see who has connected");
	if (peer.pid != message->sender.pid || peer.uid != message->sender.uid)
		return error_set(err, -EPERM,
				 "the request comes from another process than the connection");
	return 0;
}

static int check_outside(struct daemon *daemon, const struct message *message, struct error *err)
{
	struct job_label label;
	int r = job_of_pid(daemon->controller->kern, message_fd(message, 0), &label);

	if (!r)
		return error_set(err, -EPERM, "a process in a job cannot ask the daemon");
	return r == -ENOENT ? 0 : error_errno(err, r, "cannot tell whether the sender is in a job");
}

static int read_groups(int sock, const struct ucred *sender, struct peer *peer)
{
	socklen_t len = 64 * sizeof(gid_t);
	gid_t *groups = malloc(len + sizeof(gid_t));

	while (groups && getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len)) {
		if (errno != ERANGE || len > PEER_GROUPS_MAX * sizeof(gid_t)) {
			free(groups);
			return -errno;
		}
		free(groups);
		groups = malloc(len + sizeof(gid_t));
	}
	if (!groups)
		return -ENOMEM;
	peer->group_cnt = len / sizeof(gid_t);
	groups[peer->group_cnt++] = sender->gid;
	peer->groups = groups;
	return 0;
}

int peer_identify(struct daemon *daemon, int sock, const struct message *message, struct error *err,
		  struct peer *ret_peer)
{
	struct peer peer = {
		.pid = message->sender.pid,
		.uid = message->sender.uid,
		.gid = message->sender.gid,
		.pidfd = message_fd(message, 0),
	};
	int r = check_pidfd(message, err);

	if (!r)
		r = check_connection(sock, message, err);
	if (!r)
		r = check_outside(daemon, message, err);
	if (r)
		return r;
	r = read_groups(sock, &message->sender, &peer);
	if (r)
		return error_errno(err, r, "cannot read the sender's groups");
	*ret_peer = peer;
	return 0;
}

void peer_free(struct peer *peer)
{
	free(peer->groups);
	*peer = (struct peer){ .pidfd = -1 };
}
