// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * connects COUNT ADDRESS PORT: the instructions that one connect() of a UDP socket takes.
 *
 * Nothing is sent: for UDP it looks up a route and remembers the address. So little else happens
 * that the cost of a policy stands out.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

static double time_connects(int fd, const struct sockaddr_in *to, int cnt)
{
	uint64_t start = now_ns();

	for (int i = 0; i < cnt; i++) {
		if (connect(fd, (const struct sockaddr *)to, sizeof(*to))) {
			perror("connect");
			exit(1);
		}
	}
	return (double)(now_ns() - start) / cnt;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int cnt = argc == 4 ? atoi(argv[1]) : 0;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (cnt <= 0 || fd < 0 || !inet_pton(AF_INET, argv[2], &to.sin_addr)) {
		fputs("usage: connects COUNT ADDRESS PORT\n", stderr);
		return 2;
	}
	to.sin_port = htons(atoi(argv[3]));
	time_connects(fd, &to, cnt / 10 + 1);
	printf("%.2f\n", time_connects(fd, &to, cnt));
	return 0;
}
