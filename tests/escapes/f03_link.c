// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F3: hard links: out of a dataset, where the second name could be written to; into one; and one that was there before. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int link_and_write(const char *from, int flags)
{
	const char *name = in(out, "new");

	if (step("linkat") && linkat(AT_FDCWD, from, AT_FDCWD, name, flags))
		return -errno;
	return write_to(name, O_WRONLY);
}

static int link_out(void) { return link_and_write(in(ds, "f"), 0); }
static int link_closed(void) { return link_and_write(in(closed, "p"), 0); }
static int link_symlink(void) { return link_and_write(in(out, "via"), AT_SYMLINK_FOLLOW); }
static int link_in(void) { return outcome(link(in(out, "f"), in(ds, "new"))); }

/* The way to a file that is open for reading only. */
static const char *way_to(const char *path)
{
	static char way[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (step("open") && fd < 0)
		return NULL;
	snprintf(way, sizeof(way), "/proc/self/fd/%d", fd);
	return way;
}

static int link_fd(void)
{
	const char *way = way_to(in(ds, "f"));

	return way ? link_and_write(way, AT_SYMLINK_FOLLOW) : -errno;
}

/* From before the job. */
static const char *old_link(void) { return in(out, "old-link"); }
static int old_write(void) { return write_to(old_link(), O_WRONLY); }
static int old_read(void) { return read_from(in(out, "old-link-closed")); }
static int old_trunc(void) { return close_outcome(open(old_link(), O_RDONLY | O_TRUNC | O_CLOEXEC)); }
static int old_truncate(void) { return outcome(truncate(old_link(), 1)); }
static int old_chmod(void) { return outcome(chmod(old_link(), 0640)); }
static int old_chown(void) { return outcome(chown(old_link(), -1, getgid() ? getgid() : 1)); }
static int old_utimes(void) { return outcome(utimensat(AT_FDCWD, old_link(), NULL, 0)); }
static int old_setxattr(void) { return outcome(setxattr(old_link(), "user.new", "new", 3, 0)); }
static int old_unlink(void) { return outcome(unlink(old_link())); }

static int old_map(void)
{
	int fd = open(old_link(), O_RDWR | O_CLOEXEC);
	char *at;

	if (step("open") && fd < 0)
		return -errno;
	at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (step("mmap") && at == MAP_FAILED)
		return -errno;
	*at = '!';
	return outcome(msync(at, 1, MS_SYNC));
}

/* Gone, but open; so the only name it has is the one in the dataset. The way to it, or NULL. */
static const char *way_to_unlinked(void)
{
	const char *way = way_to(old_link());

	return way && step("unlink") && !unlink(old_link()) ? way : NULL;
}

static int old_unlinked(void)
{
	const char *way = way_to_unlinked();

	return way ? write_to(way, O_WRONLY) : -errno;
}

static int old_unlinked_chmod(void)
{
	const char *way = way_to_unlinked();

	return way ? outcome(chmod(way, 0640)) : -errno;
}

/* A new name, made of one that is gone. */
static int old_relinked(void)
{
	const char *way = way_to_unlinked();

	return way ? link_and_write(way, AT_SYMLINK_FOLLOW) : -errno;
}

/* A new name, made of the old one, which then goes. */
static int old_replaced(void)
{
	const char *name = in(out, "new");

	if (step("link") && link(old_link(), name))
		return -errno;
	if (step("unlink") && unlink(old_link()))
		return -errno;
	return write_to(name, O_WRONLY);
}

const struct attempt attempts[] = {
	{ "out", link_out },
	{ "out-closed", link_closed },
	{ "out-symlink", link_symlink },
	{ "out-fd", link_fd },
	{ "in", link_in },
	{ "old-write", old_write },
	{ "old-read", old_read },
	{ "old-trunc", old_trunc },
	{ "old-truncate", old_truncate },
	{ "old-chmod", old_chmod },
	{ "old-chown", old_chown },
	{ "old-utimes", old_utimes },
	{ "old-setxattr", old_setxattr },
	{ "old-map", old_map },
	{ "old-unlink", old_unlink },
	{ "old-unlinked", old_unlinked },
	{ "old-unlinked-chmod", old_unlinked_chmod },
	{ "old-relinked", old_relinked },
	{ "old-replaced", old_replaced },
	{ NULL, NULL },
};
