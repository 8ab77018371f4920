// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * talks COUNT ADDRESS PORT: the instructions that sending and receiving 1 KB over an open TCP
 * connection take, and those from connect() to close(). talks serve PORT: the other end, which sends
 * back what comes.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#define MESSAGE_SIZE 1024

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/*
 * The next connection waits until this one has ended. As soon as something comes this end runs, before the other
 * does: in which order they go on makes a tenth more or less.
 */
static void serve(uint16_t port)
{
	const struct sched_param at_once = { .sched_priority = 1 };
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, connection;
	char message[MESSAGE_SIZE];
	ssize_t n;

	if (sched_setscheduler(0, SCHED_FIFO, &at_once))
		die("sched_setscheduler");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) || listen(fd, 64))
		die("listen");
	puts("ready");
	fflush(stdout);
	while ((connection = accept(fd, NULL, NULL)) >= 0) {
		setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while ((n = recv(connection, message, sizeof(message), MSG_WAITALL)) > 0)
			if (send(connection, message, (size_t)n, MSG_NOSIGNAL) != n)
				break;
		close(connection);
	}
}

static int dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void exchange(int fd)
{
	char message[MESSAGE_SIZE] = { 0 };

	if (send(fd, message, sizeof(message), 0) != sizeof(message) ||
	    recv(fd, message, sizeof(message), MSG_WAITALL) != sizeof(message))
		die("send and receive");
}

static double time_messages(int fd, int cnt)
{
	uint64_t start = now_ns();

	for (int i = 0; i < cnt; i++)
		exchange(fd);
	return (double)(now_ns() - start) / cnt;
}

/*
 * With one message, so that the other end keeps up: connections that wait for it would be dropped. Closed by
 * a reset: else ports would wait, and run out.
 */
static uint64_t time_dial(const struct sockaddr_in *to)
{
	struct linger reset = { .l_onoff = 1 };
	uint64_t start = now_ns();
	int fd = dial(to);

	exchange(fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	return now_ns() - start;
}

static int time_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The middle one, which no timer has interrupted. */
static double time_dials(const struct sockaddr_in *to, int cnt)
{
	uint64_t *times = calloc((size_t)cnt, sizeof(*times)), middle;

	if (!times)
		die("calloc");
	for (int i = 0; i < cnt; i++)
		times[i] = time_dial(to);
	qsort(times, (size_t)cnt, sizeof(*times), time_order);
	middle = times[cnt / 2];
	free(times);
	return (double)middle;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int cnt, fd;
	double message_ns;

	if (argc == 3 && !strcmp(argv[1], "serve")) {
		serve((uint16_t)atoi(argv[2]));
		return 1;
	}
	cnt = argc == 4 ? atoi(argv[1]) : 0;
	if (cnt <= 0 || !inet_pton(AF_INET, argv[2], &to.sin_addr)) {
		fputs("usage: talks COUNT ADDRESS PORT | talks serve PORT\n", stderr);
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	fd = dial(&to);
	time_messages(fd, cnt / 10 + 1);
	message_ns = time_messages(fd, cnt);
	close(fd);
	time_dials(&to, cnt / 100 + 1);
	printf("%.2f %.2f\n", message_ns, time_dials(&to, cnt / 10 + 1) - message_ns);
	return 0;
}
