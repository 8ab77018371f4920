// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An io_uring with files registered in it, which are written without their descriptors.
 *
 * handring make PATH PORT COMMAND [ARG]...   one that holds the file, open for writing, and a connection to the port of this
 *                                            machine; runs the command with it as standard input
 * handring use                               writes to both by the ring that is standard input
 * handring own PATH                          makes one that holds the file, and writes to it
 *
 * use and own print what each write returned, a line each: a number of bytes or -errno.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../escapes/uring.h"

static const char breach[] = "breach\n";

static int connect_to(const char *port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) ? -errno : fd;
}

/* The ring keeps the files, so their descriptors are closed. Returns 0 or -errno. */
static int hand_in(const struct ring *ring, int *fds, unsigned int cnt)
{
	int r = 0;

	for (unsigned int i = 0; i < cnt && !r; i++)
		r = fds[i] < 0 ? fds[i] : 0;
	if (!r && syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_FILES, fds, cnt) < 0)
		r = -errno;
	for (unsigned int i = 0; i < cnt; i++)
		close(fds[i]);
	return r;
}

static int open_for_writing(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void write_to(struct ring *ring, int opcode, int number)
{
	printf("%d\n", ring_do(ring, (struct io_uring_sqe){
					     .opcode = opcode,
					     .flags = IOSQE_FIXED_FILE,
					     .fd = number,
					     .addr = (unsigned long)breach,
					     .len = strlen(breach),
					     .off = opcode == IORING_OP_WRITE ? -1ULL : 0,
				     }));
}

static int make(char **argv)
{
	int fds[] = { open_for_writing(argv[0]), connect_to(argv[1]) };
	struct ring ring;
	int r = ring_open(&ring, RING_PLAIN);

	if (!r)
		r = hand_in(&ring, fds, 2);
	if (r)
		return r;
	dup2(ring.fd, STDIN_FILENO);
	close(ring.fd);
	execvp(argv[2], argv + 2);
	return -errno;
}

static int use(void)
{
	struct ring ring;
	int r = ring_adopt(&ring, STDIN_FILENO, RING_PLAIN);

	if (r)
		return r;
	write_to(&ring, IORING_OP_WRITE, 0);
	write_to(&ring, IORING_OP_SEND, 1);
	return 0;
}

static int own(const char *path)
{
	int fd = open_for_writing(path);
	struct ring ring;
	int r = ring_open(&ring, RING_PLAIN);

	if (!r)
		r = hand_in(&ring, &fd, 1);
	if (!r)
		write_to(&ring, IORING_OP_WRITE, 0);
	return r;
}

int main(int argc, char **argv)
{
	int r = -EINVAL;

	if (argc > 4 && !strcmp(argv[1], "make"))
		r = make(argv + 2);
	else if (argc == 2 && !strcmp(argv[1], "use"))
		r = use();
	else if (argc == 3 && !strcmp(argv[1], "own"))
		r = own(argv[2]);
	if (r)
		fprintf(stderr, "handring: %s\n", strerror(-r));
	return r ? 1 : 0;
}
