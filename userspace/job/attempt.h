/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the self-test's canary attempts, and how it is known that the very program refused it that
 * should have.
 *
 * An act is written so that no other part of the kernel refuses it, and so that it does no harm if
 * nothing refuses it: files are jobcage's own, a dataset is only opened, programs have no content,
 * sockets are tied to the loopback device. Acts run in the canary, which has nothing but its own
 * folder as its working directory. It is a copy of one thread of the controller: another may have held
 * any lock at that moment, so acts call async-signal-safe functions and snprintf() only.
 */
#ifndef JOBCAGE_JOB_ATTEMPT_H
#define JOBCAGE_JOB_ATTEMPT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"
#include "abi/socket.h"
#include "job/destination.h"
#include "policy/policy.h"

/* What the canary's folder holds, and a name that is free in it. */
#define OWN_FILE "file"
#define OWN_DIR "dir"
#define OWN_LINK "link"
#define OWN_NEW "new"
/* Sockets of the controller's, which reads nothing from them. */
#define OWN_STREAM "stream"
#define OWN_DATAGRAM "datagram"

enum attempt_state {
	ATTEMPT_WAITING = 0, /* not come to */
	ATTEMPT_STARTED = 1,
	ATTEMPT_DONE = 2,
	ATTEMPT_IMPOSSIBLE = 3, /* this machine cannot do it, or there is nothing to do it to */
};

/* Written by the canary into memory that it shares with the controller. */
struct attempt_result {
	uint32_t state;   /* enum attempt_state */
	int32_t error;    /* 0 or -errno of the act */
	char target[256]; /* what it was done to, where that is found by the canary */
};

struct attempt;

/* Returns 0 or -errno of the act itself; undoes what it could do. */
typedef int (*act_fn)(const struct attempt *attempt, struct attempt_result *result);

/* How it is known that a program of ours decided. */
enum act_proof {
	PROOF_RECORD = 0, /* the ring has a record of it */
	PROOF_FORK,       /* the job's count of refused forks */
	PROOF_PACKET,     /* the ring has a record of a packet, which names no process */
};

/* By which of the canary's processes, and where. */
enum act_place {
	ACT_BY_CHILD = 0, /* whose label is inherited */
	ACT_BY_PARENT,    /* which was labelled */
	ACT_OUTSIDE,      /* by the same, labelled, before it is in the job's cgroup */
};

struct act {
	const char *name; /* stable: for people and for programs that read the result */
	const char *hook; /* struct hook.lsm, or the cgroup's attach type; NULL: must be allowed */
	const char *what; /* "did not refuse ..." */
	act_fn run;
	int refusal; /* errno of a refusal; 0: must be allowed */
	enum act_proof proof;
	enum event_op op;         /* of the record */
	enum event_op other_op;   /* of the record where an older kernel asks another hook; or 0 */
	enum event_reason reason; /* of the record; 0: any */
	bool is_by_cgroup;        /* the cgroup's program refuses it */
	const char *noted_by;     /* what must be allowed: the hook that notes whose it is; or NULL */
	/* In audit mode, where nothing stops there, told of by this program of the cgroup; or NULL. */
	const char *audit_hook;
	enum act_place place;
	struct destination_kind kind; /* of acts on the network: where to */
	uint64_t capabilities;        /* bit N: the kernel asks for capability N before the hook */
	enum socket_class socket_class; /* of acts that make a socket: of which class */
};

/* What the controller makes for the canary to be refused; -1: this kernel has none, or no more of them. */
struct objects {
	int segment, semaphores, queue; /* of System V */
	int key;                        /* in the controller's keyring */
};

#define NO_OBJECTS ((struct objects){ -1, -1, -1, -1 })

void objects_make(struct objects *ret_objects);
void objects_remove(struct objects *objects);

/* One act to be done. What it points to is borrowed. */
struct attempt {
	const struct act *act;
	const struct rule *rule; /* of acts on a dataset */
	const char *path;        /* of acts on a path that is no rule's */
	struct destination to;   /* of acts on the network */
	struct destination from; /* of acts on packets */
	int cgroup_fd;           /* of the job's own */
	int file_fd;             /* OWN_FILE, open for reading and writing */
	int socket_fd;           /* of IPv4, made by the controller; -1: not there */
	const struct objects *objects; /* of acts on them */
	bool is_left_out;        /* the policy denies nothing of the kind */
};

/* What a system call returned, as an act returns it. */
static inline int act_outcome(long r)
{
	return r < 0 ? -errno : 0;
}

/* It cannot be tried here. Returns error, for 'return act_impossible(...)'. */
static inline int act_impossible(struct attempt_result *result, int error)
{
	result->state = ATTEMPT_IMPOSSIBLE;
	return error;
}

/* Maps a page of the file as code, for a moment. Returns 0 or -errno. */
int act_map_code(int fd);

/* Always done, in this order. */
extern const struct act hook_acts[];
extern const size_t hook_act_cnt;
/* The same, of attributes and descriptors. */
extern const struct act attr_acts[];
extern const size_t attr_act_cnt;
/* Where the policy denies mounts. */
extern const struct act mount_acts[];
extern const size_t mount_act_cnt;
/* Where the policy denies some destination of the kind. */
extern const struct act net_acts[];
extern const size_t net_act_cnt;
/* Where the policy denies destinations at all: a connection that no rule could name. */
extern const struct act family_act;
/* Where the policy judges what is sent or what comes: a socket that would lie in another cgroup. */
extern const struct act moved_socket_act;
/* Of these the first whose class the policy does not name. */
extern const struct act socket_acts[];
extern const size_t socket_act_cnt;
/* Where the policy judges what is sent or what comes: a socket of the controller's. */
extern const struct act receive_socket_act;
/* Always done: on sockets of our own, which every policy closes. */
extern const struct act unix_acts[];
extern const size_t unix_act_cnt;
/* Where the policy denies what is sent, and what comes. */
extern const struct act packet_out_act, packet_in_act;
/* Always done: on processes outside the job, and what no policy opens. */
extern const struct act guard_acts[];
extern const size_t guard_act_cnt;
/* Always done: on what outlives its maker. */
extern const struct act object_acts[];
extern const size_t object_act_cnt;
/* Where the policy does not name the capability, or not allow it: CAP_SYS_RESOURCE. */
extern const struct act capability_act, user_namespace_act;
/* Where the policy denies programs by default; where it only has rules that deny some. */
extern const struct act exec_act, exec_rule_act;
/* The same for what is mapped as code. */
extern const struct act map_acts[], map_rule_act;
extern const size_t map_act_cnt;
/* Of a dataset granted for reading, and of one not granted. */
extern const struct act dataset_write_act, dataset_read_act;
/* What must be allowed: a place that the policy opens; a file in no tree; a socket of its own. */
extern const struct act allowed_place_act, allowed_nameless_act, allowed_own_act;
/* The same, objects of its own. A refusal is a record of the act's op. */
extern const struct act allowed_object_acts[];
extern const size_t allowed_object_act_cnt;
/*
 * The last of all: if it is not refused, no path means anything to the canary any more. Without
 * CAP_SYS_CHROOT the kernel does not come to that hook.
 */
extern const struct act chroot_act;

#endif
