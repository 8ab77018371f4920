// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sinks: whole lines only, whatever the target does; nobody waits for a slow one; what was not
 * written is kept within the bound, then counted; and what a broken connection lost is sent again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "alert/sinks.h"
#include "base/cleanup.h"
#include "base/clock.h"

/* A directory of its own for each test; the name of a target in it; a set of sinks. */
struct place {
	char dir[64];
	char file[96];
	struct sinks *sinks;
	struct tally *tally;
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	strcpy(place->dir, "/tmp/jobcage-sink-XXXXXX");
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->file, sizeof(place->file), "%s/alerts.jsonl", place->dir);
	place->tally = tally_new();
	*state = place;
	return sinks_new(NULL, &place->sinks);
}

static int teardown(void **state)
{
	struct place *place = *state;
	char command[128];

	sinks_free(place->sinks);
	tally_unref(place->tally);
	snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	free(place);
	return system(command);
}

static struct sink *must_use(struct place *place, const char *target)
{
	struct error err = { 0 };
	struct sink *sink = NULL;

	if (sinks_use(place->sinks, target, &err, &sink))
		fail_msg("%s", err.text);
	return sink;
}

static int put_text(struct place *place, struct sink *record, const char *text)
{
	json_t *event = json_pack("{s:I, s:s}", "time", (json_int_t)1000, "text", text);
	int r = sinks_put(place->sinks, record, place->tally, event);

	json_decref(event);
	return r;
}

/* The texts of a file's lines, each with a comma behind it; but for what is said of sinks. */
static void read_texts(const char *file, char *texts, size_t size)
{
	_cleanup_file_ FILE *in = fopen(file, "re");
	static char line[300000];

	*texts = '\0';
	while (in && fgets(line, sizeof(line), in)) {
		json_auto_t *event = json_loads(line, 0, NULL);
		const char *text = json_string_value(json_object_get(event, "text"));

		if (json_object_get(event, "metadata"))
			continue;
		strncat(texts, text ? text : "?", size - strlen(texts) - 1);
		strncat(texts, ",", size - strlen(texts) - 1);
	}
}

static void expect_texts(const char *file, const char *expected)
{
	char texts[4096];

	read_texts(file, texts, sizeof(texts));
	assert_string_equal(texts, expected);
}

static void expect_tally(const struct place *place, uint64_t written, uint64_t dropped,
			 uint64_t waiting)
{
	assert_int_equal(place->tally->written, written);
	assert_int_equal(place->tally->dropped, dropped);
	assert_int_equal(place->tally->waiting, waiting);
}

/* --- files ------------------------------------------------------------------------------------ */

static void test_file(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	struct stat st;

	assert_int_equal(put_text(place, sink, "one"), 0);
	assert_int_equal(put_text(place, sink, "two\nlines"), 0);
	sinks_release(place->sinks, sink);
	assert_null(place->sinks->first);
	sink = must_use(place, place->file);
	assert_int_equal(put_text(place, sink, "three"), 0);
	expect_texts(place->file, "one,two\nlines,three,");
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	expect_tally(place, 3, 0, 0);
}

/* Controllers that share a file share its chain. */
static void test_two_writers(void **state)
{
	struct place *place = *state;
	struct place other = { .tally = tally_new() };
	struct sink *a = must_use(place, place->file), *b;

	assert_int_equal(sinks_new(NULL, &other.sinks), 0);
	b = must_use(&other, place->file);
	assert_int_equal(put_text(place, a, "a"), 0);
	assert_int_equal(put_text(&other, b, "b"), 0);
	assert_int_equal(put_text(place, a, "c"), 0);
	assert_int_equal(a->chain.sequence, 3);
	expect_texts(place->file, "a,b,c,");
	sinks_free(other.sinks);
	tally_unref(other.tally);
}

static void expect_refused(struct place *place, const char *target, int code, const char *words)
{
	struct error err = { 0 };
	struct sink *sink = NULL;

	assert_int_equal(sinks_use(place->sinks, target, &err, &sink), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, words));
	assert_null(sink);
	assert_null(place->sinks->first);
}

static void test_refused(void **state)
{
	struct place *place = *state;

	assert_int_equal(symlink("/etc/passwd", place->file), 0);
	expect_refused(place, place->file, -ELOOP, "is a symbolic link");
	assert_int_equal(unlink(place->file), 0);
	expect_refused(place, place->dir, -EISDIR, "cannot open");
	expect_refused(place, "/nonexistent/deep/alerts", -ENOENT,
		       "cannot open /nonexistent/deep/alerts");
	assert_int_equal(mkfifo(place->file, 0600), 0);
	expect_refused(place, place->file, -ENXIO, "start the reader first");
}

/*
 * A file that may not grow, as on a full disk: the fragment is cut back, no signal comes, lines
 * wait, and go on when there is room.
 */
static void test_full(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	struct rlimit before, tight;
	struct stat st;
	off_t size;

	assert_int_equal(put_text(place, sink, "fits"), 0);
	assert_int_equal(stat(place->file, &st), 0);
	size = st.st_size;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = size + 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(put_text(place, sink, "does not fit"), 0);
	assert_int_equal(put_text(place, sink, "nor does this"), 0);
	expect_tally(place, 1, 0, 2);
	assert_int_equal(sink->trouble.code, -EFBIG);
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	sinks_flush(place->sinks, 5000);
	expect_texts(place->file, "fits,does not fit,nor does this,");
	expect_tally(place, 3, 0, 0);
	assert_int_equal(sink->trouble.code, 0);
}

/* Beyond the bound lines are counted, and the number is exact. */
static void test_bound(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, "/dev/full");
	int dropped = 0;

	sink->config.queue_bytes = 1000;
	for (int i = 0; i < 100; i++)
		dropped += put_text(place, sink, "x") == -ENOBUFS;
	assert_in_range(dropped, 50, 99);
	expect_tally(place, 0, dropped, 100 - dropped);
	assert_int_equal(sink->counts.dropped, dropped);
	assert_in_range(sink->queue.bytes, 900, 1000);
}

/* Removed with its folder, and a folder in its place that is no file: kept, told, written later. */
static void test_gone(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);

	assert_int_equal(put_text(place, sink, "one"), 0);
	assert_int_equal(unlink(place->file), 0);
	assert_int_equal(rmdir(place->dir), 0);
	/* Its folder is made anew. */
	assert_int_equal(put_text(place, sink, "two"), 0);
	expect_texts(place->file, "two,");
	assert_int_equal(unlink(place->file), 0);
	assert_int_equal(mkdir(place->file, 0700), 0);
	assert_int_equal(put_text(place, sink, "three"), 0);
	assert_int_equal(sink->trouble.code, -EISDIR);
	expect_tally(place, 2, 0, 1);
	assert_int_equal(rmdir(place->file), 0);
	sinks_flush(place->sinks, 5000);
	expect_texts(place->file, "three,");
	assert_int_equal(sink->chain.sequence, 4);
}

static void test_rotation(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	char path[160], text[32];

	sink->config.max_bytes = 1000;
	sink->config.keep = 2;
	for (int i = 1; i <= 20; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(put_text(place, sink, text), 0);
	}
	expect_texts(place->file, "17,18,19,20,");
	snprintf(path, sizeof(path), "%s.000000000016", place->file);
	expect_texts(path, "13,14,15,16,");
	snprintf(path, sizeof(path), "%s.000000000004", place->file);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(sink->chain.sequence, 20);
	/* A writer that finds the file gone goes on behind the newest rotated one. */
	sinks_release(place->sinks, sink);
	assert_int_equal(unlink(place->file), 0);
	sink = must_use(place, place->file);
	assert_int_equal(sink->chain.sequence, 16);
}

/* A line that is not written yet. */
static void queue_text(struct place *place, struct sink *sink, int number)
{
	json_auto_t *event = json_pack("{s:I, s:o}", "time", (json_int_t)1000, "text", json_sprintf("%d", number));
	struct line *line;

	assert_int_equal(line_new(event, &line), 0);
	assert_int_equal(sinks_put_line(place->sinks, sink, place->tally, line), 0);
}

/* In one go, behind a fragment, and beyond the size at which the file is rotated: as if they came one by one. */
static void test_many(void **state)
{
	struct place *place = *state;
	struct sink *sink;
	char path[160];
	int fd = open(place->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "{\"time\":1", 9), 9);
	close(fd);
	sink = must_use(place, place->file);
	sink->config.max_bytes = 1000;
	sink->config.keep = 9;
	for (int i = 1; i <= 10; i++)
		queue_text(place, sink, i);
	expect_tally(place, 0, 0, 10);
	expect_texts(place->file, "?,");
	sinks_write(sink);
	expect_tally(place, 10, 0, 0);
	snprintf(path, sizeof(path), "%s.000000000004", place->file);
	expect_texts(path, "?,1,2,3,4,");
	snprintf(path, sizeof(path), "%s.000000000008", place->file);
	expect_texts(path, "5,6,7,8,");
	expect_texts(place->file, "9,10,");
	assert_int_equal(sink->chain.sequence, 10);
}

/* What fits is written, although what waits with it does not. */
static void test_nearly_full(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	struct rlimit before, tight;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	tight = before;
	tight.rlim_cur = 1000;
	for (int i = 1; i <= 10; i++)
		queue_text(place, sink, i);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	sinks_write(sink);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_tally(place, 4, 0, 6);
	expect_texts(place->file, "1,2,3,4,");
	sinks_flush(place->sinks, 5000);
	expect_texts(place->file, "1,2,3,4,5,6,7,8,9,10,");
	expect_tally(place, 10, 0, 0);
}

static void test_rotation_by_age(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);
	char path[160];

	assert_int_equal(put_text(place, sink, "one"), 0);
	sink->config.max_age_ms = 1000;
	assert_int_equal(put_text(place, sink, "young"), 0);
	sink->file_since_ms -= 2000;
	assert_int_equal(put_text(place, sink, "two"), 0);
	expect_texts(place->file, "two,");
	snprintf(path, sizeof(path), "%s.000000000002", place->file);
	expect_texts(path, "one,young,");
}

/* --- pipes ------------------------------------------------------------------------------------ */

static void drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

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

/* Octet counting: the number in front is that of the bytes behind it. */
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

static void test_close_on_exec(void **state)
{
	struct place *place = *state;
	struct sink *sink = must_use(place, place->file);

	assert_true(fcntl(sink->fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(place->sinks->epoll_fd, F_GETFD) & FD_CLOEXEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),	  TEST(test_two_writers),      TEST(test_refused),
		TEST(test_full),	  TEST(test_bound),	       TEST(test_gone),
		TEST(test_rotation),	  TEST(test_rotation_by_age),  TEST(test_null),
		TEST(test_many),	  TEST(test_nearly_full),
		TEST(test_fifo),	  TEST(test_stalled),	       TEST(test_stdout),
		TEST(test_syslog_datagram), TEST(test_syslog_tcp),     TEST(test_resent),
		TEST(test_dead_peer),	  TEST(test_news),	       TEST(test_close_on_exec),
	};

	return cmocka_run_group_tests_name("sink", tests, NULL, NULL);
}
