/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * places_find() in a thread of its own: what waits for a server of files that is away cannot be
 * interrupted, and must not be the controller.
 */
#ifndef JOBCAGE_JOB_LOOKUP_H
#define JOBCAGE_JOB_LOOKUP_H

#include <stdint.h>

#include "kern/places.h"

struct lookup;

/* Starts one. NULL: no thread or no memory to be had. */
struct lookup *lookup_start(struct policy *policy);

/* What it found, once it has come to its end: the caller's to free; else NULL. */
struct places *lookup_take(struct lookup *lookup);

/* CLOCK_MONOTONIC, ms. */
int64_t lookup_started_ms(const struct lookup *lookup);

/* The path that it is at; the lookup's own. */
const char *lookup_path(const struct lookup *lookup);

/* May be NULL. One that waits still goes on by itself and is freed by its thread. */
void lookup_free(struct lookup *lookup);

#endif
