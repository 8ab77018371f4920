// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * accomplice - a process in no job that does what a job asks for. See accomplice.h.
 *
 *	accomplice serve DS OUT CLOSED
 *
 * Requests, by socket: "write" answers with a descriptor of DS/f open for writing, "read" with one of CLOSED/p, "folder" with
 * one of CLOSED itself, "path" with an O_PATH one of DS/f, "cgroup" with one by which processes enter the root cgroup, "ring" with an io_uring whose kernel thread is the accomplice's;
 * "take WHAT" with any one if what the job has left it is there, see objects.h; "copy" copies CLOSED/p to OUT/stolen. The FIFO and the request file ask for the copy. Prints "ready" when it is.
 */
#include "accomplice.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "escape.h"
#include "objects.h"
#include "uring.h"

#define LOOK_MS 20

static void copy(void)
{
	char text[64];
	int from = open(in(closed, "p"), O_RDONLY | O_CLOEXEC);
	int to = open(in(out, "stolen"), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	ssize_t size = read(from, text, sizeof(text));

	if (size > 0 && write(to, text, size) != size)
		perror("accomplice");
	close(from);
	close(to);
}

static int descriptor_for(const char *request)
{
	struct ring ring;

	if (!strcmp(request, "write"))
		return open(in(ds, "f"), O_RDWR | O_CLOEXEC);
	if (!strcmp(request, "old-link"))
		return open(in(out, "old-link"), O_RDWR | O_CLOEXEC);
	if (!strcmp(request, "read"))
		return open(in(closed, "p"), O_RDONLY | O_CLOEXEC);
	if (!strcmp(request, "folder"))
		return open(closed, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!strcmp(request, "path"))
		return open(in(ds, "f"), O_PATH | O_CLOEXEC);
	if (!strcmp(request, "cgroup"))
		return open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (!strcmp(request, "ring"))
		return ring_open(&ring, RING_POLLED) ? -1 : ring.fd;
	/* It has what it was to take. */
	if (!strncmp(request, "take ", 5) && objects_take(request + 5))
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	return -1;
}

static void serve(int listener)
{
	char request[REQUEST_SIZE] = "";
	int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC), fd;

	if (sock >= 0 && recv(sock, request, sizeof(request) - 1, 0) > 0) {
		if (!strcmp(request, "copy"))
			copy();
		fd = descriptor_for(request);
		/* The ring must outlive the answer: what it was asked for comes later. */
		if (fd >= 0 && !send_descriptor(sock, fd) && strcmp(request, "ring"))
			close(fd);
	}
	close(sock);
}

static volatile long words[2];

static void count(int signal) { words[1] += signal != 0; }

/* Marked as removed, so that it goes with the process; whoever knows its number may still attach it. */
static int make_segment(void)
{
	int segment = shmget(IPC_PRIVATE, sizeof(words), IPC_CREAT | 0600);

	if (shmat(segment, NULL, 0) == (void *)-1)
		perror("accomplice: shmat");
	shmctl(segment, IPC_RMID, NULL);
	return segment;
}

static void tell_held(void)
{
	FILE *file = fopen(in(out, "accomplice.held"), "w");
	int held = open(in(ds, "f"), O_RDWR | O_CLOEXEC);

	signal(SIGUSR1, count);
	objects_make();
	if (file && fprintf(file, "%d %d %lu %d\n", getpid(), held, (unsigned long)words, make_segment()) > 0)
		fclose(file);
}

static int make_listener(bool is_abstract)
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (accomplice_address(sock, out, is_abstract, true))
		perror("accomplice: bind");
	return sock;
}

static _Noreturn int serve_for_ever(void)
{
	const char *request_file = in(out, "request");
	char byte;

	umask(0);
	if (mkfifo(in(out, "accomplice.fifo"), 0666))
		perror("accomplice: mkfifo");
	struct pollfd polled[] = {
		{ .fd = make_listener(false), .events = POLLIN },
		{ .fd = make_listener(true), .events = POLLIN },
		{ .fd = open(in(out, "accomplice.fifo"), O_RDWR | O_NONBLOCK | O_CLOEXEC), .events = POLLIN },
	};
	tell_held();
	puts("ready");
	fflush(stdout);
	for (;;) {
		poll(polled, 3, LOOK_MS);
		for (int i = 0; i < 2; i++)
			if (polled[i].revents)
				serve(polled[i].fd);
		if (polled[2].revents && read(polled[2].fd, &byte, 1) == 1)
			copy();
		if (!unlink(request_file))
			copy();
	}
}

const struct attempt attempts[] = {
	{ "serve", serve_for_ever },
	{ NULL, NULL },
};
