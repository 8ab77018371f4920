// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Acts on what outlives its maker: System V objects, by their key, and keys, by their name in the user's keyring. */
#include "act.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static long keyctl(int command, long a, long b, long c) { return syscall(SYS_keyctl, command, a, b, c, 0); }

static int attach(int segment)
{
	void *memory;

	if (step("shmget") && segment < 0)
		return -errno;
	memory = shmat(segment, NULL, 0);
	if (step("shmat") && memory == (void *)-1)
		return -errno;
	return outcome(shmdt(memory));
}

/* By its number, or the key would be asked for first. */
static int use_segment(char **argv) { return attach(atoi(argv[0])); }

static int remove_segment(char **argv)
{
	step("shmctl");
	return outcome(shmctl(atoi(argv[0]), IPC_RMID, NULL));
}

static int remove_semaphores(char **argv)
{
	step("semctl");
	return outcome(semctl(atoi(argv[0]), 0, IPC_RMID));
}

static int remove_queue(char **argv)
{
	step("msgctl");
	return outcome(msgctl(atoi(argv[0]), IPC_RMID, NULL));
}

static int own_segment(char **argv)
{
	int segment = shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600), r = attach(segment);

	(void)argv;
	if (segment >= 0)
		shmctl(segment, IPC_RMID, NULL);
	return r;
}

static int read_by_number(long key)
{
	char text[8];

	if (key < 0)
		return -errno;
	step("KEYCTL_READ");
	return outcome(keyctl(KEYCTL_READ, key, (long)text, sizeof(text)));
}

static int read_key(char **argv) { return read_by_number(atol(argv[0])); }

/* And throws it away. */
static int own_key(char **argv)
{
	long key = syscall(SYS_add_key, "user", "jobcage:act", "x", 1, KEY_SPEC_PROCESS_KEYRING);
	int r = read_by_number(key);

	(void)argv;
	if (key >= 0)
		keyctl(KEYCTL_INVALIDATE, key, 0, 0);
	return r;
}

const struct act object_acts[] = {
	{ "use_segment", 1, use_segment },
	{ "remove_segment", 1, remove_segment },
	{ "remove_semaphores", 1, remove_semaphores },
	{ "remove_queue", 1, remove_queue },
	{ "own_segment", 0, own_segment },
	{ "read_key", 1, read_key },
	{ "own_key", 0, own_key },
	{ NULL, 0, NULL },
};
