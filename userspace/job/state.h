/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of jobs outside any process: the lock, and one file per job.
 *
 * A job's file is written before anything of the job exists in the kernel and removed after all of
 * it is gone. Whoever looks after the job holds a lock on the file; a file that nobody holds is an
 * orphan, for the next controller to adopt.
 */
#ifndef JOBCAGE_JOB_STATE_H
#define JOBCAGE_JOB_STATE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/job.h"
#include "base/error.h"

#define STATE_ROOT "/run/jobcage"

/* Longest job id. */
#define JOB_ID_MAX 64

/*
 * How far a job's record has come: in a shared mapping, so that it outlives a controller that is
 * killed.
 */
struct job_progress {
	uint64_t sequence;       /* events written: metadata.sequence of the last one */
	uint64_t delivered;      /* records that became events */
	uint64_t malformed;      /* records that could not be decoded */
	uint64_t write_failures; /* events that the sink refused */
	uint64_t is_admitted;    /* 1: the first process was put under the policy */
	uint64_t is_ended;       /* 1: the last event has been written */
	uint64_t last_record;    /* event.sequence of the last record taken from the ring */
};

/* One job's file. */
struct job_state {
	char *id;
	int fd; /* holds the lock */
	struct job_progress *progress;
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

/* A new file with this content. -EEXIST: there is a job of that id. */
int job_state_create(const char *id, const json_t *content, struct error *err,
		     struct job_state *ret_state);

/*
 * The next orphan. Returns 1 with its content (decref it), 0 when there is none, or -errno:
 * -EBADMSG for a file that is no JSON, which is left as it is.
 */
int job_state_adopt(struct error *err, struct job_state *ret_state, json_t **ret_content);

/* Is any job's file left? Returns 0, 1 or -errno. */
int job_state_any(void);

/* Removes the file and lets go. */
void job_state_remove(struct job_state *state);
/* Lets go; the file stays. */
void job_state_close(struct job_state *state);

#endif
