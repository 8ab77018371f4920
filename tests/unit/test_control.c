// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * daemon/message: what crosses the daemon's socket, and what is refused there. The adversary is a
 * client that sends what it likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/message.h"

struct pair {
	int ours, theirs;
};

static int setup(void **state)
{
	static struct pair pair;
	const int on = 1;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) ||
	    setsockopt(sv[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return -1;
	pair = (struct pair){ sv[0], sv[1] };
	*state = &pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	close(pair->ours);
	close(pair->theirs);
	return 0;
}

static int open_fds(void)
{
	_cleanup_dir_ DIR *dir = opendir("/proc/self/fd");
	int cnt = 0;

	assert_non_null(dir);
	while (readdir(dir))
		cnt++;
	return cnt;
}

static json_t *object_of(size_t text_len)
{
	_cleanup_free_ char *text = calloc(1, text_len + 1);

	assert_non_null(text);
	memset(text, 'x', text_len);
	return json_pack("{s:i, s:s}", "version", MESSAGE_VERSION, "text", text);
}

/* --- what is sent arrives --------------------------------------------------------------------- */

static void cross(struct pair *pair, size_t text_len, const int *fds, size_t fd_cnt)
{
	json_auto_t *sent = object_of(text_len);
	struct message message;

	assert_int_equal(message_send(pair->theirs, sent, fds, fd_cnt), 0);
	assert_int_equal(message_receive(pair->ours, MESSAGE_BODY_MAX, &message), 1);
	assert_true(json_equal(message.json, sent));
	assert_int_equal(message.fd_cnt, fd_cnt);
	assert_true(message.has_sender);
	assert_int_equal(message.sender.pid, getpid());
	assert_int_equal(message.sender.uid, getuid());
	for (size_t i = 0; i < fd_cnt; i++)
		assert_true(fcntl(message_fd(&message, i), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(message_fd(&message, fd_cnt), -1);
	message_free(&message);
}

/* Around the size at which a packet becomes a memfd, with descriptors and without; nothing leaks. */
static void test_crosses(void **state)
{
	static const size_t lens[] = { 0, 1, MESSAGE_PACKET_MAX - 64, MESSAGE_PACKET_MAX - 24,
				       MESSAGE_PACKET_MAX, 4 * MESSAGE_PACKET_MAX, 3 << 20 };
	const int fds[MESSAGE_FDS_MAX] = { 0, 1, 2 };
	int before = open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		for (size_t cnt = 0; cnt <= MESSAGE_FDS_MAX; cnt++)
			cross(*state, lens[i], fds, cnt);
	assert_int_equal(open_fds(), before);
}

static void test_hangup_and_nothing(void **state)
{
	struct pair *pair = *state;
	struct message message;

	assert_int_equal(message_receive(pair->ours, MESSAGE_BODY_MAX, &message), -EAGAIN);
	shutdown(pair->theirs, SHUT_WR);
	assert_int_equal(message_receive(pair->ours, MESSAGE_BODY_MAX, &message), 0);
}

static void test_too_large_to_send(void **state)
{
	struct pair *pair = *state;
	json_auto_t *sent = object_of(MESSAGE_BODY_MAX + 1);
	const int fds[MESSAGE_FDS_MAX + 1] = { 0 };
	json_auto_t *small = object_of(1);

	assert_int_equal(message_send(pair->theirs, sent, NULL, 0), -EMSGSIZE);
	assert_int_equal(message_send(pair->theirs, small, fds, MESSAGE_FDS_MAX + 1), -EINVAL);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void send_raw(int sock, const void *data, size_t len, const int *fds, size_t fd_cnt)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_cnt) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(fd_cnt * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(fd_cnt * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_cnt * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &header, 0), len);
}

static int receive_code(struct pair *pair, size_t body_max)
{
	struct message message;
	int r = message_receive(pair->ours, body_max, &message);

	if (r > 0)
		message_free(&message);
	return r;
}

static void test_no_message(void **state)
{
	static const char *const texts[] = {
		"{", "[]", "1", "null", "\"text\"", "{\"version\": 1, \"version\": 1}",
		"{\"version\": 1} {}", "{\"version\": 1, \"op\": \"\xff\"}", "\x01",
		"{\"version\": 1, \"body\": \"memfd\"}",
	};
	struct pair *pair = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		send_raw(pair->theirs, texts[i], strlen(texts[i]), NULL, 0);
		assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
	}
}

static void test_other_version(void **state)
{
	static const char *const texts[] = { "{}", "{\"version\": 2}", "{\"version\": \"1\"}",
					     "{\"version\": 1.0}" };
	struct pair *pair = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		send_raw(pair->theirs, texts[i], strlen(texts[i]), NULL, 0);
		assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EPROTONOSUPPORT);
	}
}

static void test_deep_nesting(void **state)
{
	struct pair *pair = *state;
	char text[MESSAGE_PACKET_MAX];

	memset(text, '[', sizeof(text));
	send_raw(pair->theirs, text, sizeof(text), NULL, 0);
	assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
}

static void test_large_packet(void **state)
{
	struct pair *pair = *state;
	_cleanup_free_ char *text = malloc(MESSAGE_PACKET_MAX + 1);

	assert_non_null(text);
	memset(text, ' ', MESSAGE_PACKET_MAX + 1);
	memcpy(text, "{\"version\": 1}", strlen("{\"version\": 1}"));
	send_raw(pair->theirs, text, MESSAGE_PACKET_MAX + 1, NULL, 0);
	assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
}

/* Too many descriptors are closed, not kept. */
static void test_many_descriptors(void **state)
{
	struct pair *pair = *state;
	const int fds[16] = { 0 };
	int before = open_fds();

	send_raw(pair->theirs, "{\"version\": 1}", 14, fds, ARRAY_SIZE(fds));
	assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
	send_raw(pair->theirs, "{\"version\": 1}", 14, fds, MESSAGE_FDS_MAX + 1);
	assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
	assert_int_equal(open_fds(), before);
}

static const char notice[] = "{\"version\": 1, \"body\": \"memfd\"}";

static int memfd_of(const char *text, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	return fd;
}

/* A body is memory and nothing else: a pipe, a file or a FUSE server could keep the reader waiting. */
static void test_body_is_no_memory(void **state)
{
	struct pair *pair = *state;
	int pipe_fds[2], before = open_fds();
	_cleanup_fd_ int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	const int all[] = { pipe_fds[0], zero, file, pair->theirs };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		send_raw(pair->theirs, notice, strlen(notice), &all[i], 1);
		assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_int_equal(open_fds(), before + 2);
}

static void test_body_size(void **state)
{
	struct pair *pair = *state;
	_cleanup_fd_ int empty = memfd_of("", 0), good = memfd_of("{\"version\": 1}", 14);
	_cleanup_fd_ int hole = memfd_of("", 0);

	assert_int_equal(ftruncate(hole, MESSAGE_BODY_MAX + 1), 0);
	send_raw(pair->theirs, notice, strlen(notice), &empty, 1);
	assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
	send_raw(pair->theirs, notice, strlen(notice), &hole, 1);
	assert_int_equal(receive_code(pair, MESSAGE_BODY_MAX), -EBADMSG);
	send_raw(pair->theirs, notice, strlen(notice), &good, 1);
	assert_int_equal(receive_code(pair, 13), -EBADMSG);
	send_raw(pair->theirs, notice, strlen(notice), &good, 1);
	assert_int_equal(receive_code(pair, 14), 1);
}

#define IN_PAIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PAIR(test_crosses),
		IN_PAIR(test_hangup_and_nothing),
		IN_PAIR(test_too_large_to_send),
		IN_PAIR(test_no_message),
		IN_PAIR(test_other_version),
		IN_PAIR(test_deep_nesting),
		IN_PAIR(test_large_packet),
		IN_PAIR(test_many_descriptors),
		IN_PAIR(test_body_is_no_memory),
		IN_PAIR(test_body_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
