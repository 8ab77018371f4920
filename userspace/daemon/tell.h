/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a job is denied first, said on its launcher's standard error: for a researcher who sees "Permission denied".
 *
 * Only where it was asked for: what is held open keeps a pipeline from ending before the job's end is written. Only on a terminal or
 * a pipe, opened anew, so that who does not read holds up nobody; and only if the launcher itself may write there.
 */
#ifndef JOBCAGE_DAEMON_TELL_H
#define JOBCAGE_DAEMON_TELL_H

/* Of a process that waits for us. Returns a descriptor to close, or -errno: nothing can be said there. */
int tell_open(int pidfd);

/* One line, or nothing if nobody reads. Plain text. */
void tell_line(int fd, const char *text);

#endif
