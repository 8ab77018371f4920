/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What would allow a denied attempt: the JSON for the policy, or what to do where no JSON can.
 */
#ifndef JOBCAGE_ALERT_ADVICE_H
#define JOBCAGE_ALERT_ADVICE_H

#include <jansson.h>
#include <stdio.h>

#include "alert/cause.h"
#include "alert/decode.h"

/*
 * Prints one or two sentences, and returns the JSON in them, a piece of a policy (NULL where no entry can
 * allow it; json_decref() it). 0 or -ENOMEM.
 */
int advice_print(FILE *out, const struct decoded_event *event, const struct cause *cause,
		 json_t **ret_policy);

#endif
