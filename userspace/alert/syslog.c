// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* RFC 5424; see syslog.h. */
#include "alert/syslog.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "alert/ocsf_enum.h"

#define FACILITY_LOCAL0 16

static int severity_of(unsigned int severity)
{
	if (severity >= SEVERITY_HIGH)
		return 3; /* error */
	return severity >= SEVERITY_MEDIUM ? 4 : 6; /* warning, informational */
}

/* Printable ASCII without spaces, as the field wants it; "-" if there is no name. */
static void host_name(char *room, size_t size)
{
	if (gethostname(room, size))
		*room = '\0';
	room[size - 1] = '\0';
	for (char *c = room; *c; c++)
		if (*c <= ' ' || *c > '~')
			*c = '_';
	if (!*room)
		strcpy(room, "-");
}

int syslog_header(const struct line *line, char ret_header[static SYSLOG_HEADER_MAX])
{
	int priority = FACILITY_LOCAL0 * 8 + severity_of(line->severity);
	time_t seconds = line->time_ms / 1000;
	char host[256], when[32];
	struct tm tm;

	host_name(host, sizeof(host));
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(ret_header, SYSLOG_HEADER_MAX, "<%d>1 %s.%03dZ %s jobcage %d %s - ",
			priority, when, (int)(line->time_ms % 1000), host, (int)getpid(),
			line->code);
}
