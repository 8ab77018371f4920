// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F10: content changed without write(): by mapping, splicing, copying, sharing of extents, and allocation. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096

static int target(int flags)
{
	int fd = open(in(ds, "blocks"), flags | O_CLOEXEC);

	step("open target");
	return fd;
}

static int source(void)
{
	step("open source");
	return open(in(out, "blocks"), O_RDONLY | O_CLOEXEC);
}

static int store(int protection)
{
	int fd = target(O_RDWR);
	char *bytes;

	if (fd < 0)
		return -errno;
	bytes = mmap(NULL, BLOCK, protection, MAP_SHARED, fd, 0);
	if (step("mmap") && bytes == MAP_FAILED)
		return -errno;
	if (step("mprotect") && mprotect(bytes, BLOCK, PROT_READ | PROT_WRITE))
		return -errno;
	bytes[0]++;
	step("msync");
	return outcome(msync(bytes, BLOCK, MS_SYNC));
}

static int store_mapped(void) { return store(PROT_READ | PROT_WRITE); }
static int store_protected(void) { return store(PROT_READ); }

static int remove_mapped(void)
{
	int fd = target(O_RDWR);
	char *bytes;

	if (fd < 0)
		return -errno;
	bytes = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (step("mmap") && bytes == MAP_FAILED)
		return -errno;
	step("madvise");
	return outcome(madvise(bytes, BLOCK, MADV_REMOVE));
}

static int write_vector(void)
{
	struct iovec data = { "x", 1 };
	int fd = target(O_WRONLY);

	if (fd < 0)
		return -errno;
	step("pwritev2");
	return outcome(pwritev2(fd, &data, 1, 0, RWF_APPEND));
}

static int splice_from_pipe(void)
{
	int fd = target(O_WRONLY), ends[2];

	if (fd < 0)
		return -errno;
	if (step("pipe") && (pipe(ends) || write(ends[1], "x", 1) != 1))
		return -errno;
	step("splice");
	return outcome(splice(ends[0], NULL, fd, NULL, 1, 0));
}

static int vmsplice_to_file(void)
{
	struct iovec data = { "x", 1 };
	int fd = target(O_WRONLY), ends[2];

	if (fd < 0)
		return -errno;
	if (step("vmsplice") && (pipe(ends) || vmsplice(ends[1], &data, 1, 0) != 1))
		return -errno;
	step("splice");
	return outcome(splice(ends[0], NULL, fd, NULL, 1, 0));
}

static int send_file(void)
{
	int fd = target(O_WRONLY), from = source();

	return fd < 0 || from < 0 ? -errno : step("sendfile") ? outcome(sendfile(fd, from, NULL, 1)) : 0;
}

static int copy_range(void)
{
	int fd = target(O_WRONLY), from = source();

	return fd < 0 || from < 0 ? -errno : step("copy_file_range") ? outcome(copy_file_range(from, NULL, fd, NULL, 1, 0)) : 0;
}

static int clone_file(void)
{
	int fd = target(O_WRONLY), from = source();

	return fd < 0 || from < 0 ? -errno : step("FICLONE") ? outcome(ioctl(fd, FICLONE, from)) : 0;
}

/* The owner needs no descriptor for writing. The bytes must be equal, so only where they lie changes. */
static int dedupe(void)
{
	struct file_dedupe_range *range = calloc(1, sizeof(*range) + sizeof(range->info[0]));
	int fd = target(O_RDONLY), from = open(in(out, "same-blocks"), O_RDONLY | O_CLOEXEC);

	if (!range || fd < 0 || from < 0)
		return -errno;
	range->src_length = BLOCK;
	range->dest_count = 1;
	range->info[0].dest_fd = fd;
	if (step("FIDEDUPERANGE") && ioctl(from, FIDEDUPERANGE, range))
		return -errno;
	return range->info[0].status < 0 ? range->info[0].status : 0;
}

static int allocate(int flags, off_t at)
{
	int fd = target(O_RDWR);

	if (fd < 0)
		return -errno;
	step("fallocate");
	return outcome(fallocate(fd, flags, at, BLOCK));
}

static int punch(void) { return allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0); }
static int zero(void) { return allocate(FALLOC_FL_ZERO_RANGE, 0); }
static int grow(void) { return allocate(0, 4 * BLOCK); }
static int collapse(void) { return allocate(FALLOC_FL_COLLAPSE_RANGE, 0); }

const struct attempt attempts[] = {
	{ "mmap", store_mapped },
	{ "mprotect", store_protected },
	{ "madvise", remove_mapped },
	{ "pwritev2", write_vector },
	{ "splice", splice_from_pipe },
	{ "vmsplice", vmsplice_to_file },
	{ "sendfile", send_file },
	{ "copy-file-range", copy_range },
	{ "clone", clone_file },
	{ "dedupe", dedupe },
	{ "punch", punch },
	{ "zero", zero },
	{ "grow", grow },
	{ "collapse", collapse },
	{ NULL, NULL },
};
