// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where a policy's paths lead, found by a thread; see lookup.h. */
#include "job/lookup.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define STACK_SIZE (128 * 1024)

/* Shared by its owner and its thread: who is through with it last frees it. */
struct lookup {
	struct places *places;
	bool _Atomic is_through;
	unsigned int _Atomic user_cnt;
	int64_t started_ms;
};

static void let_go(struct lookup *lookup)
{
	if (--lookup->user_cnt)
		return;
	places_free(lookup->places);
	free(lookup);
}

static void *lookup_main(void *arg)
{
	struct lookup *lookup = arg;

	places_find(lookup->places);
	lookup->is_through = true;
	let_go(lookup);
	return NULL;
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

struct lookup *lookup_start(struct policy *policy)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return NULL;
	lookup->user_cnt = 1;
	lookup->started_ms = clock_ms(CLOCK_MONOTONIC);
	lookup->places = places_new(policy);
	if (lookup->places)
		lookup->places->is_renewal = true;
	if (lookup->places && !start_thread(lookup))
		return lookup;
	let_go(lookup);
	return NULL;
}

struct places *lookup_take(struct lookup *lookup)
{
	return lookup->is_through ? TAKE_PTR(lookup->places) : NULL;
}

int64_t lookup_started_ms(const struct lookup *lookup)
{
	return lookup->started_ms;
}

const char *lookup_path(const struct lookup *lookup)
{
	return lookup->places->at ?: "a path";
}

void lookup_free(struct lookup *lookup)
{
	if (lookup)
		let_go(lookup);
}
