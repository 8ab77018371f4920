/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a guarded act is about, in words: a capability, a process, a command.
 */
#ifndef JOBCAGE_ALERT_GUARD_H
#define JOBCAGE_ALERT_GUARD_H

#include "abi/event.h"

#define GUARD_NAME_LEN 64

/* "CAP_SYS_ADMIN", "process 812", "user namespace"; of the record's kind EVENT_GUARD. */
void guard_name(const struct event *event, char ret_name[static GUARD_NAME_LEN]);

#endif
