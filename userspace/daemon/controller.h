/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The controller: looks after jobs until their last process is gone. Drains rings into sinks, ends
 * jobs, takes over jobs whose controller died, and keeps rules true to the paths they name.
 *
 * The same for one job (daemon/monitor.h) and for all of a machine (daemon/daemon.h). It logs to
 * standard error; whoever runs it decides where that goes.
 */
#ifndef JOBCAGE_DAEMON_CONTROLLER_H
#define JOBCAGE_DAEMON_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "daemon/ancestry.h"
#include "daemon/loop.h"
#include "daemon/resets.h"
#include "daemon/watch.h"
#include "job/lifecycle.h"
#include "policy/site.h"

/*
 * Where alerts of adopted jobs go whose own place is gone, and of jobs that name none. The folder
 * is made when it is not there.
 */
#define DEFAULT_ALERTS LOG_ROOT "/alerts.jsonl"

/* Others read; only the controller writes. */
struct controller {
	int loop_fd;
	struct kern *kern; /* NULL while there are no jobs, unless is_daemon */
	struct rulesets rulesets;
	struct watch *watches; /* linked */
	size_t watch_cnt;
	bool is_daemon; /* keeps the programs while no job runs, and looks for orphans */
	int mounts_fd;
	struct loop_source mounts_source;
	struct sinks *sinks; /* owned */
	struct loop_source sinks_source;
	struct ancestry ancestry; /* of the process whose record was read last */
	uint64_t enter_failures; /* of kernel_stats, as far as they were mended */
	struct resets resets;
	bool is_mending; /* not all could be mended; said already */
	bool has_ended;  /* a job has, and what it took was not given back */
	int64_t tick_ms, roots_ms, orphans_ms; /* CLOCK_MONOTONIC: when each is due */
};

/* Returns 0 and a controller (controller_free) that has not looked at the kernel yet, or -errno. */
int controller_new(bool is_daemon, struct error *err, struct controller **ret_controller);

/*
 * The site's sinks, and what of them is closed to jobs; site may be NULL. Returns 0, or -errno and
 * the sinks are as before.
 */
int controller_set_site(struct controller *controller, const struct site *site, struct error *err);

/* The jobs go on, enforced, for whoever comes next; the programs go if there are none. */
void controller_free(struct controller *controller);

/* Opens or loads the kernel programs and adopts orphans. Returns 0 or -errno. */
int controller_open(struct controller *controller, struct error *err);

/*
 * Starts a job and looks after it. Clears away what dead controllers left, and adopts their running
 * jobs, on the way. Returns 0: the policy is in force for request->pid, which has not run the
 * command yet; or -errno and nothing is left behind. Takes request->places over, whatever happens.
 */
int controller_start(struct controller *controller, const struct job_request *request,
		     bool is_self_tested, struct error *err, struct watch **ret_watch);

/*
 * Has a job watched by the loop. Returns 0 and the watch, which stays the controller's, and takes job
 * and sink over; or -errno.
 */
int controller_add(struct controller *controller, struct job *job, struct sink *sink,
		   struct error *err, struct watch **ret_watch);

/* The job of that id, or of that label; NULL if this controller has none. */
struct watch *controller_find(const struct controller *controller, const char *id);
struct watch *controller_find_label(const struct controller *controller, struct job_label label);

/* Ends the job if none of its processes is left. */
void controller_finish_if_over(struct controller *controller, struct watch *watch);

enum run_until {
	UNTIL_OWN_ENDED, /* the jobs that were started here; adopted ones may be left */
	UNTIL_ALL_ENDED,
};

/* Looks after the jobs until then. Returns 0 or -errno. */
int controller_run(struct controller *controller, enum run_until until, struct error *err);

#endif
