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

/* Around the size at which a packet becomes a memfd. */
static const size_t lens[] = { 0,
			       1,
			       MESSAGE_PACKET_MAX - 64,
			       MESSAGE_PACKET_MAX - 36,
			       MESSAGE_PACKET_MAX - 24,
			       MESSAGE_PACKET_MAX,
			       4 * MESSAGE_PACKET_MAX,
			       3 << 20 };

static int own_directory(void)
{
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* As the daemon does it, without counting it. */
static int take_body(int number, size_t max, json_t **ret_json)
{
	_cleanup_fd_ int proc = own_directory(), fd = -1;
	size_t len;
	int r = message_open_body(proc, number, max, &len, &fd);

	return r ? r : message_read_body(fd, len, ret_json);
}

static void take_request(struct pair *pair, const json_t *sent)
{
	struct message message;
	json_t *body;

	assert_int_equal(message_receive(pair->ours, &message), 1);
	assert_true(message.has_sender);
	assert_int_equal(message.sender.pid, getpid());
	assert_int_equal(message.sender.uid, getuid());
	assert_int_equal(message_number(&message, "pidfd"), 7);
	if (message_number(&message, "body") >= 0) {
		assert_int_equal(take_body(message_number(&message, "body"), MESSAGE_BODY_MAX,
					   &body),
				 0);
		json_decref(message.json);
		message.json = body;
	}
	assert_true(json_equal(message.json, sent));
	message_free(&message);
}

static void test_request_crosses(void **state)
{
	struct pair *pair = *state;
	int before = open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		json_auto_t *sent = object_of(lens[i]);
		_cleanup_fd_ int body = -1;

		assert_int_equal(message_ask(pair->theirs, sent, 7, &body), 0);
		take_request(pair, sent);
	}
	assert_int_equal(open_fds(), before);
}

static void test_answer_crosses(void **state)
{
	struct pair *pair = *state;
	int before = open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		json_auto_t *sent = object_of(lens[i]), *got = NULL;

		/* The commands' sockets have no credentials. */
		assert_int_equal(message_answer(pair->ours, sent), 0);
		assert_int_equal(message_receive_answer(pair->theirs, &got), 1);
		assert_true(json_equal(got, sent));
	}
	assert_int_equal(open_fds(), before);
}

static void test_hangup_and_nothing(void **state)
{
	struct pair *pair = *state;
	struct message message;

	assert_int_equal(message_receive(pair->ours, &message), -EAGAIN);
	shutdown(pair->theirs, SHUT_WR);
	assert_int_equal(message_receive(pair->ours, &message), 0);
}

static void test_too_large_to_send(void **state)
{
	struct pair *pair = *state;
	json_auto_t *sent = object_of(MESSAGE_BODY_MAX + 1);
	int body = -1;

	assert_int_equal(message_ask(pair->theirs, sent, 7, &body), -EMSGSIZE);
	assert_int_equal(message_answer(pair->theirs, sent), -EMSGSIZE);
	assert_int_equal(body, -1);
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

static int receive_code(struct pair *pair)
{
	struct message message;
	int r = message_receive(pair->ours, &message);

	if (r > 0)
		message_free(&message);
	return r;
}

static void test_no_message(void **state)
{
	static const char *const texts[] = {
		"{", "[]", "1", "null", "\"text\"", "{\"version\": 1, \"version\": 1}",
		"{\"version\": 1} {}", "{\"version\": 1, \"op\": \"\xff\"}", "\x01",
	};
	struct pair *pair = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		send_raw(pair->theirs, texts[i], strlen(texts[i]), NULL, 0);
		assert_int_equal(receive_code(pair), -EBADMSG);
	}
}

static void test_other_version(void **state)
{
	static const char *const texts[] = { "{}", "{\"version\": 2}", "{\"version\": \"1\"}",
					     "{\"version\": 1.0}" };
	struct pair *pair = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		send_raw(pair->theirs, texts[i], strlen(texts[i]), NULL, 0);
		assert_int_equal(receive_code(pair), -EPROTONOSUPPORT);
	}
}

static void test_deep_nesting(void **state)
{
	struct pair *pair = *state;
	char text[MESSAGE_PACKET_MAX];

	memset(text, '[', sizeof(text));
	send_raw(pair->theirs, text, sizeof(text), NULL, 0);
	assert_int_equal(receive_code(pair), -EBADMSG);
}

static void test_large_packet(void **state)
{
	struct pair *pair = *state;
	_cleanup_free_ char *text = malloc(MESSAGE_PACKET_MAX + 1);

	assert_non_null(text);
	memset(text, ' ', MESSAGE_PACKET_MAX + 1);
	memcpy(text, "{\"version\": 1}", strlen("{\"version\": 1}"));
	send_raw(pair->theirs, text, MESSAGE_PACKET_MAX + 1, NULL, 0);
	assert_int_equal(receive_code(pair), -EBADMSG);
}

/*
 * None is taken, not for a moment: closing some would wait for a hostile server. What a lingering
 * TCP socket does to whoever closes it, the system tests try.
 */
static void test_descriptors(void **state)
{
	struct pair *pair = *state;
	const int fds[16] = { 0 };
	int before = open_fds();

	for (size_t cnt = 1; cnt <= ARRAY_SIZE(fds); cnt++) {
		send_raw(pair->theirs, "{\"version\": 1}", 14, fds, cnt);
		assert_int_equal(receive_code(pair), -EBADMSG);
		assert_int_equal(open_fds(), before);
	}
}

/* Behind a sound message, and of who has hung up. */
static void test_descriptors_stay(void **state)
{
	struct pair *pair = *state;
	int pipe_fds[2];
	char byte;

	assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
	send_raw(pair->theirs, "{\"version\": 1}", 14, NULL, 0);
	send_raw(pair->theirs, "", 0, NULL, 0);
	send_raw(pair->theirs, "{\"version\": 1}", 14, &pipe_fds[1], 1);
	close(pipe_fds[1]);
	close(pair->theirs);
	pair->theirs = -1;
	assert_int_equal(receive_code(pair), 1);
	assert_false(message_discard_all(pair->ours));
	/* Nobody has closed it. */
	assert_int_equal(read(pipe_fds[0], &byte, 1), -1);
	close(pipe_fds[0]);
}

static void test_discard_all(void **state)
{
	struct pair *pair = *state;

	for (int i = 0; i < 3; i++)
		send_raw(pair->theirs, "{\"version\": 1}", i ? 14 : 0, NULL, 0);
	assert_true(message_discard_all(pair->ours));
	assert_int_equal(send(pair->theirs, "1", 1, MSG_NOSIGNAL), -1);
}

static void test_numbers(void **state)
{
	struct pair *pair = *state;
	static const char text[] = "{\"version\": 1, \"a\": -1, \"b\": 2147483648, \"c\": \"3\", "
				   "\"d\": 4.0, \"e\": 5}";
	struct message message;

	send_raw(pair->theirs, text, strlen(text), NULL, 0);
	assert_int_equal(message_receive(pair->ours, &message), 1);
	for (const char *key = "abcdx"; *key; key++)
		assert_int_equal(message_number(&message, (char[]){ *key, '\0' }), -1);
	assert_int_equal(message_number(&message, "e"), 5);
	message_free(&message);
}

static int memfd_of(const char *text, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	return fd;
}

static int body_code(int fd, size_t max)
{
	json_auto_t *json = NULL;

	return take_body(fd, max, &json);
}

/* A body is memory and nothing else: a pipe, a file or a FUSE server could keep the reader waiting. */
static void test_body_is_no_memory(void **state)
{
	struct pair *pair = *state;
	int pipe_fds[2], before = open_fds();
	_cleanup_fd_ int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int shm = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(write(shm, "{\"version\": 1}", 14), 14);
	const int all[] = { pipe_fds[0], zero, file, shm, pair->theirs, -1, 10000 };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		assert_int_equal(body_code(all[i], MESSAGE_BODY_MAX), -EBADMSG);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_int_equal(open_fds(), before + 3);
}

static void test_body_size(void **state)
{
	_cleanup_fd_ int empty = memfd_of("", 0), good = memfd_of("{\"version\": 1}", 14);
	_cleanup_fd_ int hole = memfd_of("", 0), other = memfd_of("{\"version\": 2}", 14);

	(void)state;
	assert_int_equal(ftruncate(hole, MESSAGE_BODY_MAX + 1), 0);
	assert_int_equal(body_code(empty, MESSAGE_BODY_MAX), -EBADMSG);
	assert_int_equal(body_code(hole, MESSAGE_BODY_MAX), -EMSGSIZE);
	assert_int_equal(body_code(good, 13), -EMSGSIZE);
	assert_int_equal(body_code(good, 14), 0);
	assert_int_equal(body_code(other, 14), -EPROTONOSUPPORT);
}

/* {"version": 1, "x": [0, ...]}, with so many values. Returns its length. */
static size_t print_values(char *room, size_t cnt)
{
	size_t len = sprintf(room, "{\"version\": 1, \"x\": [0");

	for (size_t i = 4; i < cnt; i++)
		len += sprintf(room + len, ",0");
	return len + sprintf(room + len, "]}");
}

/* A value takes some hundred times what it takes in the text. What stands in a string is none. */
static void test_many_values(void **state)
{
	char text[4096] = "{\"version\": 1, \"x\": \"\\\"";
	size_t len = strlen(text);

	(void)state;
	memset(text + len, '[', 2000);
	strcpy(text + len + 2000, "\"}");
	_cleanup_fd_ int string = memfd_of(text, strlen(text));

	assert_int_equal(body_code(string, MESSAGE_BODY_MAX), 0);
	for (size_t more = 0; more < 2; more++) {
		len = print_values(text, MESSAGE_VALUES_MAX + more);
		_cleanup_fd_ int body = memfd_of(text, len);

		assert_int_equal(body_code(body, MESSAGE_BODY_MAX), more ? -EBADMSG : 0);
	}
}

#define IN_PAIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PAIR(test_request_crosses),
		IN_PAIR(test_answer_crosses),
		IN_PAIR(test_hangup_and_nothing),
		IN_PAIR(test_too_large_to_send),
		IN_PAIR(test_no_message),
		IN_PAIR(test_other_version),
		IN_PAIR(test_deep_nesting),
		IN_PAIR(test_large_packet),
		IN_PAIR(test_descriptors),
		IN_PAIR(test_descriptors_stay),
		IN_PAIR(test_discard_all),
		IN_PAIR(test_numbers),
		IN_PAIR(test_body_is_no_memory),
		IN_PAIR(test_body_size),
		IN_PAIR(test_many_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
