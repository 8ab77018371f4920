// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F3: hard links: out of a dataset, where the second name could be written to; into one; and one that was there before. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
static int old_link_write(void) { return write_to(in(out, "old-link"), O_WRONLY); }
static int old_link_read(void) { return read_from(in(out, "old-link-closed")); }

/* By a descriptor that was opened for reading only. */
static int link_fd(void)
{
	char link[32];
	int fd = open(in(ds, "f"), O_RDONLY | O_CLOEXEC);

	if (step("open") && fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return link_and_write(link, AT_SYMLINK_FOLLOW);
}

const struct attempt attempts[] = {
	{ "out", link_out },
	{ "out-closed", link_closed },
	{ "out-symlink", link_symlink },
	{ "out-fd", link_fd },
	{ "in", link_in },
	{ "old-write", old_link_write },
	{ "old-read", old_link_read },
	{ NULL, NULL },
};
