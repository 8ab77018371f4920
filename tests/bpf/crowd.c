// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * crowd - many processes and threads that never stop attempting, and an exact account of what they were let do.
 *
 *	crowd PROCESSES THREADS fork|stay FORBIDDEN ALLOWED
 *
 * Each thread opens both files for writing, again and again; with "fork" also by a child each time, and then it rests for
 * a moment, because so many would leave an emulated machine no time for anything else. An attempt
 * belongs to the phase that was on when it began: phase 0, when anything may come out, until a line on standard input
 * begins phase 1, in which FORBIDDEN must be refused with EACCES and ALLOWED must open. A further line ends it all.
 * First the process ids of all are printed, at the end "ATTEMPTS WRONG" of phase 1.
 *
 * The process that counts is none of the crowd, so that freezing them does not freeze it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 256
#define REST_US 200000

static struct account {
	atomic_int phase;
	atomic_ulong attempts; /* of phase 1 */
	atomic_ulong wrong;
} *account;

static const char *forbidden, *allowed;
static bool forks;

/* 0 or an errno. */
static int try_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void attempt(const char *path, int expected)
{
	int phase = atomic_load(&account->phase), result = try_write(path);

	if (!phase)
		return;
	atomic_fetch_add(&account->attempts, 1);
	if (result != expected)
		atomic_fetch_add(&account->wrong, 1);
}

static void attempt_both(void)
{
	attempt(forbidden, EACCES);
	attempt(allowed, 0);
}

static void attempt_in_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		attempt_both();
		_exit(0);
	}
	/* Only of this thread: waitpid() for any child would take another's. */
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void *never_stop(void *arg)
{
	for (;;) {
		attempt_both();
		if (forks) {
			attempt_in_child();
			usleep(REST_US);
		}
	}
	return arg;
}

static void be_one(int threads)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; i < threads; i++)
		if (pthread_create(&thread, NULL, never_stop, NULL))
			_exit(1);
	never_stop(NULL);
}

static bool wait_for_line(void)
{
	char line[16];

	return fgets(line, sizeof(line), stdin);
}

int main(int argc, char **argv)
{
	int cnt = argc == 6 ? atoi(argv[1]) : 0;
	pid_t pids[PROCESSES_MAX];

	if (cnt < 1 || cnt > PROCESSES_MAX) {
		fprintf(stderr, "Usage: crowd PROCESSES THREADS fork|stay FORBIDDEN ALLOWED\n");
		return 2;
	}
	account = mmap(NULL, sizeof(*account), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (account == MAP_FAILED)
		return 1;
	forks = !strcmp(argv[3], "fork");
	forbidden = argv[4];
	allowed = argv[5];
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < cnt; i++) {
		pids[i] = fork();
		if (!pids[i])
			be_one(atoi(argv[2]));
	}
	for (int i = 0; i < cnt; i++)
		printf("%d%c", pids[i], i + 1 < cnt ? ' ' : '\n');
	if (wait_for_line()) {
		atomic_store(&account->phase, 1);
		wait_for_line();
	}
	printf("%lu %lu\n", atomic_load(&account->attempts), atomic_load(&account->wrong));
	for (int i = 0; i < cnt; i++)
		kill(pids[i], SIGKILL);
	return 0;
}
