// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * flood - a job that is denied as often as it can, and counts exactly.
 *
 *	flood FOLDER REPEATS NAMES GO DONE
 *
 * When GO is there: opens FOLDER/a for writing REPEATS times, and makes NAMES files of names of their own in FOLDER, spread evenly
 * among these. Then, once each, what it has not attempted before: mkdir, unlink, truncate, symlink. All of it must fail with
 * EACCES. Prints how many attempts there were, makes DONE and ends; with 1 if something was not refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static unsigned long attempts, breaches;

static void judge(int result)
{
	attempts++;
	breaches += !(result < 0 && errno == EACCES);
}

static void wait_for(const char *path)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	while (access(path, F_OK))
		nanosleep(&pause, NULL);
}

static void flood(const char *folder, unsigned long repeats, unsigned long names)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/a", folder);
	for (unsigned long i = 0, made = 0; i < repeats || made < names; i++) {
		char name[4200];

		if (i < repeats)
			judge(open(path, O_WRONLY | O_CLOEXEC));
		if (made >= names || (i < repeats && made * repeats > i * names))
			continue;
		snprintf(name, sizeof(name), "%s/name-%lu", folder, made++);
		judge(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	}
}

static void last_acts(const char *folder)
{
	char path[4096], name[4200];

	snprintf(path, sizeof(path), "%s/a", folder);
	snprintf(name, sizeof(name), "%s/last", folder);
	judge(mkdir(name, 0755));
	judge(unlink(path));
	judge(truncate(path, 0));
	judge(symlink("a", name));
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 6) {
		fputs("usage: flood FOLDER REPEATS NAMES GO DONE\n", stderr);
		return 2;
	}
	wait_for(argv[4]);
	flood(argv[1], strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	last_acts(argv[1]);
	printf("%lu\n", attempts);
	fd = open(argv[5], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return breaches || fd < 0;
}
