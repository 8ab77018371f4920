/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A decision in plain words: who was denied what, by which rule, and what would allow it.
 */
#ifndef JOBCAGE_ALERT_MESSAGE_H
#define JOBCAGE_ALERT_MESSAGE_H

#include "alert/cause.h"
#include "alert/decode.h"

/* A new string of plain, valid UTF-8, or NULL when out of memory. */
char *message_decision(const struct decoded_event *event, const struct cause *cause);

#endif
