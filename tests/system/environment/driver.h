/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the driver share; see driver.c. */
#ifndef ENVIRONMENT_DRIVER_H
#define ENVIRONMENT_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "policy/policy.h"

#define LIST_MAX 32

struct options {
	struct policy policy;
	struct env_path paths[LIST_MAX];
	struct rule rules[LIST_MAX];
	char *keep[LIST_MAX];
	struct env_variable set[LIST_MAX];
	const char *user, *parent;
	bool is_ordinary;
	uid_t uid;
	gid_t gids[LIST_MAX]; /* the first is the primary group */
	size_t gid_cnt;
	uint64_t max;
	char **command;
};

/* Says it, 'ERRNO-NAME: sentence'. Returns the driver's status for a failure. */
int fail(const struct error *err);

/* For the driver's own mishaps. */
void die(const char *what);

/* Becomes the ordinary user, if there is one. */
void become(const struct options *options);

/* The status of a child, as a shell sees it. */
int wait_for(pid_t pid);

/* A child that does the first half of an act, says so, and the second half when told. */
struct actor {
	pid_t pid;
	int pidfd;
	int sock;
};

typedef void act_fn(const struct options *options, int sock);

struct actor start_actor(const struct options *options, act_fn *act);

/* Between the halves. */
void pause_act(int sock);

/* Lets it do the second half. Returns its status. */
int finish_actor(struct actor *actor);

/* In hostile.c. */
int cmd_hostile(const char *act, struct options *options);

#endif
