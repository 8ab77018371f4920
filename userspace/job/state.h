/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of jobs outside any process: the lock, and one file per job.
 *
 * A job's file is written before anything of the job exists in the kernel and removed after all of
 * it is gone. Whoever looks after the job holds a lock on the file; a file that nobody holds is an
 * orphan, for the next controller to adopt. Beside it stand the job's policy, which jobs of one
 * policy share by hard links, what its self-test came to, and its progress.
 */
#ifndef JOBCAGE_JOB_STATE_H
#define JOBCAGE_JOB_STATE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define STATE_ROOT "/run/jobcage"

/* Longest job id. */
#define JOB_ID_MAX 64

/* What events change. */
struct job_progress_step {
	uint64_t sequence;      /* events written: metadata.sequence of the last one */
	uint64_t delivered;     /* decisions that events tell of: records, and what folds counted */
	uint64_t malformed;     /* records that could not be decoded */
	uint64_t waiting;       /* events that are counted in sequence and not yet in the file */
	uint64_t is_ended;      /* 1: the last event has been written */
	uint64_t ring_position; /* of the ring: records before it are done with */
	uint64_t skip;          /* so many behind it, too */
	uint64_t fold;          /* 1 + index of the fold that this event tells of, 0: none; and */
	uint64_t fold_told;     /* how far: abi/evidence.h */
	char told_digest[72];   /* of the policy that the record named last, NUL-terminated */
};

enum step_state {
	STEP_NONE = 0,
	STEP_WRITING = 1, /* the events may be in the file */
	STEP_TAKING = 2,  /* they are, or wait for it: next is being copied */
};

/*
 * How far a job's record has come: in a shared mapping, so that it outlives a controller that is
 * killed.
 */
struct job_progress {
	struct job_progress_step now;
	uint64_t write_failures; /* events that the sink refused */
	uint64_t is_tested;      /* 1: its rules were seen to bite, or needed not be; admission has begun */
	uint64_t is_admitted;    /* 1: the first process was put under the policy */
	uint64_t seen_ms;        /* Unix time when its controller last looked after it */
	uint64_t end_cause;      /* enum end_cause */

	/*
	 * While events are being written: what now becomes with them. Whoever adopts the job sees in
	 * the file how many of them are there.
	 */
	uint64_t step_state; /* enum step_state */
	struct job_progress_step next;
};

/* Why a job is being ended before its last process has gone by itself. */
enum end_cause {
	END_BY_ITSELF = 0,
	END_BY_RUNTIME = 1, /* limits.runtime */
	END_BY_KILL = 2,    /* jobcage kill, or teardown */
	END_BY_LOSS = 3,    /* its record is not complete, and on_audit_loss is "stop" */
};

/* One job's file. */
struct job_state {
	char *id;
	int fd;                        /* holds the lock */
	struct job_progress *progress; /* mapped; owned */
};

#define JOB_STATE_NONE   \
	{                \
		.fd = -1 \
	}

/*
 * Takes the lock around everything that changes pins and slots; waits for it. Returns a descriptor
 * to close, or -errno.
 */
int state_lock(struct error *err);

/* Letters, digits, '.', '_' and '-', not '.' first, at most JOB_ID_MAX. */
int job_id_check(const char *id, struct error *err);

/* For a job that was given none: the policy's name and a random number. Returns 0 or -errno. */
int job_id_make(const char *policy_name, struct error *err, char ret_id[static JOB_ID_MAX + 1]);

/* The policy a job obeys; and the one it is about to obey, while that is being put in its place. */
enum job_policy {
	JOB_POLICY,
	JOB_POLICY_NEXT,
};

/*
 * A nameless file that holds a policy's canonical form, for job_state_put_policy(). Returns a
 * descriptor, or -errno.
 */
int state_make_policy(const char *canonical, struct error *err);

/*
 * A new job's files, with this content. policy_fd is of state_make_policy(). -EEXIST: there is a
 * job of that id. The caller holds the state lock.
 */
int job_state_create(const char *id, const json_t *content, int policy_fd, struct error *err,
		     struct job_state *ret_state);

/* Replaces the content, as a whole or not at all. */
int job_state_update(struct job_state *state, const json_t *content, struct error *err);

/* Gives the job this policy's file (of state_make_policy()) beside its own. Returns 0 or -errno. */
int job_state_put_policy(struct job_state *state, enum job_policy which, int policy_fd,
			 struct error *err);

/* The canonical form; free it. -ENOENT: there is none. */
int job_state_get_policy(const struct job_state *state, enum job_policy which, struct error *err,
			 char **ret_canonical);

/* The next policy takes the place of the policy. */
int job_state_settle_policy(struct job_state *state, struct error *err);

/* Keeps what the job's self-test came to, once. Returns 0 or -errno. */
int job_state_put_self_test(struct job_state *state, const json_t *self_test, struct error *err);

/* The same; decref it. NULL: there was none, or it cannot be read. */
json_t *job_state_get_self_test(const struct job_state *state);

/* Calls fn with the content of every job's file, whoever holds it. Returns 0 or -errno. */
int job_state_each(void (*fn)(void *arg, const json_t *content), void *arg);

/*
 * The next orphan. Returns 1 with its content (decref it), 0 when there is none, or -errno when
 * there are only such as cannot be taken: -EBADMSG for a file that is no JSON, which is left as it is.
 */
int job_state_adopt(struct error *err, struct job_state *ret_state, json_t **ret_content);

/*
 * The progress of a job that somebody else looks after; the lock stays theirs. The caller holds the
 * state lock, so that the job's files are there or not. Returns 0 or -errno.
 */
int job_state_look(const char *id, struct error *err, struct job_state *ret_state);

/* Is any job's file left? Returns 0, 1 or -errno. */
int job_state_any(void);

/* Removes the file and lets go. */
void job_state_remove(struct job_state *state);
/* Lets go; the file stays. */
void job_state_close(struct job_state *state);

#endif
