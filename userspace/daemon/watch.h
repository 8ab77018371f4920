/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One job under a controller's eyes: its ring on one side, its sink on the other.
 */
#ifndef JOBCAGE_DAEMON_WATCH_H
#define JOBCAGE_DAEMON_WATCH_H

#include <stdbool.h>

#include "alert/ocsf.h"
#include "alert/sink.h"
#include "job/lifecycle.h"
#include "kern/ring.h"

struct watch {
	struct watch *next;
	struct job *job;   /* owned */
	struct ring *ring; /* owned; NULL if the job never got one */
	struct sink *sink; /* owned */
	struct alert_job about;
	bool has_strays;   /* its cgroup is empty, but a task outside carries its label */
	bool skip_checked; /* adopted: the first record has been compared with the last one
			      delivered */
};

/* Opens the sink that a job will write to, before the job exists. */
int watch_open_sink(const char *alerts, struct error *err, struct sink **ret_sink);

/* Takes job and sink over if it succeeds. */
int watch_new(struct job *job, struct sink *sink, struct error *err, struct watch **ret_watch);
void watch_free(struct watch *watch);

/* Frees the watch, but neither its job nor its sink. */
void watch_drop(struct watch *watch);

/* Writes the job's start event, unless it was written by a controller before. */
void watch_announce(struct watch *watch);

/* Turns all records that are there into events. */
void watch_drain(struct watch *watch);

/* Has the last process gone? */
bool watch_is_over(struct watch *watch);

/* Drains what is left, ends the job and writes its last event. The caller holds the state lock. */
int watch_finish(struct watch *watch, struct error *err);

#endif
