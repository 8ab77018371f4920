/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A decision in plain words: who was denied what, by which rule, and what would allow it.
 */
#ifndef JOBCAGE_ALERT_MESSAGE_H
#define JOBCAGE_ALERT_MESSAGE_H

#include "alert/cause.h"
#include "alert/decode.h"

/* As a JSON string. */
void message_write(struct json_out *out, const char *key, const struct decoded_event *event,
		   const struct cause *cause);

#endif
