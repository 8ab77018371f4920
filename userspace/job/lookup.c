// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Do the paths of a policy answer? See lookup.h. */
#include "job/lookup.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define STACK_SIZE (128 * 1024)

/* Shared by its owner and its thread: who is through with it last frees it. */
struct lookup {
	char **paths;
	size_t cnt;
	size_t _Atomic at;
	unsigned int _Atomic user_cnt;
	int64_t started_ms;
};

static void walk(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
}

void lookup_walk(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (policy->rules[i].path)
			walk(policy->rules[i].path);
}

static void let_go(struct lookup *lookup)
{
	if (--lookup->user_cnt)
		return;
	for (size_t i = 0; i < lookup->cnt; i++)
		free(lookup->paths[i]);
	free(lookup->paths);
	free(lookup);
}

static void *lookup_main(void *arg)
{
	struct lookup *lookup = arg;

	for (size_t i = 0; i < lookup->cnt; i++) {
		lookup->at = i;
		walk(lookup->paths[i]);
	}
	lookup->at = lookup->cnt;
	let_go(lookup);
	return NULL;
}

static int copy_paths(struct lookup *lookup, const struct policy *policy)
{
	lookup->paths = calloc(policy->rule_cnt + 1, sizeof(*lookup->paths));
	for (size_t i = 0; lookup->paths && i < policy->rule_cnt; i++) {
		if (!policy->rules[i].path)
			continue;
		lookup->paths[lookup->cnt] = strdup(policy->rules[i].path);
		if (!lookup->paths[lookup->cnt++])
			return -1;
	}
	return lookup->paths ? 0 : -1;
}

static int start_thread(struct lookup *lookup)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (pthread_attr_init(&attr))
		return -1;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	lookup->user_cnt++;
	r = pthread_create(&thread, &attr, lookup_main, lookup);
	pthread_attr_destroy(&attr);
	if (r)
		lookup->user_cnt--;
	return r ? -1 : 0;
}

struct lookup *lookup_start(const struct policy *policy)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return NULL;
	lookup->user_cnt = 1;
	lookup->started_ms = clock_ms(CLOCK_MONOTONIC);
	if (!copy_paths(lookup, policy) && !start_thread(lookup))
		return lookup;
	let_go(lookup);
	return NULL;
}

bool lookup_is_through(const struct lookup *lookup)
{
	return lookup->at == lookup->cnt;
}

int64_t lookup_started_ms(const struct lookup *lookup)
{
	return lookup->started_ms;
}

const char *lookup_path(const struct lookup *lookup)
{
	size_t at = lookup->at;

	return at < lookup->cnt ? lookup->paths[at] : "?";
}

void lookup_free(struct lookup *lookup)
{
	if (lookup)
		let_go(lookup);
}
