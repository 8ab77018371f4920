// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on what outlives its maker: System V objects and keys, of the controller's and of the canary's own;
 * see attempt.h.
 */
#include "job/attempt.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define KEY_NAME "jobcage:self-test"
#define KEY_OF_USER 0x3f3f0000 /* all is granted to who possesses it, and to its user */

static long keyctl(int command, long a, long b, long c)
{
	return syscall(SYS_keyctl, command, a, b, c, 0);
}

static long add_key(void)
{
	return syscall(SYS_add_key, "user", KEY_NAME, "x", 1, KEY_SPEC_PROCESS_KEYRING);
}

/* --- the controller's --------------------------------------------------------------------------- */

void objects_make(struct objects *ret_objects)
{
	*ret_objects = (struct objects){
		.segment = shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600),
		.semaphores = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600),
		.queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600),
		.key = (int)add_key(),
	};
	if (ret_objects->key > 0)
		keyctl(KEYCTL_SETPERM, ret_objects->key, KEY_OF_USER, 0);
}

void objects_remove(struct objects *objects)
{
	if (objects->segment >= 0)
		shmctl(objects->segment, IPC_RMID, NULL);
	if (objects->semaphores >= 0)
		semctl(objects->semaphores, 0, IPC_RMID);
	if (objects->queue >= 0)
		msgctl(objects->queue, IPC_RMID, NULL);
	if (objects->key > 0)
		keyctl(KEYCTL_UNLINK, objects->key, KEY_SPEC_PROCESS_KEYRING, 0);
	*objects = NO_OBJECTS;
}

/* --- acts on them: nobody would miss them ------------------------------------------------------- */

static int attach(const struct attempt *attempt, struct attempt_result *result)
{
	void *memory;

	if (attempt->objects->segment < 0)
		return act_impossible(result, -ENOSYS);
	memory = shmat(attempt->objects->segment, NULL, SHM_RDONLY);
	return memory == (void *)-1 ? -errno : act_outcome(shmdt(memory));
}

static int remove_segment(const struct attempt *attempt, struct attempt_result *result)
{
	if (attempt->objects->segment < 0)
		return act_impossible(result, -ENOSYS);
	return act_outcome(shmctl(attempt->objects->segment, IPC_RMID, NULL));
}

static int remove_semaphores(const struct attempt *attempt, struct attempt_result *result)
{
	if (attempt->objects->semaphores < 0)
		return act_impossible(result, -ENOSYS);
	return act_outcome(semctl(attempt->objects->semaphores, 0, IPC_RMID));
}

static int remove_queue(const struct attempt *attempt, struct attempt_result *result)
{
	if (attempt->objects->queue < 0)
		return act_impossible(result, -ENOSYS);
	return act_outcome(msgctl(attempt->objects->queue, IPC_RMID, NULL));
}

static int read_key(const struct attempt *attempt, struct attempt_result *result)
{
	char text[1];

	if (attempt->objects->key <= 0)
		return act_impossible(result, -ENOSYS);
	return act_outcome(keyctl(KEYCTL_READ, attempt->objects->key, (long)text, sizeof(text)));
}

#define OBJECT_ACT(act_hook, act_what, act_fn, act_refusal, act_op)                  \
	{                                                                            \
		.name = act_hook, .hook = act_hook, .what = act_what, .run = act_fn, \
		.refusal = act_refusal, .op = act_op, .reason = REASON_OBJECT        \
	}

const struct act object_acts[] = {
	OBJECT_ACT("ipc_permission", "shmat() of the controller's shared memory", attach, EACCES,
		   OP_IPC),
	OBJECT_ACT("shm_shmctl", "shmctl() that removes it", remove_segment, EACCES, OP_IPC),
	OBJECT_ACT("sem_semctl", "semctl() that removes the controller's semaphore",
		   remove_semaphores, EACCES, OP_IPC),
	OBJECT_ACT("msg_queue_msgctl", "msgctl() that removes the controller's message queue",
		   remove_queue, EACCES, OP_IPC),
	OBJECT_ACT("key_permission", "keyctl() that reads the controller's key", read_key, EPERM,
		   OP_KEY_USE),
};
const size_t object_act_cnt = ARRAY_SIZE(object_acts);

/* --- acts on the canary's own ------------------------------------------------------------------- */

static int use_own_segment(const struct attempt *attempt, struct attempt_result *result)
{
	int segment = shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600), r;
	void *memory;

	(void)attempt;
	if (segment < 0)
		return act_impossible(result, -errno);
	memory = shmat(segment, NULL, 0);
	r = memory == (void *)-1 ? -errno : act_outcome(shmdt(memory));
	shmctl(segment, IPC_RMID, NULL);
	return r;
}

static int read_own_key(const struct attempt *attempt, struct attempt_result *result)
{
	long key = add_key();
	char text[1];

	(void)attempt;
	if (key < 0)
		return errno == ENOSYS ? act_impossible(result, -errno) : -errno;
	return act_outcome(keyctl(KEYCTL_READ, key, (long)text, sizeof(text)));
}

const struct act allowed_object_acts[] = {
	{ .name = "own shared memory",
	  .what = "shmat() of its own shared memory",
	  .run = use_own_segment,
	  .noted_by = "ipc_addid",
	  .op = OP_IPC },
	{ .name = "own key",
	  .what = "keyctl() that reads its own key",
	  .run = read_own_key,
	  .noted_by = "key_alloc",
	  .op = OP_KEY_USE },
};
const size_t allowed_object_act_cnt = ARRAY_SIZE(allowed_object_acts);
