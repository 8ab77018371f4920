/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The accomplice: a process of the same user in no job, which does what the job asks for (accomplice.c), and how to reach it.
 *
 * It listens on OUT/accomplice.sock and on the abstract name "jobcage-accomplice-UID", reads OUT/accomplice.fifo and looks for
 * OUT/request. OUT/accomplice.held says what of it there is to take: "PID FD ADDRESS SEGMENT", see struct held. The word at ADDRESS, and how
 * many SIGUSR1 it has got, which is in the word behind it, tell whether somebody was at it.
 */
#ifndef JOBCAGE_TESTS_ACCOMPLICE_H
#define JOBCAGE_TESTS_ACCOMPLICE_H

#include <stdbool.h>

#define REQUEST_SIZE 32

struct held {
	int pid;
	int fd;                /* open for writing on DS/f */
	unsigned long address; /* of its words */
	int segment;           /* of System V shared memory */
};

/* Reads it; 0 or -errno. */
int accomplice_held(struct held *ret_held);

/* A connected socket with the request sent, or -errno. */
int accomplice_ask(const char *request, bool is_abstract);

/* The descriptor that the accomplice answers with, or -errno. */
int accomplice_descriptor(const char *request);

/* Sends fd over a socket; 0 or -errno. */
int send_descriptor(int sock, int fd);

/* Receives one; -errno, -EPROTO if none came. */
int receive_descriptor(int sock);

/* Binds or connects a socket at its place; 0 or -errno. */
int accomplice_address(int sock, const char *folder, bool is_abstract, bool is_server);

#endif
