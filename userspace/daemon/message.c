// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Messages between the commands and the daemon; see message.h. */
#include "daemon/message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define BODY_MEMFD "memfd"

/* Room for descriptors and credentials. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE((MESSAGE_FDS_MAX + 1) * sizeof(int)) +
		  CMSG_SPACE(sizeof(struct ucred))];
};

/* --- send ------------------------------------------------------------------------------------- */

static int send_packet(int sock, const char *text, size_t len, const int *fds, size_t fd_cnt)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (char *)text, .iov_len = len };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd_cnt) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(fd_cnt * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_cnt * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_cnt * sizeof(int));
	}
	do
		n = sendmsg(sock, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int send_by_memfd(int sock, const char *text, size_t len, const int *fds, size_t fd_cnt)
{
	static const char notice[] = "{\"version\": 1, \"body\": \"" BODY_MEMFD "\"}";
	int all[MESSAGE_FDS_MAX + 1];
	_cleanup_fd_ int body = -1;
	int r;

	if (len > MESSAGE_BODY_MAX)
		return -EMSGSIZE;
	body = memfd_create("jobcage-message", MFD_CLOEXEC);
	if (body < 0)
		return -errno;
	r = fd_write_all(body, text, len);
	if (r)
		return r;
	all[0] = body;
	memcpy(all + 1, fds, fd_cnt * sizeof(*fds));
	return send_packet(sock, notice, strlen(notice), all, fd_cnt + 1);
}

int message_send(int sock, const json_t *json, const int *fds, size_t fd_cnt)
{
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t len;

	if (!text)
		return -ENOMEM;
	if (fd_cnt > MESSAGE_FDS_MAX)
		return -EINVAL;
	len = strlen(text);
	if (len <= MESSAGE_PACKET_MAX)
		return send_packet(sock, text, len, fds, fd_cnt);
	return send_by_memfd(sock, text, len, fds, fd_cnt);
}

/* --- receive ---------------------------------------------------------------------------------- */

/* All descriptors that came, whatever else is wrong with the message. */
struct arrival {
	int fds[MESSAGE_FDS_MAX + 1];
	size_t fd_cnt;
	bool has_sender;
	struct ucred sender;
};

static void cleanup_arrival(struct arrival *arrival)
{
	for (size_t i = 0; i < arrival->fd_cnt; i++)
		cleanup_fd(&arrival->fds[i]);
}

static void read_control(struct msghdr *header, struct arrival *arrival)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t len = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS && len <= sizeof(arrival->fds)) {
			memcpy(arrival->fds, CMSG_DATA(c), len);
			arrival->fd_cnt = len / sizeof(int);
		}
		if (c->cmsg_type == SCM_CREDENTIALS && len == sizeof(arrival->sender)) {
			memcpy(&arrival->sender, CMSG_DATA(c), len);
			arrival->has_sender = true;
		}
	}
}

/* Returns the packet's length, 0 at the end, or -errno. */
static ssize_t receive_packet(int sock, char *room, size_t size, struct arrival *arrival)
{
	union control control;
	struct iovec iov = { .iov_base = room, .iov_len = size };
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	do
		n = recvmsg(sock, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	read_control(&header, arrival);
	return header.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EBADMSG : n;
}

/* Only memory has seals: nothing that blocks when it is read. */
static int read_body(int fd, size_t max, char **ret_text, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st))
		return -EBADMSG;
	if (st.st_size <= 0 || (size_t)st.st_size > max)
		return -EBADMSG;
	text = malloc(st.st_size);
	if (!text)
		return -ENOMEM;
	n = pread(fd, text, st.st_size, 0);
	if (n != st.st_size)
		return -EBADMSG;
	*ret_text = TAKE_PTR(text);
	*ret_len = n;
	return 0;
}

static int parse(const char *text, size_t len, json_t **ret_json)
{
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(json)) {
		json_decref(json);
		return -EBADMSG;
	}
	if (json_integer_value(json_object_get(json, "version")) != MESSAGE_VERSION) {
		json_decref(json);
		return -EPROTONOSUPPORT;
	}
	*ret_json = json;
	return 0;
}

static int parse_body(struct arrival *arrival, size_t max, json_t **ret_json)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = arrival->fd_cnt ? read_body(arrival->fds[0], max, &text, &len) : -EBADMSG;

	if (r)
		return r;
	r = parse(text, len, ret_json);
	if (r)
		return r;
	cleanup_fd(&arrival->fds[0]);
	arrival->fd_cnt--;
	memmove(arrival->fds, arrival->fds + 1, arrival->fd_cnt * sizeof(int));
	return 0;
}

static int parse_packet(const char *packet, size_t len, size_t body_max, struct arrival *arrival,
			json_t **ret_json)
{
	json_auto_t *json = NULL;
	const char *body;
	int r = parse(packet, len, &json);

	if (r)
		return r;
	body = json_string_value(json_object_get(json, "body"));
	if (body && !strcmp(body, BODY_MEMFD))
		return parse_body(arrival, body_max, ret_json);
	*ret_json = json_incref(json);
	return 0;
}

int message_receive(int sock, size_t body_max, struct message *ret_message)
{
	_cleanup_(cleanup_arrival) struct arrival arrival = { 0 };
	char packet[MESSAGE_PACKET_MAX];
	struct message message = { 0 };
	ssize_t n = receive_packet(sock, packet, sizeof(packet), &arrival);
	int r;

	if (n <= 0)
		return n;
	r = parse_packet(packet, n, body_max, &arrival, &message.json);
	if (r)
		return r;
	if (arrival.fd_cnt > MESSAGE_FDS_MAX) {
		json_decref(message.json);
		return -EBADMSG;
	}
	memcpy(message.fds, arrival.fds, arrival.fd_cnt * sizeof(int));
	message.fd_cnt = arrival.fd_cnt;
	message.has_sender = arrival.has_sender;
	message.sender = arrival.sender;
	arrival.fd_cnt = 0;
	*ret_message = message;
	return 1;
}

void message_free(struct message *message)
{
	json_decref(message->json);
	for (size_t i = 0; i < message->fd_cnt; i++)
		cleanup_fd(&message->fds[i]);
	*message = (struct message){ 0 };
}

int message_fd(const struct message *message, size_t at)
{
	return at < message->fd_cnt ? message->fds[at] : -1;
}

const char *message_string(const struct message *message, const char *key)
{
	return json_string_value(json_object_get(message->json, key));
}
