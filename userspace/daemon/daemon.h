/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The controller of a whole machine: one at a time, asked at its socket.
 */
#ifndef JOBCAGE_DAEMON_DAEMON_H
#define JOBCAGE_DAEMON_DAEMON_H

#include <stdbool.h>

#include "base/error.h"
#include "daemon/controller.h"
#include "policy/site.h"

struct server;

struct daemon {
	struct controller *controller;
	struct server *server;
	struct site *site;     /* NULL: there is no site file */
	const char *site_file; /* borrowed; NULL: the default one, if it exists */
	bool is_stopping;
	bool is_tearing_down; /* stops when the last job has ended */
};

/*
 * Runs until it is told to stop by SIGTERM, SIGINT or teardown. Jobs go on after the former two,
 * enforced. Returns 0 or -errno.
 */
int daemon_run(const char *site_file, struct error *err);

/* Kills every job and stops when the last one has ended. */
void daemon_tear_down(struct daemon *daemon);

/* Reads the site file again; on failure the old one stays. Prints what is wrong with it. */
int daemon_load_site(struct daemon *daemon, struct error *err);

#endif
