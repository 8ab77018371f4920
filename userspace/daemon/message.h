/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages between the commands and the daemon: one JSON object in one packet of a SOCK_SEQPACKET
 * socket. docs/controller.md lists the operations.
 *
 * The daemon takes no descriptor from anybody: closing one can wait for whoever serves the file, as
 * long as he likes. A request names descriptors by their number in the sender's table ("pidfd",
 * "body", "scratch"), and the daemon opens what it can know to be harmless (daemon/peer.h). What
 * comes along unasked stays in the socket, which is closed by another process (daemon/discard.h).
 *
 * What does not fit a packet travels in a memfd: of a request, the one that "body" names; of an
 * answer, one that comes with it. Both sides read it into memory of their own, so it cannot change
 * under their eyes.
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

/* Of a request, however large: a policy in it is one value, a text. */
#define MESSAGE_VALUES_MAX 256

/* --- requests: the commands' side ------------------------------------------------------------- */

/*
 * Sends a request; json is an object and gets the member "pidfd". *ret_body: a descriptor to keep
 * open until the answer is there, or -1. Returns 0, or -errno: -EMSGSIZE if it is too large.
 */
int message_ask(int sock, json_t *json, int pidfd, int *ret_body);

/*
 * Takes an answer, with a body of at most MESSAGE_BODY_MAX bytes. Returns 1, 0 if the daemon has
 * hung up, or -errno: -EBADMSG for what is none, -EAGAIN.
 */
int message_receive_answer(int sock, json_t **ret_json);

/* --- requests: the daemon's side -------------------------------------------------------------- */

struct message {
	json_t *json;        /* an object of MESSAGE_VERSION; owned */
	bool has_sender;     /* the socket has SO_PASSCRED */
	struct ucred sender; /* as the kernel says */
};

/*
 * Takes one packet. Returns 1, 0 if the other side has hung up, or -errno: -EBADMSG for what is no
 * message, also if descriptors come with it, which stay; -EPROTONOSUPPORT for one of another version; -EAGAIN.
 */
int message_receive(int sock, struct message *ret_message);
void message_free(struct message *message);

/*
 * Lets the other side send nothing more, and drops what it has sent. Returns false if descriptors are
 * in it: then the socket must not be closed by who cannot wait.
 */
bool message_discard_all(int sock);

/*
 * Opens a memfd of max bytes at most that a request is in. proc: the sender's directory below /proc;
 * number: of the descriptor there. Takes no other kind of file, and looks at none in a way that could
 * wait for who serves it. Returns 0 or -errno, -EBADMSG as above, -EMSGSIZE.
 */
int message_open_body(int proc, int number, size_t max, size_t *ret_len, int *ret_fd);

/* The request in it, in memory of our own. Returns 0 or -errno, -EBADMSG and -EPROTONOSUPPORT as above. */
int message_read_body(int fd, size_t len, json_t **ret_json);

/* Sends an answer. Returns 0, or -errno: -EAGAIN if the other side takes none now. */
int message_answer(int sock, const json_t *json);

/* A string member, or NULL; the number of a descriptor, or -1. */
const char *message_string(const struct message *message, const char *key);
int message_number(const struct message *message, const char *key);

#endif
