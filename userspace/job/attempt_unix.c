// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on Unix sockets; see attempt.h. The sockets at the other end are the controller's, in the
 * canary's folder: nobody takes what comes there.
 */
#include "job/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

static struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", name);
	return a;
}

static int connect_stream(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = address_of(OWN_STREAM);

	(void)attempt, (void)result;
	return act_outcome(fd < 0 ? fd : connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int send_datagram(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = address_of(OWN_DATAGRAM);

	(void)attempt, (void)result;
	return act_outcome(
		fd < 0 ? fd : sendto(fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)));
}

#define UNIX_ACT(act_hook, act_what, act_fn)                                                 \
	{                                                                                    \
		.name = act_hook, .hook = act_hook, .what = act_what, .run = act_fn,         \
		.refusal = EACCES, .op = OP_UNIX, .reason = REASON_OWN                   \
	}

const struct act unix_acts[] = {
	UNIX_ACT("unix_stream_connect", "connect() to a Unix socket outside the job", connect_stream),
	UNIX_ACT("unix_may_send", "a datagram to a Unix socket outside the job", send_datagram),
};
const size_t unix_act_cnt = ARRAY_SIZE(unix_acts);
