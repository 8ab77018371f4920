/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The controller of a whole machine: one at a time, asked at its socket.
 */
#ifndef JOBCAGE_DAEMON_DAEMON_H
#define JOBCAGE_DAEMON_DAEMON_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"
#include "daemon/controller.h"
#include "policy/site.h"

struct server;

/* The site as it was read once: kept until the last who works with it is through. */
struct held_site {
	struct site *site;
	size_t holder_cnt;
};

/* Of so many users at a time. */
#define SLOW_USERS_MAX 64

/* A user whose job's self-test did not come to its end starts none until then. */
struct slow_user {
	uid_t uid;
	int64_t until_ms; /* CLOCK_MONOTONIC */
};

struct daemon {
	struct controller *controller;
	struct server *server;
	struct site *site;      /* NULL: there is no site file; for the main thread */
	struct held_site *held; /* the same; for all threads, under site_lock */
	pthread_mutex_t site_lock;
	struct sink *record; /* the site's file of alerts, in use as long as the daemon runs */
	const char *site_file; /* borrowed; NULL: the default one, if it exists */
	struct slow_user slow_users[SLOW_USERS_MAX];
	size_t slow_user_next;
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

/* For any thread: the site as it is now, which does not change under the caller's hands. */
struct held_site *daemon_hold_site(struct daemon *daemon);
void daemon_let_site_go(struct daemon *daemon, struct held_site *held);

#endif
