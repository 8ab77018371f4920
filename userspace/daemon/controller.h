/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The controller: looks after jobs until their last process is gone. Drains rings into sinks, ends
 * jobs, takes over jobs whose controller died.
 *
 * It logs to standard error; whoever runs it decides where that goes.
 */
#ifndef JOBCAGE_DAEMON_CONTROLLER_H
#define JOBCAGE_DAEMON_CONTROLLER_H

#include "base/error.h"
#include "job/lifecycle.h"

/* Where alerts of adopted jobs go whose own place is gone, and of jobs that name none. */
#define DEFAULT_ALERTS_DIR "/var/log/jobcage"
#define DEFAULT_ALERTS DEFAULT_ALERTS_DIR "/alerts.jsonl"

struct controller;

int controller_new(struct error *err, struct controller **ret_controller);
void controller_free(struct controller *controller);

/*
 * Starts a job and looks after it. Clears away what dead controllers left, and adopts their running
 * jobs, on the way. Returns 0: the policy is in force for request->pid, which has not run the
 * command yet; or -errno and nothing is left behind.
 */
int controller_start(struct controller *controller, const struct job_request *request,
		     struct error *err);

enum run_until {
	UNTIL_OWN_ENDED, /* the jobs that were started here; adopted ones may be left */
	UNTIL_ALL_ENDED,
};

/* Looks after the jobs until then. Returns 0 or -errno. */
int controller_run(struct controller *controller, enum run_until until, struct error *err);

#endif
