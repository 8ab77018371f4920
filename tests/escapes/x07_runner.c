// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* X7: work handed to who runs it outside: EXTRA is the socket that such a daemon listens on, or the file that it reads. */
#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A line more for what is there, or a new file. */
static int add_line(void)
{
	static const char line[] = "# jobcage-escape\n";
	int fd = open(extra, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644), r;

	if (step("open") && fd < 0)
		return -errno;
	step("write");
	r = outcome(write(fd, line, sizeof(line) - 1));
	close(fd);
	return r;
}

/* Where it is written beside and moved to its place, as crontab and editors do. */
static int move_in(void)
{
	const char *beside = in(out, "beside");
	int r = write_to(beside, O_WRONLY | O_CREAT);

	step("rename");
	return r ?: rename(beside, extra) ? -errno : 0;
}

static int say_to(int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), r;

	if (step("socket") && sock < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", extra);
	step("connect");
	r = outcome(connect(sock, (struct sockaddr *)&address, sizeof(address)));
	if (!r && step("send"))
		r = outcome(send(sock, "run\n", 4, MSG_NOSIGNAL));
	close(sock);
	return r;
}

static int connect_stream(void) { return say_to(SOCK_STREAM); }
static int connect_datagram(void) { return say_to(SOCK_DGRAM); }

/* EXTRA is a port of this machine. */
static int connect_loopback(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(extra)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (step("socket") && sock < 0)
		return -errno;
	step("connect");
	r = outcome(connect(sock, (struct sockaddr *)&address, sizeof(address)));
	close(sock);
	return r;
}

const struct attempt attempts[] = {
	{ "add-line", add_line },
	{ "move-in", move_in },
	{ "stream", connect_stream },
	{ "datagram", connect_datagram },
	{ "loopback", connect_loopback },
	{ NULL, NULL },
};
