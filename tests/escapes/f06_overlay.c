// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F6: a dataset as a layer of an overlay that the job mounts, as root or in a user namespace, and an overlay over a dataset. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

static int mount_overlay(const char *lower, const char *upper, const char *work, const char *target)
{
	char options[4096];

	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
	step("mount");
	return outcome(mount("overlay", target, "overlay", 0, options));
}

/* What is made in the overlay is made in the dataset. */
static int upper(void)
{
	const char *spot = in(out, "mnt");
	int r = mount_overlay(in(out, "folder"), ds, in(out, "work"), spot);

	if (r)
		return r;
	r = write_to(in(spot, "new"), O_WRONLY | O_CREAT);
	umount2(spot, MNT_DETACH);
	return r;
}

/* The overlay makes itself a folder there. */
static int work(void)
{
	const char *spot = in(out, "mnt");
	int r = mount_overlay(in(out, "folder"), in(out, "upper"), in(ds, "empty"), spot);

	if (!r)
		umount2(spot, MNT_DETACH);
	return r;
}

static int lower(void)
{
	const char *spot = in(out, "mnt");
	int r = mount_overlay(closed, in(out, "upper"), in(out, "work"), spot);

	if (r)
		return r;
	r = read_from(in(spot, "p"));
	umount2(spot, MNT_DETACH);
	return r;
}

static int over(void)
{
	int r = mount_overlay(ds, in(out, "upper"), in(out, "work"), ds);

	if (r)
		return r;
	r = write_to(in(ds, "f"), O_WRONLY);
	umount2(ds, MNT_DETACH);
	return r;
}

static int upper_in_namespaces(void) { return become_root() ?: upper(); }
static int lower_in_namespaces(void) { return become_root() ?: lower(); }
static int user_upper(void) { return in_child(upper_in_namespaces); }
static int user_lower(void) { return in_child(lower_in_namespaces); }

const struct attempt attempts[] = {
	{ "upper", upper },
	{ "work", work },
	{ "lower", lower },
	{ "over", over },
	{ "user-upper", user_upper },
	{ "user-lower", user_lower },
	{ NULL, NULL },
};
