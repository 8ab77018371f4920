// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Messages between the commands and the daemon; see message.h. */
#include "daemon/message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

/* How often looking at a socket may fail before it is left alone. */
#define DISCARD_ERRORS_MAX 8

/* Room for one descriptor; and for credentials alone, so that no descriptor can come with them. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

union credentials {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(struct ucred))];
};

/* --- send ------------------------------------------------------------------------------------- */

/* fd: goes with it, or -1. */
static int send_packet(int sock, const char *text, size_t len, int fd)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (char *)text, .iov_len = len };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Returns a memfd with the text in it, or -errno. */
static int make_body(const char *text, size_t len)
{
	_cleanup_fd_ int body = -1;
	int r;

	if (len > MESSAGE_BODY_MAX)
		return -EMSGSIZE;
	body = memfd_create("jobcage-message", MFD_CLOEXEC);
	if (body < 0)
		return -errno;
	r = fd_write_all(body, text, len);
	return r ? r : TAKE_FD(body);
}

int message_ask(int sock, json_t *json, int pidfd, int *ret_body)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int body = -1;
	char notice[96];
	size_t len;
	int r;

	if (!json || json_object_set_new(json, "pidfd", json_integer(pidfd)))
		return -ENOMEM;
	text = json_dumps(json, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	if (len <= MESSAGE_PACKET_MAX) {
		r = send_packet(sock, text, len, -1);
	} else {
		body = make_body(text, len);
		if (body < 0)
			return body;
		snprintf(notice, sizeof(notice), "{\"version\": %d, \"pidfd\": %d, \"body\": %d}",
			 MESSAGE_VERSION, pidfd, body);
		r = send_packet(sock, notice, strlen(notice), -1);
	}
	/* Also if it could not be sent: then it is closed by whoever asked. */
	*ret_body = TAKE_FD(body);
	return r;
}

int message_answer(int sock, const json_t *json)
{
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	static const char notice[] = "{\"version\": 1, \"body\": 0}";
	_cleanup_fd_ int body = -1;
	size_t len;

	if (!text)
		return -ENOMEM;
	len = strlen(text);
	if (len <= MESSAGE_PACKET_MAX)
		return send_packet(sock, text, len, -1);
	body = make_body(text, len);
	return body < 0 ? body : send_packet(sock, notice, strlen(notice), body);
}

/* --- receive ---------------------------------------------------------------------------------- */

/* Returns the packet's length, 0 at the end, or -errno. */
static ssize_t receive(int sock, struct msghdr *header, int flags)
{
	ssize_t n;

	do
		n = recvmsg(sock, header, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* The same. */
static ssize_t receive_packet(int sock, char *room, size_t size, void *control, size_t *control_len)
{
	struct iovec iov = { .iov_base = room, .iov_len = size };
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = *control_len,
	};
	ssize_t n = receive(sock, &header, 0);

	if (n < 0)
		return n;
	*control_len = header.msg_controllen;
	return header.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EBADMSG : n;
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

/*
 * How many values the text has at most. A value takes some hundred bytes of memory, however short it
 * is in the text.
 */
static size_t count_values(const char *text, size_t len)
{
	bool is_string = false;
	size_t cnt = 1;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			i++;
		else if (text[i] == '"')
			is_string = !is_string;
		else if (!is_string)
			cnt += text[i] == '{' || text[i] == '[' || text[i] == ',';
	}
	return cnt;
}

static int parse_request(const char *text, size_t len, json_t **ret_json)
{
	return count_values(text, len) > MESSAGE_VALUES_MAX ? -EBADMSG : parse(text, len, ret_json);
}

/* Returns bytes or -errno. */
static ssize_t body_len(int fd, size_t max)
{
	struct stat st;

	/* Only memory has seals: nothing that blocks when it is read. */
	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) || st.st_size <= 0)
		return -EBADMSG;
	return (size_t)st.st_size > max ? -EMSGSIZE : st.st_size;
}

static int read_body(int fd, size_t len, char **ret_text)
{
	_cleanup_free_ char *text = malloc(len);
	ssize_t n = text ? pread(fd, text, len, 0) : -1;

	if (!text)
		return -ENOMEM;
	if (n < 0 || (size_t)n != len)
		return -EBADMSG;
	*ret_text = TAKE_PTR(text);
	return 0;
}

/*
 * Looks at the next packet and leaves it where it is. What comes along with it is not dropped either: whoever drops a
 * descriptor last may wait for ever. Returns 1; 0 if there is none; -EBADMSG if descriptors come along;
 * or another -errno.
 */
static int peek(int sock)
{
	union credentials control;
	struct msghdr header = { .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = receive(sock, &header, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return n;
	return header.msg_flags & MSG_CTRUNC ? -EBADMSG : header.msg_controllen > 0;
}

bool message_discard_all(int sock)
{
	char byte;
	int error_cnt = 0;

	shutdown(sock, SHUT_RD);
	while (error_cnt < DISCARD_ERRORS_MAX) {
		int r = peek(sock);

		if (r == -EBADMSG)
			return false;
		if (!r || r == -EAGAIN)
			return true;
		/* That the other side has hung up is an error, once; what it sent is there still. */
		if (r < 0)
			error_cnt++;
		else
			recv(sock, &byte, sizeof(byte), MSG_DONTWAIT);
	}
	return false;
}

int message_receive(int sock, struct message *ret_message)
{
	_cleanup_free_ char *packet = malloc(MESSAGE_PACKET_MAX);
	union credentials control;
	size_t control_len = sizeof(control);
	struct message message = { 0 };
	ssize_t n = packet ? peek(sock) : -ENOMEM;
	int r;

	if (n < 0)
		return n;
	n = receive_packet(sock, packet, MESSAGE_PACKET_MAX, &control, &control_len);
	if (n <= 0)
		return n;
	if (control_len >= CMSG_LEN(sizeof(message.sender)) &&
	    control.header.cmsg_level == SOL_SOCKET &&
	    control.header.cmsg_type == SCM_CREDENTIALS) {
		memcpy(&message.sender, CMSG_DATA(&control.header), sizeof(message.sender));
		message.has_sender = true;
	}
	r = parse_request(packet, n, &message.json);
	if (r)
		return r;
	*ret_message = message;
	return 1;
}

/* Of an answer. */
static int take_body(int fd, json_t **ret_json)
{
	_cleanup_free_ char *text = NULL;
	ssize_t len = body_len(fd, MESSAGE_BODY_MAX);
	int r = len < 0 ? (int)len : read_body(fd, len, &text);

	return r ? r : parse(text, len, ret_json);
}

int message_receive_answer(int sock, json_t **ret_json)
{
	_cleanup_free_ char *packet = malloc(MESSAGE_PACKET_MAX);
	union control control = { 0 };
	size_t control_len = sizeof(control);
	json_auto_t *json = NULL;
	_cleanup_fd_ int body = -1;
	ssize_t n = packet ? receive_packet(sock, packet, MESSAGE_PACKET_MAX, &control, &control_len)
			   : -ENOMEM;
	int r;

	if (n <= 0)
		return n;
	if (control_len && control.header.cmsg_type == SCM_RIGHTS)
		memcpy(&body, CMSG_DATA(&control.header), sizeof(int));
	r = parse(packet, n, &json);
	if (!r && body >= 0)
		r = take_body(body, ret_json);
	else if (!r)
		*ret_json = json_incref(json);
	return r ? r : 1;
}

/* All memfds of a machine are on one file system, which nothing else can be on. */
static int is_memfd(int fd, bool *ret_is)
{
	_cleanup_fd_ int own = memfd_create("jobcage-own", MFD_CLOEXEC);
	struct statx theirs, ours;

	/* DONT_SYNC: a file of a FUSE or network server is not asked for. */
	if (own < 0 || statx(own, "", AT_EMPTY_PATH, STATX_TYPE, &ours) ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &theirs))
		return -errno;
	*ret_is = S_ISREG(theirs.stx_mode) && theirs.stx_dev_major == ours.stx_dev_major &&
		  theirs.stx_dev_minor == ours.stx_dev_minor;
	return 0;
}

int message_open_body(int proc, int number, size_t max, size_t *ret_len, int *ret_fd)
{
	_cleanup_fd_ int place = -1, body = -1;
	char path[64];
	bool is = false;
	ssize_t len;
	int r;

	if (number < 0)
		return -EBADMSG;
	snprintf(path, sizeof(path), "fd/%d", number);
	/* Names the file without opening it: closing this asks nobody either. */
	place = openat(proc, path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -errno : -EBADMSG;
	r = is_memfd(place, &is);
	if (r || !is)
		return r ? r : -EBADMSG;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
	body = open(path, O_RDONLY | O_CLOEXEC);
	len = body < 0 ? -errno : body_len(body, max);
	if (len < 0)
		return len;
	*ret_len = len;
	*ret_fd = TAKE_FD(body);
	return 0;
}

int message_read_body(int fd, size_t len, json_t **ret_json)
{
	_cleanup_free_ char *text = NULL;
	int r = read_body(fd, len, &text);

	return r ? r : parse_request(text, len, ret_json);
}

void message_free(struct message *message)
{
	json_decref(message->json);
	*message = (struct message){ 0 };
}

const char *message_string(const struct message *message, const char *key)
{
	return json_string_value(json_object_get(message->json, key));
}

int message_number(const struct message *message, const char *key)
{
	const json_t *value = json_object_get(message->json, key);
	json_int_t number = json_integer_value(value);

	return json_is_integer(value) && number >= 0 && number <= INT_MAX ? (int)number : -1;
}
