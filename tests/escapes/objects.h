/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What outlives its maker and is found by a number or name: System V objects, keys, POSIX message queues. The accomplice makes one of
 * each kind for the job to use, and takes what the job leaves.
 */
#ifndef JOBCAGE_TESTS_OBJECTS_H
#define JOBCAGE_TESTS_OBJECTS_H

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define SECRET 42

#define KEY_NAME "jobcage-escape"   /* in the user's keyring */
#define KEYRING_NAME "jobcage-ring" /* of a session of the accomplice's, with a key of that name in it */
#define LEFT_NAME "jobcage-left"   /* of the job's making: left for him, put into a keyring of his, kept */
#define PUT_NAME "jobcage-put"
#define OWN_NAME "jobcage-own"
#define KEY_OF_USER 0x3f3f0000 /* all is granted to who possesses it, and to its user */

static inline long keyctl(int command, long a, long b, long c) { return syscall(SYS_keyctl, command, a, b, c, 0); }

/* Of this user's: the accomplice's, and what the job leaves. */
key_t outside_key(void);
key_t left_key(void);
/* "/NAME-UID" */
const char *queue_name(void);

struct message {
	long type;
	char text[8];
};

/* Makes them anew, each with something in it. */
void objects_make(void);

/* What the job has left: "segment", "queue", "semaphore", "key NUMBER", "name". Is the secret in it? */
int objects_take(const char *what);

/* The number of an object by its key, as /proc/sysvipc/KIND tells everybody; -errno. */
int number_of(const char *kind, key_t key);

#endif
