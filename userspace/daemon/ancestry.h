/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who started the process that was denied something, and who started that one: looked up when its record is read, as long as it
 * still runs. What cannot be known for certain is left out: a number may be another process's by then.
 */
#ifndef JOBCAGE_DAEMON_ANCESTRY_H
#define JOBCAGE_DAEMON_ANCESTRY_H

#include "alert/decode.h"

#define ANCESTORS_MAX 5

/* Of the process asked for last: a flood comes from one. Zeroed: of none yet. */
struct ancestry {
	uint32_t pid, ppid;
	uint64_t start_ns;
	struct ancestor items[ANCESTORS_MAX];
	size_t cnt;
};

/* Puts them into the event; they are the ancestry's until it is asked again. */
void ancestry_find(struct ancestry *ancestry, struct decoded_event *event);

#endif
