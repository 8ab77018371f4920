// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sinks with somebody at the other end: nobody waits for one who is slow or gone, and what a broken
 * connection lost is sent again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "sink_fixture.h"

static void drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

/* --- pipes ------------------------------------------------------------------------------------ */

static void test_null(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, "/dev/null");

	assert_int_equal(put_text(place, sink, "x"), 0);
	expect_tally(place, 1, 0, 0);
}

static void test_fifo(void **state)
{
	struct place *place = *state;
	struct sink *sink;
	char text[256];
	int reader;

	assert_int_equal(mkfifo(place->file, 0600), 0);
	reader = open(place->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	sink = must_use(place, place->file);
	assert_int_equal(put_text(place, sink, "one"), 0);
	drain(reader, text, sizeof(text));
	assert_string_equal(text, "{\"time\":1000,\"text\":\"one\",\"unmapped\":{}}\n");
	close(reader);
	assert_int_equal(put_text(place, sink, "two"), 0);
	assert_int_equal(sink->trouble.code, -EPIPE);
	expect_tally(place, 1, 0, 1);
	reader = open(place->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	sinks_flush(place->sinks, 5000);
	expect_tally(place, 2, 0, 0);
	close(reader);
}

/* A reader that stalls holds up nobody, and gets all of it when it reads again. */
static void test_stalled(void **state)
{
	static char big[100000], text[300000];
	struct place *place = *state;
	int64_t since = clock_ms(CLOCK_MONOTONIC);
	struct sink *sink;
	size_t len = 0;
	int reader;

	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(mkfifo(place->file, 0600), 0);
	reader = open(place->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	sink = must_use(place, place->file);
	assert_int_equal(put_text(place, sink, big), 0);
	assert_int_equal(put_text(place, sink, "after"), 0);
	expect_tally(place, 0, 0, 2);
	assert_in_range(clock_ms(CLOCK_MONOTONIC) - since, 0, 500);
	while (place->tally->waiting && clock_ms(CLOCK_MONOTONIC) - since < 5000) {
		drain(reader, text + len, sizeof(text) - len);
		len += strlen(text + len);
		sinks_flush(place->sinks, 20);
	}
	drain(reader, text + len, sizeof(text) - len);
	assert_int_equal(strlen(text), strlen(big) + strlen("after") +
					       2 * strlen("{\"time\":1000,\"text\":\"\",\"unmapped\":{}}\n"));
	expect_tally(place, 2, 0, 0);
	close(reader);
}

static void test_stdout(void **state)
{
	struct place *place = *state;
	int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), fd;
	struct sink *sink;
	int ret;

	fflush(stdout);
	fd = open(place->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && saved >= 0);
	dup2(fd, STDOUT_FILENO);
	sink = must_use(place, "-");
	ret = put_text(place, sink, "one");
	dprintf(STDOUT_FILENO, "{\"text\":\"the job's own\"}\n");
	ret = ret ? ret : put_text(place, sink, "two");
	sinks_release(place->sinks, sink);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(fd);
	assert_int_equal(ret, 0);
	expect_texts(place->file, "one,the job's own,two,");
}

/* --- sockets ---------------------------------------------------------------------------------- */

static void use_socket(struct place *place, enum sink_type type, enum sink_transport transport,
		       const void *addr, socklen_t len)
{
	struct sink_config config = {
		.type = type,
		.transport = transport,
		.name = "peer",
		.addr_len = len,
		.queue_bytes = 100000,
	};
	const struct site_audit audit = { 0 };

	memcpy(&config.addr, addr, len);
	assert_int_equal(sinks_set_site(place->sinks, &config, 1, &audit, true, NULL), 0);
}

static struct sockaddr_un unix_address(const struct place *place)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", place->dir);
	return addr;
}

static int listen_at(int kind, const void *addr, socklen_t len)
{
	const struct sockaddr *any = addr;
	const int on = 1;
	int sock = socket(any->sa_family, kind | SOCK_CLOEXEC, 0);

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (any->sa_family == AF_UNIX)
		unlink(((const struct sockaddr_un *)addr)->sun_path);
	assert_int_equal(bind(sock, addr, len), 0);
	if (kind != SOCK_DGRAM)
		assert_int_equal(listen(sock, 4), 0);
	return sock;
}

#define LINE_ONE "{\"time\":1000,\"text\":\"one\",\"unmapped\":{}}"

static void test_syslog_datagram(void **state)
{
	struct place *place = *state;
	struct sockaddr_un addr = unix_address(place);
	int sock = listen_at(SOCK_DGRAM, &addr, sizeof(addr));
	char text[1000], host[256];
	ssize_t n;

	use_socket(place, SINK_SYSLOG, TRANSPORT_UNIX, &addr, sizeof(addr));
	put_text(place, NULL, "one");
	sinks_flush(place->sinks, 5000);
	n = recv(sock, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(strncmp(text, "<134>1 1970-01-01T00:00:01.000Z ", 32), 0);
	assert_int_equal(sscanf(text + 32, "%255s jobcage ", host), 1);
	assert_string_equal(strstr(text, " - {") + 3, LINE_ONE);
	close(sock);
}

/* What a peer says wakes nobody; that it hangs up does, behind all of it. */
static void expect_deaf(struct sinks *sinks, int peer)
{
	struct pollfd poll_fd = { .fd = sinks->epoll_fd, .events = POLLIN };
	char talk[10000] = "";

	assert_int_equal(send(peer, talk, sizeof(talk), 0), sizeof(talk));
	sinks_tick(sinks);
	assert_int_equal(poll(&poll_fd, 1, 50), 0);
	close(peer);
	for (int i = 0; i < 10 && !sinks->first->trouble.code; i++) {
		assert_int_equal(poll(&poll_fd, 1, 1000), 1);
		sinks_ready(sinks);
	}
	assert_int_equal(sinks->first->trouble.code, -ECONNRESET);
}

/* Octet counting: the number in front is that of the bytes behind it. */
static void test_syslog_tcp(void **state)
{
	struct place *place = *state;
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t addr_len = sizeof(addr);
	int sock = listen_at(SOCK_STREAM, &addr, sizeof(addr)), peer, count = 0, end = 0;
	char text[1000];
	ssize_t n;

	getsockname(sock, (struct sockaddr *)&addr, &addr_len);
	use_socket(place, SINK_SYSLOG, TRANSPORT_TCP, &addr, sizeof(addr));
	put_text(place, NULL, "one");
	sinks_flush(place->sinks, 5000);
	peer = accept(sock, NULL, NULL);
	n = recv(peer, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(sscanf(text, "%d %n", &count, &end), 1);
	assert_int_equal(n - end, count);
	assert_string_equal(text + n - strlen(LINE_ONE), LINE_ONE);
	expect_deaf(place->sinks, peer);
	close(sock);
}

/* What a peer has not read when it dies is sent to its successor. */
static void test_resent(void **state)
{
	struct place *place = *state;
	struct sockaddr_un addr = unix_address(place);
	int sock = listen_at(SOCK_STREAM, &addr, sizeof(addr)), peer;
	char text[1000];
	ssize_t n;

	use_socket(place, SINK_SOCKET, TRANSPORT_STREAM, &addr, sizeof(addr));
	put_text(place, NULL, "one");
	sinks_flush(place->sinks, 5000);
	peer = accept(sock, NULL, NULL);
	close(peer);
	close(sock);
	sock = listen_at(SOCK_STREAM, &addr, sizeof(addr));
	for (int i = 0; i < 100 && place->sinks->first->counts.opened < 2; i++) {
		struct timespec pause = { .tv_nsec = 10000000 };

		sinks_ready(place->sinks);
		sinks_tick(place->sinks);
		nanosleep(&pause, NULL);
	}
	sinks_flush(place->sinks, 5000);
	peer = accept(sock, NULL, NULL);
	n = recv(peer, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_int_equal(strncmp(text, LINE_ONE "\n", strlen(LINE_ONE) + 1), 0);
	close(peer);
	close(sock);
}

/* Nobody there, then a peer that never reads: the record is written all the same, and at once. */
static void test_dead_peer(void **state)
{
	static char big[5000];
	struct place *place = *state;
	struct sockaddr_un addr = unix_address(place);
	int64_t since = clock_ms(CLOCK_MONOTONIC);
	struct sink *record = must_use(place, place->file), *peer;
	int sock;

	memset(big, 'x', sizeof(big) - 1);
	use_socket(place, SINK_SOCKET, TRANSPORT_SEQPACKET, &addr, sizeof(addr));
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_text(place, record, "nobody"), 0);
	sinks_tick(place->sinks);
	peer = place->sinks->first->next;
	assert_int_equal(peer->trouble.code, -ENOENT);
	sock = listen_at(SOCK_SEQPACKET, &addr, sizeof(addr));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(put_text(place, record, big), 0);
		sinks_tick(place->sinks);
	}
	expect_tally(place, 1010, 0, 0);
	assert_in_range(clock_ms(CLOCK_MONOTONIC) - since, 0, 5000);
	assert_true(peer->counts.dropped > 500);
	assert_in_range(peer->queue.bytes, 0, 100000);
	close(sock);
}

/* The other sinks hear of a sink's trouble and of its end. */
static void test_news(void **state)
{
	struct place *place = *state;
	struct sockaddr_un addr = unix_address(place);
	struct sink *record = must_use(place, place->file);
	char text[20000] = "";
	int fd;

	use_socket(place, SINK_SOCKET, TRANSPORT_SEQPACKET, &addr, sizeof(addr));
	assert_int_equal(put_text(place, record, "one"), 0);
	sinks_tick(place->sinks);
	sinks_tick(place->sinks);
	fd = open(place->file, O_RDONLY | O_CLOEXEC);
	drain(fd, text, sizeof(text));
	assert_non_null(strstr(text, "\"event_code\":\"log_trouble\""));
	assert_non_null(strstr(text, "cannot connect to peer"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_null),	    TEST(test_fifo),	   TEST(test_stalled),
		TEST(test_stdout),	    TEST(test_syslog_datagram), TEST(test_syslog_tcp),
		TEST(test_resent),	    TEST(test_dead_peer),  TEST(test_news),
	};

	return cmocka_run_group_tests_name("sink_peers", tests, NULL, NULL);
}
