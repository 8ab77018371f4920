/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RFC 5424: the header of an event's message.
 */
#ifndef JOBCAGE_ALERT_SYSLOG_H
#define JOBCAGE_ALERT_SYSLOG_H

#include "alert/line.h"

#define SYSLOG_HEADER_MAX 512

/*
 * "<PRI>1 TIME HOST jobcage PID CODE - ", behind which the event's JSON is the message. facility is
 * local0; CODE, the MSGID, is metadata.event_code. Returns its length.
 */
int syslog_header(const struct line *line, char ret_header[static SYSLOG_HEADER_MAX]);

#endif
