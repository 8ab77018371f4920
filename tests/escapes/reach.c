// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reaching the accomplice; see accomplice.h. */
#include "accomplice.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "escape.h"

int accomplice_address(int sock, const char *folder, bool is_abstract, bool is_server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);

	if (is_abstract)
		size = offsetof(struct sockaddr_un, sun_path) + 1 +
		       snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "jobcage-accomplice-%u", getuid());
	else
		snprintf(address.sun_path, sizeof(address.sun_path), "%s/accomplice.sock", folder);
	if (is_server)
		return bind(sock, (struct sockaddr *)&address, size) || listen(sock, 8) ? -errno : 0;
	return connect(sock, (struct sockaddr *)&address, size) ? -errno : 0;
}

int accomplice_held(struct held *ret_held)
{
	FILE *file = fopen(in(out, "accomplice.held"), "re");
	struct held held;
	int cnt = file ? fscanf(file, "%d %d %lu %d", &held.pid, &held.fd, &held.address, &held.segment) : 0;

	if (file)
		fclose(file);
	if (step("accomplice.held") && cnt != 4)
		return -EPROTO;
	*ret_held = held;
	return 0;
}

int accomplice_ask(const char *request, bool is_abstract)
{
	char packet[REQUEST_SIZE] = "";
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), r;

	if (step("socket") && sock < 0)
		return -errno;
	step("connect");
	r = accomplice_address(sock, out, is_abstract, false);
	snprintf(packet, sizeof(packet), "%s", request);
	if (!r && step("send") && send(sock, packet, sizeof(packet), MSG_NOSIGNAL) < 0)
		r = -errno;
	if (r)
		close(sock);
	return r ?: sock;
}

int accomplice_descriptor(const char *request)
{
	int sock = accomplice_ask(request, false), fd;

	if (sock < 0)
		return sock;
	step("recvmsg");
	fd = receive_descriptor(sock);
	close(sock);
	return fd;
}

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

int send_descriptor(int sock, int fd)
{
	union control control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
					      .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec data = { "x", 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return outcome(sendmsg(sock, &message, MSG_NOSIGNAL));
}

int receive_descriptor(int sock)
{
	union control control;
	char byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	int fd;

	if (recvmsg(sock, &message, MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	/* The kernel leaves out what the receiver may not have, and says no errno. */
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(sizeof(int)))
		return message.msg_flags & MSG_CTRUNC ? -EACCES : -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}
