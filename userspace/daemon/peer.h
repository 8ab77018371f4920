/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who asks: as the kernel says, never as the message says.
 */
#ifndef JOBCAGE_DAEMON_PEER_H
#define JOBCAGE_DAEMON_PEER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "daemon/message.h"

#define PEER_GROUPS_MAX 65536 /* NGROUPS_MAX */

struct peer {
	pid_t pid;
	int pidfd, proc; /* of the same process: a pidfd, and its directory below /proc; owned */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* with the primary one; owned */
	size_t group_cnt;
};

#define PEER_NONE                       \
	{                               \
		.pidfd = -1, .proc = -1 \
	}

/*
 * The sender of a message must be the process that connected, and must hold a pidfd of itself under
 * the number that the message says: no process that the number was given to meanwhile does. Returns
 * 0 or -errno. Free with peer_free().
 */
int peer_identify(int sock, const struct message *message, struct error *err, struct peer *ret_peer);
void peer_free(struct peer *peer);

/*
 * Opens the directory that the sender has open under that number, without asking its file system
 * anything. Returns a descriptor (O_PATH) or -errno.
 */
int peer_open_dir(const struct peer *peer, int number);

#endif
