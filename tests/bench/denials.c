// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * denials COUNT FOLDER [UID]: the processor time that one denied creation of a file in FOLDER takes in the process that attempts it,
 * the kernel's part included: what it decides, counts and records, but not what others then do with the record. Where clock.h's clock
 * counts instructions, it is a number of instructions.
 *
 * With UID it becomes that user first: to whom the folder's mode refuses the same call, in no job.
 *
 * Each has a name of its own, so each has a record. With COUNT 0 it only starts and ends, for comparison. Linked statically, so that it
 * runs where no library may be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"

static uint64_t own_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void attempt(const char *folder, int i)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/name-%d", folder, i);
	if (open(path, O_WRONLY | O_CREAT, 0644) >= 0 || errno != EACCES) {
		fprintf(stderr, "denials: %s: not refused\n", path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int cnt = argc == 3 || argc == 4 ? atoi(argv[1]) : -1;
	uint64_t start;

	if (cnt < 0) {
		fputs("usage: denials COUNT FOLDER [UID]\n", stderr);
		return 2;
	}
	if (argc == 4 && (!strtoul(argv[3], NULL, 10) || setuid((uid_t)strtoul(argv[3], NULL, 10)))) {
		fprintf(stderr, "denials: cannot become user %s\n", argv[3]);
		return 1;
	}
	start = own_ns();
	for (int i = 0; i < cnt; i++)
		attempt(argv[2], i);
	if (cnt)
		printf("%.2f\n", (double)(own_ns() - start) / cnt);
	return 0;
}
