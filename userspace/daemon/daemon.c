// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The controller of a whole machine; see daemon.h. */
#include "daemon/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/limits.h"
#include "daemon/lock.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/server.h"
#include "daemon/tick.h"
#include "daemon/warn.h"

/* --- the site --------------------------------------------------------------------------------- */

/*
 * Its sinks first; then the file of alerts, which is in use as long as the daemon runs: jobs that run
 * already are looked after also while it cannot be written.
 */
static int use_site(struct daemon *daemon, const struct site *site, struct error *err)
{
	struct sinks *sinks = daemon->controller->sinks;
	struct sink *record;
	int r = controller_set_site(daemon->controller, site, err);

	if (!r)
		r = sinks_expect(sinks, site && site->alerts ? site->alerts : DEFAULT_ALERTS, err,
				 &record);
	if (r)
		return r;
	sinks_release(sinks, daemon->record);
	daemon->record = record;
	return 0;
}

struct held_site *daemon_hold_site(struct daemon *daemon)
{
	struct held_site *held;

	pthread_mutex_lock(&daemon->site_lock);
	held = daemon->held;
	held->holder_cnt++;
	pthread_mutex_unlock(&daemon->site_lock);
	return held;
}

void daemon_let_site_go(struct daemon *daemon, struct held_site *held)
{
	size_t left;

	if (!held)
		return;
	pthread_mutex_lock(&daemon->site_lock);
	left = --held->holder_cnt;
	pthread_mutex_unlock(&daemon->site_lock);
	if (left)
		return;
	site_free(held->site);
	free(held);
}

static int put_site(struct daemon *daemon, struct site *site, struct error *err)
{
	struct held_site *held = calloc(1, sizeof(*held)), *old;

	if (!held)
		return error_errno(err, -ENOMEM, "the site file");
	*held = (struct held_site){ .site = site, .holder_cnt = 1 };
	pthread_mutex_lock(&daemon->site_lock);
	old = daemon->held;
	daemon->held = held;
	pthread_mutex_unlock(&daemon->site_lock);
	daemon->site = site;
	daemon_let_site_go(daemon, old);
	return 0;
}

int daemon_load_site(struct daemon *daemon, struct error *err)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	int r = site_find(daemon->site_file, &diags, &site);

	diag_print(&diags, stderr);
	if (r)
		diag_error(&diags, r, "the site file", err);
	diag_free(&diags);
	if (!r)
		r = use_site(daemon, site, err);
	if (!r)
		r = put_site(daemon, site, err);
	if (r)
		site_free(site);
	return r;
}

/* --- signals ---------------------------------------------------------------------------------- */

struct signals {
	struct daemon *daemon;
	int fd;
	struct loop_source source;
};

static void on_signal(void *arg)
{
	struct signals *signals = arg;
	struct signalfd_siginfo info;
	struct error err = { 0 };

	if (read(signals->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo != SIGHUP) {
		signals->daemon->is_stopping = true;
		return;
	}
	notify("RELOADING=1");
	if (daemon_reload(signals->daemon, NULL, &err, NULL) < 0)
		warn(&err);
	notify("READY=1");
}

static int watch_signals(struct daemon *daemon, struct error *err, struct signals *signals)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	signals->daemon = daemon;
	signals->fd = sigprocmask(SIG_BLOCK, &mask, NULL)
			      ? -1
			      : signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	if (signals->fd < 0)
		return error_errno(err, -errno, "cannot wait for signals");
	r = loop_add(daemon->controller->loop_fd, &signals->source, signals->fd, EPOLLIN, on_signal,
		     signals);
	return r ? error_errno(err, r, "cannot wait for signals") : 0;
}

/* --- life ------------------------------------------------------------------------------------- */

void daemon_tear_down(struct daemon *daemon)
{
	daemon->is_tearing_down = true;
	for (struct watch *watch = daemon->controller->watches; watch; watch = watch->next)
		job_kill(watch->job, END_BY_KILL);
}

static bool is_done(const struct daemon *daemon)
{
	return daemon->is_stopping || (daemon->is_tearing_down && !daemon->controller->watches);
}

/* Of two times in ms until something is due; -1: never. */
static int soonest(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/* Tells the service manager that we live, if that is due. Returns ms until it is due again, or -1. */
static int bark(int64_t *barked_ms)
{
	int every_ms = notify_watchdog_ms();
	int64_t now = clock_ms(CLOCK_MONOTONIC);

	if (!every_ms)
		return -1;
	if (now - *barked_ms >= every_ms) {
		notify("WATCHDOG=1");
		*barked_ms = now;
	}
	return every_ms;
}

static int run_loop(struct daemon *daemon, struct error *err)
{
	int64_t barked_ms = 0;

	while (!is_done(daemon)) {
		int tick =
			soonest(controller_tick(daemon->controller), server_tick(daemon->server));
		int r = loop_step(daemon->controller->loop_fd, soonest(tick, bark(&barked_ms)));

		if (r)
			return error_errno(err, r, "cannot wait for requests");
	}
	return 0;
}

static int open_all(struct daemon *daemon, struct error *err, struct signals *signals)
{
	int r = controller_new(true, err, &daemon->controller);

	if (!r)
		r = daemon_load_site(daemon, err);
	if (!r)
		r = watch_signals(daemon, err, signals);
	if (!r)
		r = controller_open(daemon->controller, err);
	if (!r)
		r = server_open(daemon, err, &daemon->server);
	return r;
}

static void end_now(int r, const struct error *err)
{
	if (r)
		warn(err);
	_exit(r ? EXIT_FAILURE : EXIT_SUCCESS);
}

int daemon_run(const char *site_file, struct error *err)
{
	struct daemon daemon = { .site_file = site_file,
				 .site_lock = PTHREAD_MUTEX_INITIALIZER };
	struct signals signals = { .fd = -1 };
	_cleanup_fd_ int lock = lock_take(err);
	bool is_quiet;
	int r;

	if (lock < 0)
		return lock;
	limits_lift();
	/* Clients' threads have little to keep: one heap does for all. */
	mallopt(M_ARENA_MAX, 1);
	r = open_all(&daemon, err, &signals);
	if (!r) {
		notify("READY=1");
		fprintf(stderr, "jobcage: the daemon is ready; %zu jobs are running\n",
			daemon.controller->watch_cnt);
		r = run_loop(&daemon, err);
	}
	notify("STOPPING=1");
	is_quiet = server_close(daemon.server);
	if (signals.fd >= 0)
		close(signals.fd);
	controller_free(daemon.controller);
	/* A client's thread that waits for somebody may come back to this memory. */
	if (!is_quiet)
		end_now(r, err);
	daemon_let_site_go(&daemon, daemon.held);
	return r;
}
