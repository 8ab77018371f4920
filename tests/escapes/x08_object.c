// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X8: what outlives its maker and is found by a number or name: System V memory, semaphores and queues, POSIX message queues, keys. Those
 * of the accomplice, used, changed, removed; the job's own, left for him; and the job's own among its processes.
 */
#include "accomplice.h"
#include "escape.h"
#include "objects.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define UNUSED_USERS 1000000

/* --- System V, of the accomplice */

static int attach(int segment)
{
	long *word;

	if (step("shmget") && segment < 0)
		return -errno;
	word = shmat(segment, NULL, 0);
	if (step("shmat") && word == (void *)-1)
		return -errno;
	*word = 1;
	return outcome(shmdt(word));
}

static int segment_by_key(void) { return attach(shmget(outside_key(), 0, 0)); }
static int segment_by_number(void) { return attach(number_of("shm", outside_key())); }

static int segment_command(const char *name, int command)
{
	step(name);
	return outcome(shmctl(number_of("shm", outside_key()), command, NULL));
}

static int segment_lock(void) { return segment_command("SHM_LOCK", SHM_LOCK); }
static int segment_remove(void) { return segment_command("IPC_RMID", IPC_RMID); }

static int segment_set(void)
{
	struct shmid_ds owner = { .shm_perm = { .uid = getuid(), .gid = getgid(), .mode = 0666 } };

	step("IPC_SET");
	return outcome(shmctl(number_of("shm", outside_key()), IPC_SET, &owner));
}

/* For nothing that it could be told to do. */
static int queue_by_key(void)
{
	step("msgget");
	return outcome(msgget(outside_key(), 0600));
}

static int queue_receive(void)
{
	struct message message;

	step("msgrcv");
	return outcome(msgrcv(number_of("msg", outside_key()), &message, sizeof(message.text), 0, IPC_NOWAIT));
}

static int queue_send(void)
{
	struct message message = { .type = 1, .text = "x" };

	step("msgsnd");
	return outcome(msgsnd(number_of("msg", outside_key()), &message, sizeof(message.text), IPC_NOWAIT));
}

static int queue_remove(void)
{
	step("IPC_RMID");
	return outcome(msgctl(number_of("msg", outside_key()), IPC_RMID, NULL));
}

static int semaphore_add(void)
{
	struct sembuf more = { .sem_op = 1, .sem_flg = IPC_NOWAIT };

	step("semop");
	return outcome(semop(number_of("sem", outside_key()), &more, 1));
}

static int semaphore_command(const char *name, int command)
{
	step(name);
	return outcome(semctl(number_of("sem", outside_key()), 0, command, 1));
}

static int semaphore_get(void) { return semaphore_command("GETVAL", GETVAL); }
static int semaphore_set(void) { return semaphore_command("SETVAL", SETVAL); }
static int semaphore_remove(void) { return semaphore_command("IPC_RMID", IPC_RMID); }

/* --- POSIX queues, of the accomplice */

static int mq_take(void)
{
	char text[8];
	mqd_t queue = mq_open(queue_name(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (step("mq_open") && queue == (mqd_t)-1)
		return -errno;
	step("mq_receive");
	r = outcome(mq_receive(queue, text, sizeof(text), NULL));
	mq_close(queue);
	return r;
}

static int mq_put(void)
{
	mqd_t queue = mq_open(queue_name(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (step("mq_open") && queue == (mqd_t)-1)
		return -errno;
	step("mq_send");
	r = outcome(mq_send(queue, "x", 1, 0));
	mq_close(queue);
	return r;
}

/* --- keys, of the accomplice */

static long find(long ring, const char *name)
{
	step("KEYCTL_SEARCH");
	return keyctl(KEYCTL_SEARCH, ring, (long)"user", (long)name);
}

static int read_key(long key)
{
	char text[8];

	if (key < 0)
		return -errno;
	step("KEYCTL_READ");
	return outcome(keyctl(KEYCTL_READ, key, (long)text, sizeof(text)));
}

/* Where it would be possessed. */
static int key_link(void)
{
	long key = find(KEY_SPEC_USER_KEYRING, KEY_NAME);

	if (key < 0)
		return -errno;
	step("KEYCTL_LINK");
	return outcome(keyctl(KEYCTL_LINK, key, KEY_SPEC_PROCESS_KEYRING, 0)) ?: read_key(key);
}

static int key_update(void)
{
	long key = find(KEY_SPEC_USER_KEYRING, KEY_NAME);

	if (key < 0)
		return -errno;
	step("KEYCTL_UPDATE");
	return outcome(keyctl(KEYCTL_UPDATE, key, (long)"y", 1));
}

static int key_permit(void)
{
	long key = find(KEY_SPEC_USER_KEYRING, KEY_NAME);

	if (key < 0)
		return -errno;
	step("KEYCTL_SETPERM");
	return outcome(keyctl(KEYCTL_SETPERM, key, KEY_OF_USER, 0));
}

static int key_put(void)
{
	step("add_key");
	return outcome(syscall(SYS_add_key, "user", PUT_NAME, "y", 1, KEY_SPEC_USER_KEYRING));
}

/* Into the keyring of a user of whom the job is the first process: it is that user's all the same. */
static int key_put_first(void)
{
	uid_t uid = UNUSED_USERS + getpid();

	if (step("setresuid") && setresuid(uid, uid, uid))
		return -errno;
	return key_put();
}

/* The keyring of the user is one's own to link, as pam_keyinit does; not what is in it to read. */
static int ring_link(void)
{
	step("KEYCTL_LINK");
	if (keyctl(KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_PROCESS_KEYRING, 0))
		return -errno;
	return read_key(find(KEY_SPEC_PROCESS_KEYRING, KEY_NAME));
}

static int session_join(void)
{
	step("KEYCTL_JOIN_SESSION_KEYRING");
	if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)KEYRING_NAME, 0, 0) < 0)
		return -errno;
	return read_key(find(KEY_SPEC_SESSION_KEYRING, KEYRING_NAME));
}

static int session_put(void)
{
	step("KEYCTL_JOIN_SESSION_KEYRING");
	if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)KEYRING_NAME, 0, 0) < 0)
		return -errno;
	step("add_key");
	return outcome(syscall(SYS_add_key, "user", PUT_NAME, "y", 1, KEY_SPEC_SESSION_KEYRING));
}

static int key_throw_away(void)
{
	long key = find(KEY_SPEC_USER_KEYRING, KEY_NAME);

	if (key < 0)
		return -errno;
	step("KEYCTL_INVALIDATE");
	return outcome(keyctl(KEYCTL_INVALIDATE, key, 0, 0));
}

static int child_key_put_first(void) { return in_child(key_put_first); }
static int child_key_link(void) { return in_child(key_link); }
static int child_ring_link(void) { return in_child(ring_link); }
static int child_session_join(void) { return in_child(session_join); }
static int child_session_put(void) { return in_child(session_put); }

/* --- left for the accomplice */

static int is_taken(const char *what)
{
	char request[REQUEST_SIZE];
	int fd;

	snprintf(request, sizeof(request), "take %s", what);
	fd = accomplice_descriptor(request);
	step("what the accomplice did");
	return close_outcome(fd < 0 ? (errno = -fd, -1) : fd);
}

/* It is he whom the record is about. */
static int leave(int (*act)(void))
{
	struct held held;
	int r = accomplice_held(&held);

	if (r)
		return r;
	answer_for(held.pid);
	return in_child(act);
}

static int segment_for_him(void)
{
	int segment = shmget(left_key(), sizeof(long), IPC_CREAT | 0600), r;
	long *word = shmat(segment, NULL, 0);

	if (step("shmat") && word == (void *)-1)
		return -errno;
	*word = SECRET;
	r = is_taken("segment");
	shmctl(segment, IPC_RMID, NULL);
	return r;
}

static int message_for_him(void)
{
	struct message message = { .type = 1, .text = "secret" };
	int queue = msgget(left_key(), IPC_CREAT | 0600), r;

	step("msgsnd");
	r = outcome(msgsnd(queue, &message, sizeof(message.text), 0)) ?: is_taken("queue");
	msgctl(queue, IPC_RMID, NULL);
	return r;
}

static int semaphore_for_him(void)
{
	int semaphores = semget(left_key(), 1, IPC_CREAT | 0600), r;

	step("SETVAL");
	r = outcome(semctl(semaphores, 0, SETVAL, SECRET)) ?: is_taken("semaphore");
	semctl(semaphores, 0, IPC_RMID);
	return r;
}

static int key_for_him(void)
{
	char what[REQUEST_SIZE], secret = SECRET;
	long key = syscall(SYS_add_key, "user", LEFT_NAME, &secret, 1, KEY_SPEC_PROCESS_KEYRING);

	if (step("add_key") && key < 0)
		return -errno;
	step("KEYCTL_SETPERM");
	snprintf(what, sizeof(what), "key %ld", key);
	return outcome(keyctl(KEYCTL_SETPERM, key, KEY_OF_USER, 0)) ?: is_taken(what);
}

static int name_for_him(void)
{
	long key = syscall(SYS_add_key, "user", LEFT_NAME, "x", 1, KEY_SPEC_PROCESS_KEYRING);

	if (step("add_key") && key < 0)
		return -errno;
	step("KEYCTL_SETPERM");
	return outcome(keyctl(KEYCTL_SETPERM, key, KEY_OF_USER, 0)) ?: is_taken("name");
}

static int leave_segment(void) { return leave(segment_for_him); }
static int leave_message(void) { return leave(message_for_him); }
static int leave_semaphore(void) { return leave(semaphore_for_him); }
static int leave_key(void) { return leave(key_for_him); }
static int leave_name(void) { return leave(name_for_him); }

/* --- the job's own, from one process of it to another */

static int receive_own(void)
{
	struct message message;
	struct sembuf less = { .sem_op = -1, .sem_flg = IPC_NOWAIT | SEM_UNDO };
	long *word = shmat(shmget(left_key(), 0, 0), NULL, 0);

	if (step("shmat") && word == (void *)-1)
		return -errno;
	step("msgrcv");
	if (*word != SECRET || msgrcv(msgget(left_key(), 0), &message, sizeof(message.text), 0, IPC_NOWAIT) < 0)
		return -errno;
	step("semop");
	return outcome(semop(semget(left_key(), 0, 0), &less, 1));
}

static int use_own(int segment, int queue, int semaphores)
{
	struct message message = { .type = 1, .text = "own" };
	long *word = shmat(segment, NULL, 0);

	if (step("shmat") && word == (void *)-1)
		return -errno;
	*word = SECRET;
	step("msgsnd");
	if (msgsnd(queue, &message, sizeof(message.text), 0))
		return -errno;
	step("SETVAL");
	return outcome(semctl(semaphores, 0, SETVAL, 1)) ?: in_child(receive_own);
}

static int own_objects(void)
{
	int segment = shmget(left_key(), sizeof(long), IPC_CREAT | IPC_EXCL | 0600);
	int queue = msgget(left_key(), IPC_CREAT | IPC_EXCL | 0600), semaphores = semget(left_key(), 1, IPC_CREAT | IPC_EXCL | 0600);
	int r = use_own(segment, queue, semaphores);

	if (!r && step("IPC_RMID") && (shmctl(segment, IPC_RMID, NULL) || msgctl(queue, IPC_RMID, NULL) || semctl(semaphores, 0, IPC_RMID)))
		return -errno;
	return r;
}

static int read_of_session(void) { return read_key(find(KEY_SPEC_SESSION_KEYRING, OWN_NAME)); }

/* In a session of its own, where children find it. */
static int own_keys(void)
{
	long key;

	step("KEYCTL_JOIN_SESSION_KEYRING");
	if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0) < 0)
		return -errno;
	key = syscall(SYS_add_key, "user", OWN_NAME, "x", 1, KEY_SPEC_SESSION_KEYRING);
	if (step("add_key") && key < 0)
		return -errno;
	step("KEYCTL_LINK");
	if (keyctl(KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING, 0))
		return -errno;
	return in_child(read_of_session);
}

static int child_own_keys(void) { return in_child(own_keys); }

const struct attempt attempts[] = {
	{ "segment-by-key", segment_by_key },
	{ "segment-by-number", segment_by_number },
	{ "segment-lock", segment_lock },
	{ "segment-set", segment_set },
	{ "segment-remove", segment_remove },
	{ "queue-by-key", queue_by_key },
	{ "queue-receive", queue_receive },
	{ "queue-send", queue_send },
	{ "queue-remove", queue_remove },
	{ "semaphore-add", semaphore_add },
	{ "semaphore-get", semaphore_get },
	{ "semaphore-set", semaphore_set },
	{ "semaphore-remove", semaphore_remove },
	{ "mq-receive", mq_take },
	{ "mq-send", mq_put },
	{ "key-link", child_key_link },
	{ "key-update", key_update },
	{ "key-permit", key_permit },
	{ "key-put", key_put },
	{ "key-put-first", child_key_put_first },
	{ "key-throw-away", key_throw_away },
	{ "ring-link", child_ring_link },
	{ "session-join", child_session_join },
	{ "session-put", child_session_put },
	{ "leave-segment", leave_segment },
	{ "leave-message", leave_message },
	{ "leave-semaphore", leave_semaphore },
	{ "leave-key", leave_key },
	{ "leave-name", leave_name },
	{ "own-objects", own_objects },
	{ "own-keys", child_own_keys },
	{ NULL, NULL },
};
