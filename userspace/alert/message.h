/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A decision in plain words: who was denied what, by which rule, and what would allow it.
 */
#ifndef JOBCAGE_ALERT_MESSAGE_H
#define JOBCAGE_ALERT_MESSAGE_H

#include <jansson.h>

#include "alert/cause.h"
#include "alert/decode.h"

/*
 * A new string of plain, valid UTF-8, or NULL when out of memory. The JSON that it says to add to the policy
 * is returned as well: NULL where there is none, the caller's to json_decref().
 */
char *message_decision(const struct decoded_event *event, const struct cause *cause, json_t **ret_advice);

#endif
