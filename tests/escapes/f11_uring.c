// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F11: the same by io_uring, where no system call names the file: by worker threads, polled, on rings of others. */
#include "uring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accomplice.h"
#include "escape.h"

#define OP_FTRUNCATE 55 /* 6.9; newer than this machine's headers */

static uint64_t address(const void *pointer) { return (uintptr_t)pointer; }

static int request_on(int kind, struct io_uring_sqe request)
{
	struct ring ring;
	int r;

	step("io_uring_setup");
	r = ring_open(&ring, kind);
	if (r)
		return r;
	step("io_uring");
	r = ring_do(&ring, request);
	return r < 0 ? r : 0;
}

static struct io_uring_sqe open_request(int flags)
{
	return (struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .flags = flags, .fd = AT_FDCWD, .addr = address(in(ds, "f")),
				      .open_flags = O_WRONLY | O_TRUNC };
}

/* An operation on two paths, or one and a text. */
static struct io_uring_sqe names_request(int op, const char *first, const char *second)
{
	return (struct io_uring_sqe){ .opcode = op, .fd = AT_FDCWD, .addr = address(first), .len = AT_FDCWD,
				      .addr2 = address(second) };
}

static int openat_plain(void) { return request_on(RING_PLAIN, open_request(0)); }
static int openat_worker(void) { return request_on(RING_PLAIN, open_request(IOSQE_ASYNC)); }
static int openat_polled(void) { return request_on(RING_POLLED, open_request(0)); }
static int openat_polled_worker(void) { return request_on(RING_POLLED, open_request(IOSQE_ASYNC)); }

static int openat2_plain(void)
{
	struct open_how how = { .flags = O_WRONLY | O_TRUNC };
	struct io_uring_sqe request = names_request(IORING_OP_OPENAT2, in(ds, "f"), (char *)&how);

	request.len = sizeof(how);
	return request_on(RING_PLAIN, request);
}

static int unlink_on(int kind, int flags)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_UNLINKAT, .flags = flags, .fd = AT_FDCWD, .addr = address(in(ds, "f")) };

	return request_on(kind, request);
}

static int unlink_worker(void) { return unlink_on(RING_PLAIN, IOSQE_ASYNC); }
static int unlink_polled(void) { return unlink_on(RING_POLLED, 0); }
static int rename_within(void) { return request_on(RING_PLAIN, names_request(IORING_OP_RENAMEAT, in(ds, "f"), in(ds, "new"))); }
static int link_within(void) { return request_on(RING_PLAIN, names_request(IORING_OP_LINKAT, in(ds, "f"), in(ds, "new"))); }
static int symlink_in(void)
{
	struct io_uring_sqe request = names_request(IORING_OP_SYMLINKAT, "f", in(ds, "new"));

	request.len = 0;
	return request_on(RING_PLAIN, request);
}

static int mkdir_in(void)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_MKDIRAT, .fd = AT_FDCWD, .addr = address(in(ds, "new")), .len = 0700 };

	return request_on(RING_PLAIN, request);
}

static int set_xattr(void)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_SETXATTR, .addr = address("user.new"), .addr2 = address("x"),
					.addr3 = address(in(ds, "f")), .len = 1 };

	return request_on(RING_PLAIN, request);
}

static int set_xattr_fd(void)
{
	struct io_uring_sqe request = { .opcode = IORING_OP_FSETXATTR, .addr = address("user.new"), .addr2 = address("x"), .len = 1 };

	request.fd = open(in(ds, "f"), O_RDONLY | O_CLOEXEC);
	return step("open") && request.fd < 0 ? -errno : request_on(RING_PLAIN, request);
}

static int on_open_file(struct io_uring_sqe request)
{
	request.fd = open(in(ds, "f"), O_RDWR | O_CLOEXEC);
	return step("open") && request.fd < 0 ? -errno : request_on(RING_PLAIN, request);
}

static int allocate(void)
{
	return on_open_file((struct io_uring_sqe){ .opcode = IORING_OP_FALLOCATE, .addr = 4096 });
}

static int truncate_file(void)
{
	return on_open_file((struct io_uring_sqe){ .opcode = OP_FTRUNCATE, .off = 1 });
}

/* The opened file never has a descriptor. */
static int write_registered(void)
{
	struct io_uring_sqe request = open_request(0);
	int slots[1] = { -1 }, r;
	struct ring ring;

	r = ring_open(&ring, RING_PLAIN);
	if (step("io_uring_setup") && r)
		return r;
	if (step("io_uring_register") && syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, slots, 1))
		return -errno;
	request.file_index = 1;
	step("io_uring openat");
	r = ring_do(&ring, request);
	if (r < 0)
		return r;
	request = (struct io_uring_sqe){ .opcode = IORING_OP_WRITE, .flags = IOSQE_FIXED_FILE, .addr = address("x"), .len = 1 };
	step("io_uring write");
	r = ring_do(&ring, request);
	return r < 0 ? r : 0;
}

static int open_by_personality(void)
{
	struct io_uring_sqe request = open_request(0);
	struct ring ring;
	int r = ring_open(&ring, RING_PLAIN);

	if (step("io_uring_setup") && r)
		return r;
	r = syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	if (step("io_uring_register") && r < 0)
		return -errno;
	request.personality = r;
	step("io_uring");
	r = ring_do(&ring, request);
	return r < 0 ? r : 0;
}

/* The accomplice's ring is polled by a thread of the accomplice, which is in no job. */
static int request_on_ring_of_other(void)
{
	struct ring ring;
	int fd = accomplice_descriptor("ring"), r;
	char *path;

	if (fd < 0)
		return fd;
	step("io_uring of the accomplice");
	r = ring_adopt(&ring, fd, RING_POLLED);
	if (r)
		return r;
	/* The thread reads the path in the accomplice's memory, where it must lie at the same address. */
	path = (char *)in(ds, "f");
	r = ring_do(&ring, (struct io_uring_sqe){ .opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = address(path) });
	/* It was the accomplice's thread that looked, whatever it found there. */
	return r == -EFAULT || r == -ENOENT || r >= 0 ? 0 : r;
}

const struct attempt attempts[] = {
	{ "openat", openat_plain },
	{ "openat-worker", openat_worker },
	{ "openat-polled", openat_polled },
	{ "openat-polled-worker", openat_polled_worker },
	{ "openat2", openat2_plain },
	{ "registered", write_registered },
	{ "personality", open_by_personality },
	{ "unlinkat", unlink_worker },
	{ "unlinkat-polled", unlink_polled },
	{ "renameat", rename_within },
	{ "linkat", link_within },
	{ "symlinkat", symlink_in },
	{ "mkdirat", mkdir_in },
	{ "setxattr", set_xattr },
	{ "fsetxattr", set_xattr_fd },
	{ "fallocate", allocate },
	{ "ftruncate", truncate_file },
	{ "ring-of-other", request_on_ring_of_other },
	{ NULL, NULL },
};
