/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Telling the service manager how it goes: the protocol of sd_notify(3), without its library.
 * Nothing happens where NOTIFY_SOCKET is not set.
 */
#ifndef JOBCAGE_DAEMON_NOTIFY_H
#define JOBCAGE_DAEMON_NOTIFY_H

/* state: "READY=1", "STATUS=...", lines separated by newlines. */
void notify(const char *state);

/*
 * How often WATCHDOG=1 is due, in ms; 0: never. A quarter of what the manager waits, so that one
 * request that takes long does not look like a daemon that hangs.
 */
int notify_watchdog_ms(void);

#endif
