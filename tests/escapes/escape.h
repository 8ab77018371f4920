/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every escape program is made of: a table of attempts, each one way around the cage.
 *
 *	PROGRAM --list
 *	PROGRAM ATTEMPT DS OUT CLOSED [EXTRA]
 *
 * DS is granted to the job for reading, OUT for writing, CLOSED not at all. An attempt returns 0 if the adversary has got what
 * he wanted, else -errno of the call that refused it. The answer is one line, "PID RESULT CALL": the process that tried,
 * so that alerts can be put down to it; OK or the errno's name; and the last call that was made.
 */
#ifndef JOBCAGE_TESTS_ESCAPE_H
#define JOBCAGE_TESTS_ESCAPE_H

#include <stddef.h>

struct attempt {
	const char *name;
	int (*run)(void);
};

extern const struct attempt attempts[]; /* each program's own; ends with a NULL name */

extern const char *ds, *out, *closed, *extra; /* folders as above; extra is what the attempt says, or NULL */

/* FOLDER/NAME, never freed. */
const char *in(const char *folder, const char *name);

/* Names the call that is about to be made; returns 1, so that it fits into conditions. */
int step(const char *call);

/* Another process than this one has tried: it is the one that alerts are about. */
void answer_for(int pid);

/* What a system call returned, as 0 or -errno. */
int outcome(long result);

/* Closes fd if it is one; returns 0 or its negative errno. */
int close_outcome(int fd);

/* Writes one byte through fd and closes it. fd may be a failed open. */
int write_through(int fd);

/* Opens path with flags, and writes one byte. */
int write_to(const char *path, int flags);

/* Opens path for reading, and reads one byte. */
int read_from(const char *path);

/* Writes into path what is read from it: a file in which the kernel shows what it is set to, say. */
int write_back(const char *path);

/* Runs act in a child and returns what it returned; for acts that a process cannot take back. */
int in_child(int (*act)(void));

/* Gives this process a user namespace, where it has all capabilities, and a mount namespace. */
int enter_namespaces(void);

/* The same, and it is root there: what makes files needs that. */
int become_root(void);

#endif
