/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who asks: as the kernel says, never as the message says.
 */
#ifndef JOBCAGE_DAEMON_PEER_H
#define JOBCAGE_DAEMON_PEER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "daemon/daemon.h"
#include "daemon/message.h"

#define PEER_GROUPS_MAX 65536 /* NGROUPS_MAX */

struct peer {
	pid_t pid;
	int pidfd; /* of the same process; the message's */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* with the primary one; owned */
	size_t group_cnt;
};

/*
 * The sender of a message must be the process that connected, must send a pidfd of itself first
 * among its descriptors, so that the process id cannot be another's by the time it is used, and
 * must be in no job. Returns 0 or -errno. Free with peer_free().
 */
int peer_identify(struct daemon *daemon, int sock, const struct message *message, struct error *err,
		  struct peer *ret_peer);
void peer_free(struct peer *peer);

#endif
