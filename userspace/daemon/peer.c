// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who asks; see peer.h. */
#include "daemon/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/process.h"

#define PIDFS_MAGIC 0x50494446 /* include/uapi/linux/magic.h */

static int refuse_pidfd(int code, struct error *err)
{
	return error_set(err, code,
			 code == -EPERM ? "the request's pidfd is not of its sender"
					: "the request names no pidfd of its sender");
}

/*
 * Since Linux 6.9 every process has an inode of its own on a file system that only pidfds are on. So
 * what the number stands for is told by its name, and nothing is asked of a file that may be
 * anything. Returns 1 if this kernel has no such file system.
 */
static int check_inode(const struct peer *peer, int number, struct error *err)
{
	struct statx ours, theirs;
	struct statfs fs;
	char path[64];
	_cleanup_fd_ int fd = -1;

	if (fstatfs(peer->pidfd, &fs) ||
	    statx(peer->pidfd, "", AT_EMPTY_PATH, STATX_INO, &ours))
		return error_errno(err, -errno, "cannot see who asks");
	if (fs.f_type != PIDFS_MAGIC)
		return 1;
	snprintf(path, sizeof(path), "fd/%d", number);
	fd = number < 0 ? -1 : openat(peer->proc, path, O_PATH | O_CLOEXEC);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &theirs) ||
	    theirs.stx_dev_major != ours.stx_dev_major || theirs.stx_dev_minor != ours.stx_dev_minor)
		return refuse_pidfd(-EINVAL, err);
	return theirs.stx_ino == ours.stx_ino ? 0 : refuse_pidfd(-EPERM, err);
}

/* Reading this may wait for whoever has the file: an epoll, if it is no pidfd. */
static int check_fdinfo(const struct peer *peer, int number, struct error *err)
{
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "fdinfo/%d", number);
	if (number < 0 || process_of_fdinfo(peer->proc, path, &pid))
		return refuse_pidfd(-EINVAL, err);
	return pid == peer->pid ? 0 : refuse_pidfd(-EPERM, err);
}

/*
 * A process id may be another's by now. That one could be told by a pidfd of itself that it happens
 * to hold under the same number, which only commands of jobcage do.
 */
static int check_own_pidfd(const struct peer *peer, int number, struct error *err)
{
	int r = check_inode(peer, number, err);

	return r > 0 ? check_fdinfo(peer, number, err) : r;
}

static int open_process(const struct message *message, struct error *err, struct peer *peer)
{
	int r;

	if (!message->has_sender || message->sender.pid <= 0)
		return error_set(err, -EPERM, "the request comes from another PID namespace");
	peer->proc = process_open(peer->pid);
	if (peer->proc < 0)
		return error_errno(err, peer->proc, "cannot see who asks");
	peer->pidfd = syscall(SYS_pidfd_open, peer->pid, 0);
	if (peer->pidfd < 0)
		return error_errno(err, -errno, "cannot see who asks");
	r = check_own_pidfd(peer, message_number(message, "pidfd"), err);
	if (r)
		return r;
	/* Alive still, so its number, and with it the directory, was its own all the time. */
	r = process_check(peer->pid, peer->pidfd);
	return r ? error_errno(err, r, "who asks is gone") : 0;
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

int peer_identify(int sock, const struct message *message, struct error *err, struct peer *ret_peer)
{
	_cleanup_(peer_free) struct peer peer = {
		.pid = message->sender.pid,
		.uid = message->sender.uid,
		.gid = message->sender.gid,
		.pidfd = -1,
		.proc = -1,
	};
	int r = open_process(message, err, &peer);

	if (!r)
		r = check_connection(sock, message, err);
	if (r)
		return r;
	r = read_groups(sock, &message->sender, &peer);
	if (r)
		return error_errno(err, r, "cannot read the sender's groups");
	*ret_peer = peer;
	peer = (struct peer)PEER_NONE;
	return 0;
}

void peer_free(struct peer *peer)
{
	cleanup_fd(&peer->pidfd);
	cleanup_fd(&peer->proc);
	free(peer->groups);
	*peer = (struct peer)PEER_NONE;
}

int peer_open_dir(const struct peer *peer, int number)
{
	char path[64];
	int fd;

	if (number < 0)
		return -EBADF;
	snprintf(path, sizeof(path), "fd/%d", number);
	fd = openat(peer->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
