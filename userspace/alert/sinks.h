/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All sinks of one controller: those that the site file names get every event; the one that holds
 * a job's record gets that job's.
 *
 * One epoll of their own, which a loop can watch. Nothing here waits but sinks_flush().
 */
#ifndef JOBCAGE_ALERT_SINKS_H
#define JOBCAGE_ALERT_SINKS_H

#include "alert/head.h"
#include "alert/ocsf.h"
#include "alert/sink.h"

struct sinks {
	struct sink *first;
	int epoll_fd;
	struct alert_job host; /* who and where, for events about no job; owned */
	struct head_key *key;  /* NULL: heads are not signed */
	int64_t interval_ms, head_ms; /* CLOCK_MONOTONIC: when the next heads are due; 0: never */
};

/* Returns 0 or -errno. */
int sinks_new(struct error *err, struct sinks **ret_sinks);

/* Says in about where it is; what is set there is borrowed. */
void sinks_name_host(const struct sinks *sinks, struct alert_job *about);

/* The last heads, a last attempt at what waits, and the end. */
void sinks_free(struct sinks *sinks);

/*
 * The sinks of the site and its audit settings; those that stay as they are keep their queues.
 * has_stdout: standard output is ours, and not a job's. Returns 0, or -errno and nothing has changed.
 */
int sinks_set_site(struct sinks *sinks, const struct sink_config *configs, size_t cnt,
		   const struct site_audit *audit, bool has_stdout, struct error *err);

/*
 * The sink of a job's record: a file's name or "-". One sink for all jobs that name it. Returns 0,
 * or -errno if it cannot be opened. sinks_release() it.
 */
int sinks_use(struct sinks *sinks, const char *target, struct error *err, struct sink **ret_sink);

/* The same of a sink that may work later: what is written meanwhile waits. Only memory can fail it. */
int sinks_expect(struct sinks *sinks, const char *target, struct error *err, struct sink **ret_sink);

void sinks_release(struct sinks *sinks, struct sink *sink);

/*
 * Hands an event (borrowed) on to the site's sinks and to record (NULL: to every file), which is
 * written at once if it can be. Returns 0, or -ENOMEM or -ENOBUFS if record has dropped it.
 */
int sinks_put(struct sinks *sinks, struct sink *record, struct tally *tally, json_t *event);

/*
 * The same of a line that nobody else has a reference to; takes it over. It waits for sinks_write(),
 * so that many lines can be written in one go.
 */
int sinks_put_line(struct sinks *sinks, struct sink *record, struct tally *tally,
		   struct line *line);
void sinks_write(struct sink *record);

/* Something has happened at epoll_fd. */
void sinks_ready(struct sinks *sinks);

/* Does what is due. Returns ms until it wants to be called again, at most a second. */
int sinks_tick(struct sinks *sinks);

/* Tries for so long to have all written. */
void sinks_flush(struct sinks *sinks, int64_t max_ms);

/* Their state as a JSON array: a new reference, or NULL. */
json_t *sinks_report(const struct sinks *sinks);

#endif
