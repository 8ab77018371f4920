// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The mount table; see mounts.h. The format is that of proc_pid_mountinfo(5). */
#include "kern/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

/* Of a line before the fields that may be missing: id parent major:minor root path options. */
enum field {
	FIELD_ID = 0,
	FIELD_DEV = 2,
	FIELD_PATH = 4,
	FIELD_OPTIONS = 5,
	FIELDS,
};

void mounts_free(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->cnt; i++)
		free(mounts->items[i].path);
	free(mounts->items);
	*mounts = (struct mounts){ 0 };
}

static bool is_octal(const char *digits)
{
	for (int i = 0; i < 3; i++)
		if (digits[i] < '0' || digits[i] > '7')
			return false;
	return true;
}

/* Space, tab, line end and backslash stand as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && is_octal(from + 1)) {
			*to = (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0');
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* "ro" is always the first option, if it is one. */
static bool begins_with_ro(const char *options)
{
	return options && !strncmp(options, "ro", 2) && (!options[2] || options[2] == ',');
}

/* Behind the dash: file system type, source, options of the file system. */
static const char *super_options(char *rest)
{
	char *dash = rest ? strstr(rest, "- ") : NULL;
	char *last = dash ? strrchr(dash, ' ') : NULL;

	return last ? last + 1 : NULL;
}

static int parse_line(char *line, struct mount_entry *ret_entry)
{
	struct mount_entry entry = { 0 };
	char *words[FIELDS], *rest = line;

	for (int i = 0; i < FIELDS; i++) {
		words[i] = strsep(&rest, " ");
		if (!words[i])
			return -EBADMSG;
	}
	if (sscanf(words[FIELD_ID], "%" SCNu64, &entry.id) != 1 ||
	    sscanf(words[FIELD_DEV], "%u:%u", &entry.major, &entry.minor) != 2)
		return -EBADMSG;
	entry.is_read_only = begins_with_ro(words[FIELD_OPTIONS]) ||
			     begins_with_ro(super_options(rest));
	unescape(words[FIELD_PATH]);
	entry.path = strdup(words[FIELD_PATH]);
	if (!entry.path)
		return -ENOMEM;
	*ret_entry = entry;
	return 0;
}

static int add_line(struct mounts *mounts, char *line)
{
	int r;

	if (mounts->cnt == mounts->room) {
		size_t room = mounts->room ? 2 * mounts->room : 64;
		struct mount_entry *items = realloc(mounts->items, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		mounts->items = items;
		mounts->room = room;
	}
	line[strcspn(line, "\n")] = '\0';
	r = parse_line(line, &mounts->items[mounts->cnt]);
	if (!r)
		mounts->cnt++;
	return r;
}

static int fail(int r, struct error *err)
{
	return error_errno(err, r, "cannot read the mount table");
}

int mounts_read_of(int proc, struct error *err, struct mounts *ret_mounts)
{
	_cleanup_fd_ int fd = openat(proc, "mountinfo", O_RDONLY | O_CLOEXEC);
	_cleanup_file_ FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (!file)
		return fail(-errno, err);
	TAKE_FD(fd);
	while (!r && getline(&line, &size, file) > 0)
		r = add_line(&mounts, line);
	if (!r && ferror(file))
		r = -EIO;
	if (r)
		return fail(r, err);
	*ret_mounts = mounts;
	mounts = (struct mounts){ 0 };
	return 0;
}

int mounts_read(struct error *err, struct mounts *ret_mounts)
{
	_cleanup_fd_ int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return proc < 0 ? fail(-errno, err) : mounts_read_of(proc, err, ret_mounts);
}

bool mount_is_of(const struct mount_entry *entry, dev_t dev)
{
	return entry->major == major(dev) && entry->minor == minor(dev);
}

/* What the kernel knows will do: a server that does not answer must not hold up the caller. */
bool mounts_is_read_only(const struct mounts *mounts, int fd)
{
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st))
		return false;
	for (size_t i = 0; i < mounts->cnt; i++)
		if (mounts->items[i].id == st.stx_mnt_id)
			return mounts->items[i].is_read_only;
	return false;
}
