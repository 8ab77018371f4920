// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * toil - a job that keeps attempting, and an account of it that outlives everything.
 *
 *	toil ACCOUNT PERIOD_MS THREADS FORBIDDEN... -- ALLOWED...
 *
 * Each thread goes through the forbidden acts, each of which must fail with EACCES, then through the allowed ones, which must not fail,
 * and rests for PERIOD_MS. An act is written:
 *
 *	write:FILE read:FILE     open it
 *	connect:ADDRESS          connect a UDP socket to it, IPv4 or IPv6; no packet comes of that
 *	exec:FILE                execute it
 *
 * Every CHILD_EVERYth round, the first among them, is gone through by a child that the thread forks for it, and in those alone files
 * are executed. With 0 THREADS there is one such round and no waiting.
 *
 * The account is in a file that the test maps too: it starts and stops the toil there, so no other process has to run. An attempt is
 * counted when its system call has returned, so the account is at most one a thread behind what the kernel has counted, and exact
 * once the toil has stopped by itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64
#define ACTS_MAX 32
#define CHILD_EVERY 8
#define PORT 9

/* toil.py reads and writes the same, as 64-bit numbers. */
struct account {
	_Atomic uint64_t phase;    /* written by the test: 0 wait, 1 toil, 2 end */
	_Atomic uint64_t attempts; /* of forbidden acts */
	_Atomic uint64_t breaches; /* of these, not refused with EACCES */
	_Atomic uint64_t uses;     /* of allowed acts */
	_Atomic uint64_t refusals; /* of these, refused */
	_Atomic uint64_t threads;  /* that run */
	_Atomic uint64_t rounds;   /* that a thread has come to the end of */
	_Atomic uint64_t
		wrong; /* acts that ever were breaches or refusals: bit N for the Nth word */
	_Atomic uint64_t unforked; /* children that there were none of */
};

/* The child that an act is for could not be made: it was not tried. */
#define UNTRIED (-1)

struct act {
	int (*run)(const char *argument); /* 0, an errno or UNTRIED */
	const char *argument;
	uint64_t bit;
	bool is_for_child;
};

static struct account *account;
static struct timespec period;
static struct act forbidden[ACTS_MAX + 1], allowed[ACTS_MAX + 1];

/* --- acts ------------------------------------------------------------------------------------- */

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int act_write(const char *path)
{
	return try_open(path, O_WRONLY | O_APPEND);
}

static int act_read(const char *path)
{
	return try_open(path, O_RDONLY);
}

static socklen_t parse_address(const char *text, struct sockaddr_storage *ret_addr)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(ret_addr, &v4, sizeof(v4));
		return sizeof(v4);
	}
	inet_pton(AF_INET6, text, &v6.sin6_addr);
	memcpy(ret_addr, &v6, sizeof(v6));
	return sizeof(v6);
}

static int act_connect(const char *address)
{
	struct sockaddr_storage addr;
	socklen_t len = parse_address(address, &addr);
	int fd = socket(addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return errno;
	error = connect(fd, (struct sockaddr *)&addr, len) ? errno : 0;
	close(fd);
	return error;
}

/* The child borrows the memory until it has executed something. */
static int act_exec(const char *path)
{
	char *const argv[] = { (char *)path, NULL };
	volatile int error = 0;
	pid_t pid = vfork();

	if (!pid) {
		execv(path, argv);
		error = errno;
		_exit(0);
	}
	if (pid < 0)
		return UNTRIED;
	waitpid(pid, NULL, 0);
	return error;
}

static const struct {
	const char *name;
	int (*run)(const char *argument);
} kinds[] = {
	{ "write", act_write },
	{ "read", act_read },
	{ "connect", act_connect },
	{ "exec", act_exec },
};

/* Returns false if there is no such act. */
static bool parse_act(char *word, size_t number, struct act *ret_act)
{
	char *argument = strchr(word, ':');

	if (!argument)
		return false;
	*argument++ = '\0';
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(word, kinds[i].name))
			continue;
		*ret_act = (struct act){
			.run = kinds[i].run,
			.argument = argument,
			.bit = UINT64_C(1) << number,
			.is_for_child = kinds[i].run == act_exec,
		};
		return true;
	}
	return false;
}

static bool parse_acts(char **words)
{
	struct act *act = forbidden;

	for (size_t i = 0; words[i]; i++) {
		if (!strcmp(words[i], "--"))
			act = allowed;
		else if (i >= ACTS_MAX || !parse_act(words[i], i, act++))
			return false;
	}
	return forbidden->run && allowed->run;
}

/* --- rounds ----------------------------------------------------------------------------------- */

static void run(const struct act *act, int wanted, _Atomic uint64_t *all, _Atomic uint64_t *wrong)
{
	int error = act->run(act->argument);

	if (error == UNTRIED) {
		atomic_fetch_add(&account->unforked, 1);
		return;
	}
	if (error != wanted) {
		atomic_fetch_add(wrong, 1);
		atomic_fetch_or(&account->wrong, act->bit);
	}
	atomic_fetch_add(all, 1);
}

static void go_through(bool is_child)
{
	for (const struct act *act = forbidden; act->run; act++)
		if (is_child || !act->is_for_child)
			run(act, EACCES, &account->attempts, &account->breaches);
	for (const struct act *act = allowed; act->run; act++)
		if (is_child || !act->is_for_child)
			run(act, 0, &account->uses, &account->refusals);
}

static void go_through_in_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		go_through(true);
		_exit(0);
	}
	if (pid < 0)
		atomic_fetch_add(&account->unforked, 1);
	else
		waitpid(pid, NULL, 0);
}

static void *toil(void *unused)
{
	(void)unused;
	atomic_fetch_add(&account->threads, 1);
	for (unsigned long round = 0; atomic_load(&account->phase) < 2;) {
		if (atomic_load(&account->phase)) {
			if (round++ % CHILD_EVERY)
				go_through(false);
			else
				go_through_in_child();
			atomic_fetch_add(&account->rounds, 1);
		}
		nanosleep(&period, NULL);
	}
	return NULL;
}

static struct account *map_account(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map =
		fd < 0 ? MAP_FAILED
		       : mmap(NULL, sizeof(*account), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	long ms, cnt;

	if (argc < 7 || !(account = map_account(argv[1])) || !parse_acts(argv + 4)) {
		fprintf(stderr,
			"usage: toil ACCOUNT PERIOD_MS THREADS FORBIDDEN... -- ALLOWED...\n");
		return 2;
	}
	ms = atol(argv[2]);
	cnt = atol(argv[3]);
	period = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	if (!cnt) {
		go_through_in_child();
		atomic_fetch_add(&account->rounds, 1);
		return 0;
	}
	for (long i = 0; i < cnt - 1 && i < THREADS_MAX; i++)
		if (pthread_create(&threads[i], NULL, toil, NULL))
			return 3;
	toil(NULL);
	for (long i = 0; i < cnt - 1 && i < THREADS_MAX; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
