// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts by io_uring: the same operations without the system calls that people look at. "async" makes a worker of the kernel
 * do it, which is a task of its own. By raw system calls: the library is not needed for one request. See act.h.
 */
#include "act.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	struct io_uring_sqe *sqes;
};

static int ring_open(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	size_t size;

	memset(ring, 0, sizeof(*ring));
	step("io_uring_setup");
	ring->fd = syscall(SYS_io_uring_setup, 1, p);
	if (ring->fd < 0)
		return -errno;
	size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(*ring->sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
			  IORING_OFF_SQES);
	step("mmap");
	return ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED ? -errno : 0;
}

/* Hands in the one request of the ring and waits for its result. The mappings go with the process or are few. */
static int ring_submit(struct ring *ring)
{
	struct io_uring_params *p = &ring->params;
	struct io_uring_cqe *cqe = (void *)(ring->rings + p->cq_off.cqes);

	*(unsigned int *)(ring->rings + p->sq_off.array) = 0;
	__atomic_store_n((unsigned int *)(ring->rings + p->sq_off.tail), 1, __ATOMIC_RELEASE);
	step("io_uring_enter");
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	step("io_uring");
	return cqe->res;
}

static int how_flags(char **argv)
{
	return !strcmp(argv[0], "async") ? IOSQE_ASYNC : 0;
}

static int uring_do(char **argv, struct io_uring_sqe request)
{
	struct ring ring;
	int r = ring_open(&ring);

	if (r)
		return r;
	if (!request.fd) /* descriptor 0 is the job's input */
		request.fd = AT_FDCWD;
	request.flags = how_flags(argv);
	ring.sqes[0] = request;
	r = ring_submit(&ring);
	close(ring.fd);
	return r;
}

static int uring_open_write(char **argv)
{
	int fd = uring_do(argv, (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .addr = (unsigned long)argv[1],
						       .open_flags = O_WRONLY | O_CLOEXEC });

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int uring_unlink(char **argv)
{
	return uring_do(argv, (struct io_uring_sqe){ .opcode = IORING_OP_UNLINKAT, .addr = (unsigned long)argv[1] });
}

static int new_socket(const char *address, int type, struct sockaddr_storage *ret_to, const char *port, socklen_t *ret_len)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = type }, *found;
	int fd;

	step("getaddrinfo");
	if (getaddrinfo(address, port, &hints, &found))
		return -EINVAL;
	memcpy(ret_to, found->ai_addr, found->ai_addrlen);
	*ret_len = found->ai_addrlen;
	step("socket");
	fd = socket(found->ai_family, type | SOCK_CLOEXEC, 0);
	freeaddrinfo(found);
	return fd < 0 ? -errno : fd;
}

/* argv: how, address, port, token. */
static int uring_connect(char **argv)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd = new_socket(argv[1], SOCK_STREAM, &to, argv[2], &len), r;

	if (fd < 0)
		return fd;
	r = uring_do(argv, (struct io_uring_sqe){ .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (unsigned long)&to,
						  .off = len });
	if (!r)
		r = outcome(send(fd, argv[3], strlen(argv[3]), MSG_NOSIGNAL));
	close(fd);
	return r;
}

/* The same arguments; a datagram with its address. */
static int uring_udp(char **argv)
{
	struct sockaddr_storage to;
	struct iovec content = { argv[3], strlen(argv[3]) };
	struct msghdr msg = { .msg_name = &to, .msg_iov = &content, .msg_iovlen = 1 };
	int fd = new_socket(argv[1], SOCK_DGRAM, &to, argv[2], &msg.msg_namelen), r;

	if (fd < 0)
		return fd;
	r = uring_do(argv, (struct io_uring_sqe){ .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (unsigned long)&msg,
						  .len = 1, .msg_flags = MSG_NOSIGNAL });
	close(fd);
	return r < 0 ? r : 0;
}


/* argv: how; a raw socket. */
static int uring_socket(char **argv)
{
	int fd = uring_do(argv, (struct io_uring_sqe){ .opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_RAW,
						       .len = IPPROTO_ICMP });

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/*
 * argv: how, path. With credentials that the ring has kept and the task has no longer, as if the kernel acted for
 * somebody else.
 */
static int uring_set_xattr(char **argv)
{
	struct ring ring;
	int r = ring_open(&ring), id;

	if (r)
		return r;
	step("io_uring_register");
	id = syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	if (id < 0)
		return -errno;
	step("prctl");
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return -errno;
	ring.sqes[0] = (struct io_uring_sqe){ .opcode = IORING_OP_SETXATTR, .addr = (unsigned long)"trusted.act",
					      .addr2 = (unsigned long)"x", .len = 1, .addr3 = (unsigned long)argv[1],
					      .flags = how_flags(argv), .personality = id };
	r = ring_submit(&ring);
	close(ring.fd);
	return r;
}

const struct act uring_acts[] = {
	{ "uring_connect", 4, uring_connect },
	{ "uring_udp", 4, uring_udp },
	{ "uring_socket", 1, uring_socket },
	{ "uring_open_write", 2, uring_open_write },
	{ "uring_unlink", 2, uring_unlink },
	{ "uring_setxattr_as_other", 2, uring_set_xattr },
	{ NULL, 0, NULL },
};
