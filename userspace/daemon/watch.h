/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One job under a controller's eyes: its ring on one side, its sink on the other.
 */
#ifndef JOBCAGE_DAEMON_WATCH_H
#define JOBCAGE_DAEMON_WATCH_H

#include <stdbool.h>

#include "alert/ocsf.h"
#include "alert/sinks.h"
#include "daemon/folds.h"
#include "daemon/kinds.h"
#include "daemon/loop.h"
#include "job/lifecycle.h"
#include "job/selftest.h"
#include "kern/ring.h"

struct controller;

struct watch {
	struct watch *next;
	struct controller *controller; /* borrowed */
	struct job *job;               /* owned */
	struct ring *ring;             /* owned; NULL if the job never got one */
	struct sink *sink;             /* holds the job's record; a use of it */
	struct tally *tally;           /* what became of the record's events there; a reference */
	struct loop_source ring_source, cgroup_source;
	struct ruleset *previous; /* replaced, while the ring may hold records of it; a reference */
	struct folds folds;       /* repeats that the kernel counts, until events tell of them */
	struct kinds kinds;       /* what was denied since this controller looks after it */
	int tell_fd;              /* where the first of each kind is said; -1: nowhere */
	struct alert_job about;   /* borrowed from job and the controller's sinks */
	json_t *self_test; /* what it came to, for the record; NULL if there was none */
	bool has_strays;   /* its cgroup is empty, but a task outside carries its label */
	bool is_failing;   /* could not be ended; said already */
	bool is_limit_told; /* its limit on processes was found lifted; said already */
	bool is_reset_told; /* its connections cannot be reset; said already */
	bool is_end_owed;  /* over, and its last event waits for the sink */
	uint64_t cut;      /* connections of job_stats.cut that were looked for */
	int64_t end_due_ms; /* until when it may wait; CLOCK_MONOTONIC */
	bool is_step_begun; /* events are being put together; see journal.h */
	uint64_t skip;      /* records at the ring's beginning that became events already: by a
			       controller that was killed */
};

/* What its events say of a job, of which all is borrowed; not the host, the machine and the kernel. */
struct alert_job watch_about(const struct job *job, const struct policy *policy);

/* Returns 0 and takes job and the use of sink over; or -errno. Free with watch_free(). */
int watch_new(struct controller *controller, struct job *job, struct sink *sink, struct error *err,
	      struct watch **ret_watch);
void watch_free(struct watch *watch);

/* Frees the watch, but neither its job nor its sink. */
void watch_drop(struct watch *watch);

/* Writes the job's start event, unless it was written by a controller before. */
void watch_announce(struct watch *watch);

/* Writes that the job obeys another policy than the record named last, if it does. */
void watch_tell_policy(struct watch *watch);

/* Says how long nobody looked after the job, and what waited meanwhile. */
void watch_tell_absence(struct watch *watch);

/* Notes that it was looked after, now. */
void watch_seen(struct watch *watch);

/* Writes a finding about the job, which stands in its record beside the decisions. */
void watch_tell(struct watch *watch, const char *title, const char *text);

/* Turns all records that are there, and all counts of repeats, into events. */
void watch_drain(struct watch *watch);
/* Writes events for some of the records: other jobs and clients wait for their turn. */
void watch_take(struct watch *watch);
/* Also for the repeats that were counted: once in a while, so that there are not many of them. */
void watch_take_repeats(struct watch *watch);

/*
 * Puts the job under other rules; takes the reference over if it succeeds. After a
 * policy_barrier(), which many jobs may share, watch_settle() lets go of the old ones and writes
 * the event.
 */
int watch_replace(struct watch *watch, struct ruleset *rules, struct error *err);
void watch_settle(struct watch *watch);

/* Has the last process gone? */
bool watch_is_over(struct watch *watch);

/* Kills the job if something is missing in its record and the policy does not let it go on so. */
void watch_stop_at_loss(struct watch *watch);

/* What job_kill() has left: it multiplied faster, or a controller died between its steps. */
void watch_kill_again(struct watch *watch);

/*
 * Drains what is left, writes the job's last event and ends it. The caller holds the state lock.
 * -EAGAIN: the event waits for its sink. Other -errno: it cannot be removed yet.
 */
int watch_finish(struct watch *watch, struct error *err);

#endif
