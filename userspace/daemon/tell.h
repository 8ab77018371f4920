/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a job is denied first, said on its launcher's standard error: for a researcher who sees "Permission denied".
 *
 * Only where it was asked for: what is held open keeps a pipeline from ending before the job's end is written. Only on a terminal or
 * a pipe without a name, opened anew, so that who does not read, or serves a file, holds up nobody; and only if the launcher itself
 * may write there.
 */
#ifndef JOBCAGE_DAEMON_TELL_H
#define JOBCAGE_DAEMON_TELL_H

#include <sys/types.h>

/*
 * Of a process that waits for us, by number and pidfd; uid: who has to own the terminal, 0: anybody. Returns a descriptor to close,
 * or -errno: nothing can be said there.
 */
int tell_open(pid_t pid, int pidfd, uid_t uid);

/* One line, or nothing if nobody reads. Plain text. */
void tell_line(int fd, const char *text);

#endif
