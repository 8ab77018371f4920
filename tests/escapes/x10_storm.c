// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X10: processes and threads as fast and as oddly as they can be made. Each of them opens CLOSED/p, in its first moments and after
 * its parent has gone; won if one of them could. EXTRA: how many there are to be.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE 65536
#define THREADS_EACH 8
#define LIFE_US 5000 /* enough for some children on an emulated machine */

static struct account {
	atomic_int born, done;
	atomic_int opened, refused, wrong;
} *account;

static const char *prize;
static int limit;

static void try_once(void)
{
	int fd = open(prize, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	atomic_fetch_add(fd >= 0 ? &account->opened : errno == EACCES ? &account->refused : &account->wrong, 1);
}

/* May there be one more? */
static int is_next(void) { return atomic_fetch_add(&account->born, 1) < limit; }

/* Runs storm in a child, and waits until no process of it is left: they all have the pipe. In a deadly one not all come to anything. */
static int blow(void (*storm)(void), bool is_deadly)
{
	int ends[2], status;
	char byte;

	limit = atoi(extra ?: "100");
	prize = in(closed, "p");
	account = mmap(NULL, sizeof(*account), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (account == MAP_FAILED || pipe(ends))
		return -errno;
	try_once();
	if (!fork()) {
		close(ends[0]);
		storm();
		_exit(0);
	}
	close(ends[1]);
	wait(&status);
	if (read(ends[0], &byte, 1))
		return -EPROTO;
	close(ends[0]);
	step("storm");
	if (account->opened)
		return 0;
	return (!is_deadly && account->done < limit) || account->wrong ? -ECHILD : -EACCES;
}

/* What every one of them does. */
static void live(void)
{
	try_once();
	atomic_fetch_add(&account->done, 1);
}

/* Each makes two more, and does not wait for them. */
static void bomb(void)
{
	while (is_next()) {
		pid_t pid = fork();

		if (!pid)
			live();
		if (pid < 0 && atomic_fetch_sub(&account->born, 1))
			sched_yield();
	}
	try_once();
}

/* One after the other: the parent is gone before its child tries, or is not. */
static void exit_at_once(void)
{
	while (is_next()) {
		if (fork())
			_exit(0);
		live();
	}
}

static void die_young(void)
{
	if (!fork()) {
		try_once();
		_exit(0);
	}
}

/* The child of a process that is being killed while it forks. */
static void kill_at_birth(void)
{
	while (is_next()) {
		pid_t pid = fork();

		if (!pid) {
			if (!fork()) {
				live();
				_exit(0);
			}
			for (;;)
				die_young();
		}
		usleep(LIFE_US);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static void borrow(void)
{
	while (is_next()) {
		pid_t pid = vfork();

		if (!pid) {
			live();
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static int shared_life(void *unused)
{
	(void)unused;
	live();
	return 0;
}

static void share(int flags)
{
	char *stack = malloc(STACK_SIZE);

	while (is_next()) {
		pid_t pid = clone(shared_life, stack + STACK_SIZE, flags, NULL);

		waitpid(pid, NULL, __WALL);
	}
}

static void share_memory(void) { share(CLONE_VM | SIGCHLD); }
static void share_all(void) { share(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD); }

/* Brothers and sisters instead of children. */
static void siblings(void)
{
	char *stack = malloc(STACK_SIZE);

	if (fork()) {
		while (waitpid(-1, NULL, __WALL) > 0)
			;
		return;
	}
	while (is_next())
		clone(shared_life, stack + STACK_SIZE, CLONE_PARENT, NULL);
}

static void *thread_life(void *unused)
{
	live();
	return unused;
}

/* All at once. */
static void threads(void)
{
	pthread_t *ids = calloc(limit, sizeof(*ids));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (int i = 0; i < limit; i++)
		if (pthread_create(&ids[i], &attr, thread_life, NULL))
			atomic_fetch_add(&account->wrong, 1);
	for (int i = 0; i < limit; i++)
		pthread_join(ids[i], NULL);
}

static void *forking_life(void *unused)
{
	while (is_next()) {
		if (!fork()) {
			live();
			_exit(0);
		}
	}
	return unused;
}

/* Threads that fork while the first of them ends the process. */
static void threads_fork(void)
{
	pthread_t id;

	for (int i = 0; i < THREADS_EACH; i++)
		pthread_create(&id, NULL, forking_life, NULL);
	while (account->born < limit)
		usleep(1000);
}

static int fork_bomb(void) { return blow(bomb, false); }
static int exit_race(void) { return blow(exit_at_once, false); }
static int kill_race(void) { return blow(kill_at_birth, true); }
static int by_vfork(void) { return blow(borrow, false); }
static int by_clone_vm(void) { return blow(share_memory, false); }
static int by_clone_all(void) { return blow(share_all, false); }
static int by_clone_parent(void) { return blow(siblings, false); }
static int many_threads(void) { return blow(threads, false); }
static int thread_race(void) { return blow(threads_fork, true); }

const struct attempt attempts[] = {
	{ "fork-bomb", fork_bomb },
	{ "exit-race", exit_race },
	{ "kill-race", kill_race },
	{ "vfork", by_vfork },
	{ "clone-vm", by_clone_vm },
	{ "clone-all", by_clone_all },
	{ "clone-parent", by_clone_parent },
	{ "threads", many_threads },
	{ "thread-race", thread_race },
	{ NULL, NULL },
};
