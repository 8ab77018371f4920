// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * toil - a job that keeps attempting, and an account of it that outlives everything.
 *
 *	toil ACCOUNT PERIOD_MS THREADS FORBIDDEN ALLOWED
 *
 * Each thread opens FORBIDDEN for writing, which must fail with EACCES, then ALLOWED, which must not, and rests for PERIOD_MS. The
 * account is in a file that the test maps too: it starts and stops the toil there, so no other process has to run. An attempt is
 * counted when its system call has returned, so the account is at most one a thread behind what the kernel has counted, and exact
 * once the toil has stopped by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64

/* toil.py reads and writes the same, as six 64-bit numbers. */
struct account {
	_Atomic uint64_t phase;    /* written by the test: 0 wait, 1 toil, 2 end */
	_Atomic uint64_t attempts; /* of FORBIDDEN */
	_Atomic uint64_t breaches; /* of these, not refused with EACCES */
	_Atomic uint64_t uses;     /* of ALLOWED */
	_Atomic uint64_t refusals; /* of these, refused */
	_Atomic uint64_t threads;  /* that run */
};

static struct account *account;
static struct timespec period;
static const char *forbidden, *allowed;

/* 0 or an errno. */
static int try_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void *toil(void *unused)
{
	(void)unused;
	atomic_fetch_add(&account->threads, 1);
	while (atomic_load(&account->phase) < 2) {
		if (atomic_load(&account->phase)) {
			int refused = try_write(forbidden) == EACCES;

			atomic_fetch_add(&account->breaches, !refused);
			atomic_fetch_add(&account->attempts, 1);
			atomic_fetch_add(&account->refusals, try_write(allowed) != 0);
			atomic_fetch_add(&account->uses, 1);
		}
		nanosleep(&period, NULL);
	}
	return NULL;
}

static struct account *map_account(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map = fd < 0 ? MAP_FAILED
			   : mmap(NULL, sizeof(*account), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	long ms, cnt;

	if (argc != 6 || !(account = map_account(argv[1]))) {
		fprintf(stderr, "usage: toil ACCOUNT PERIOD_MS THREADS FORBIDDEN ALLOWED\n");
		return 2;
	}
	ms = atol(argv[2]);
	cnt = atol(argv[3]);
	period = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	forbidden = argv[4];
	allowed = argv[5];
	for (long i = 0; i < cnt - 1 && i < THREADS_MAX; i++)
		if (pthread_create(&threads[i], NULL, toil, NULL))
			return 3;
	toil(NULL);
	for (long i = 0; i < cnt - 1 && i < THREADS_MAX; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
