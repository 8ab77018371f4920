/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is pinned, and under which name: a controller of another build finds it by these. Part of
 * the layout (see the Makefile). What is pinned as PROG_MEMBERS and for a job's cgroup is found by
 * builds of other layouts too, so those names stay.
 */
#ifndef JOBCAGE_KERN_PINS_H
#define JOBCAGE_KERN_PINS_H

#include "kern/kern.h"

extern const char *const pin_map_names[KERN_MAPS];
extern const char *const pin_prog_names[KERN_PROGS];

/* Followed by the program's name. */
#define PIN_LINK_PREFIX "link_"

#endif
