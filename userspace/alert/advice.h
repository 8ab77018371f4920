/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What would allow a denied attempt: the JSON for the policy, or what to do where no JSON can.
 */
#ifndef JOBCAGE_ALERT_ADVICE_H
#define JOBCAGE_ALERT_ADVICE_H

#include "alert/cause.h"
#include "alert/decode.h"

/* One or two sentences: part of a string. */
void advice_add(struct json_out *out, const struct decoded_event *event, const struct cause *cause);

#endif
