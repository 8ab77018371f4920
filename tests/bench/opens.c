// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * opens COUNT FILE: the instructions that one open and close of FILE takes, and then one read of a
 * byte of it.
 *
 * The mean of COUNT, timer interrupts and all: a minimum would leave out what the kernel puts off.
 * Linked statically, so that it runs where no library may be read.
 */
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double time_opens(const char *file, int cnt)
{
	uint64_t start = now_ns();

	for (int i = 0; i < cnt; i++) {
		int fd = open(file, O_RDONLY);

		if (fd < 0)
			die(file);
		close(fd);
	}
	return (double)(now_ns() - start) / cnt;
}

static double time_reads(const char *file, int cnt)
{
	int fd = open(file, O_RDONLY);
	uint64_t start;
	char byte;

	start = now_ns();
	for (int i = 0; i < cnt; i++)
		if (pread(fd, &byte, 1, 0) != 1)
			die(file);
	start = now_ns() - start;
	close(fd);
	return (double)start / cnt;
}

int main(int argc, char **argv)
{
	int cnt = argc == 3 ? atoi(argv[1]) : 0;

	if (cnt <= 0) {
		fputs("usage: opens COUNT FILE\n", stderr);
		return 2;
	}
	time_opens(argv[2], cnt / 10 + 1);
	printf("%.2f", time_opens(argv[2], cnt));
	time_reads(argv[2], cnt / 10 + 1);
	printf(" %.2f\n", time_reads(argv[2], cnt));
	return 0;
}
