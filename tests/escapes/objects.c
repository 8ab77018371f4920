// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The accomplice's objects, and what it takes; see objects.h. */
#include "objects.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define KEY_BASE 0x4a430000
#define LINE_SIZE 1024

key_t outside_key(void) { return KEY_BASE | (getuid() & 0xffff); }
key_t left_key(void) { return (KEY_BASE + 0x10000) | (getuid() & 0xffff); }

const char *queue_name(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "/jobcage-escape-%u", getuid());
	return name;
}

int number_of(const char *kind, key_t key)
{
	char path[64], line[LINE_SIZE];
	int found = -ENOENT, its_key, number;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sysvipc/%s", kind);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%d %d", &its_key, &number) == 2 && its_key == key)
			found = number;
	if (file)
		fclose(file);
	return found;
}

static void remove_old(void)
{
	shmctl(shmget(outside_key(), 0, 0), IPC_RMID, NULL);
	msgctl(msgget(outside_key(), 0), IPC_RMID, NULL);
	semctl(semget(outside_key(), 0, 0), 0, IPC_RMID);
	mq_unlink(queue_name());
}

static void make_ipc(void)
{
	struct message message = { .type = 1, .text = "secret" };
	long *word = shmat(shmget(outside_key(), sizeof(*word), IPC_CREAT | 0600), NULL, 0);
	int semaphores = semget(outside_key(), 1, IPC_CREAT | 0600);

	if (word == (void *)-1)
		perror("objects: segment");
	else
		*word = SECRET;
	if (msgsnd(msgget(outside_key(), IPC_CREAT | 0600), &message, sizeof(message.text), 0))
		perror("objects: queue");
	if (semctl(semaphores, 0, SETVAL, SECRET))
		perror("objects: semaphore");
}

static void make_queue(void)
{
	mqd_t queue = mq_open(queue_name(), O_CREAT | O_RDWR | O_CLOEXEC, 0600, &(struct mq_attr){ .mq_maxmsg = 4, .mq_msgsize = 8 });

	if (queue == (mqd_t)-1 || mq_send(queue, "secret", 7, 0))
		perror("objects: POSIX queue");
}

static void permit(long key)
{
	if (key < 0 || keyctl(KEYCTL_SETPERM, key, KEY_OF_USER, 0))
		perror("objects: key");
}

/* One in the user's keyring, for all processes of that user; one in a session that has a name, by which others join it. */
static void make_keys(void)
{
	permit(syscall(SYS_add_key, "user", KEY_NAME, "x", 1, KEY_SPEC_USER_KEYRING));
	permit(keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)KEYRING_NAME, 0, 0));
	permit(syscall(SYS_add_key, "user", KEYRING_NAME, "x", 1, KEY_SPEC_SESSION_KEYRING));
}

void objects_make(void)
{
	remove_old();
	make_ipc();
	make_queue();
	make_keys();
}

static int is_name_shown(void)
{
	char line[LINE_SIZE];
	FILE *file = fopen("/proc/keys", "re");
	int is_there = 0;

	while (file && fgets(line, sizeof(line), file))
		is_there |= strstr(line, LEFT_NAME) != NULL;
	if (file)
		fclose(file);
	return is_there;
}

int objects_take(const char *what)
{
	struct message message;
	char text[8] = "";
	long *word;

	if (!strcmp(what, "segment")) {
		word = shmat(shmget(left_key(), 0, 0), NULL, SHM_RDONLY);
		return word != (void *)-1 && *word == SECRET;
	}
	if (!strcmp(what, "queue"))
		return msgrcv(msgget(left_key(), 0), &message, sizeof(message.text), 0, IPC_NOWAIT) > 0;
	if (!strcmp(what, "semaphore"))
		return semctl(semget(left_key(), 0, 0), 0, GETVAL) == SECRET;
	if (!strncmp(what, "key ", 4))
		return keyctl(KEYCTL_READ, atol(what + 4), (long)text, sizeof(text)) == 1 && *text == SECRET;
	return !strcmp(what, "name") && is_name_shown();
}
