/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages between the commands and the daemon: one JSON object in one packet of a SOCK_SEQPACKET
 * socket, with descriptors. docs/controller.md lists the operations.
 *
 * What does not fit a packet travels in a memfd, which comes first among the descriptors then. Both
 * sides read such a body into memory of their own, so it cannot change under their eyes, and they
 * take no other kind of file, because reading from some would block.
 */
#ifndef JOBCAGE_DAEMON_MESSAGE_H
#define JOBCAGE_DAEMON_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define CONTROL_SOCKET "/run/jobcage/control.sock"

#define MESSAGE_VERSION 1

#define MESSAGE_PACKET_MAX (16 * 1024)
#define MESSAGE_BODY_MAX (64 * 1024 * 1024)
#define MESSAGE_FDS_MAX 3 /* besides the body */

struct message {
	json_t *json;             /* an object of MESSAGE_VERSION; owned */
	int fds[MESSAGE_FDS_MAX]; /* close-on-exec; owned */
	size_t fd_cnt;
	bool has_sender;     /* the socket has SO_PASSCRED */
	struct ucred sender; /* as the kernel says */
};

/*
 * Sends one message. Returns 0, or -errno: -EAGAIN if the other side takes none now and the socket
 * does not block, -EMSGSIZE if it is too large.
 */
int message_send(int sock, const json_t *json, const int *fds, size_t fd_cnt);

/*
 * Takes one message, with a body of at most body_max bytes. Returns 1, 0 if the other side has hung
 * up, or -errno: -EBADMSG for what is no message, -EPROTONOSUPPORT for one of another version,
 * -EAGAIN.
 */
int message_receive(int sock, size_t body_max, struct message *ret_message);
void message_free(struct message *message);

/* The descriptor at that place, or -1. It stays the message's. */
int message_fd(const struct message *message, size_t at);

/* A string member, or NULL. */
const char *message_string(const struct message *message, const char *key);

#endif
