// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X4: programs that give whoever runs them another user's rights, or capabilities. EXTRA/set-user-id and EXTRA/capable are listed
 * copies of hostname, the one root's and set-user-ID, the other with CAP_SYS_ADMIN.
 */
#include "escape.h"
#include "program.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int name_host(const char *program)
{
	char name[64] = "";

	if (gethostname(name, sizeof(name) - 1))
		return -errno;
	step("execve");
	execl(program, "hostname", name, NULL);
	return -errno;
}

static int set_user_id(void) { return name_host(in(extra, "set-user-id")); }
static int with_capability(void) { return name_host(in(extra, "capable")); }
static int child_set_user_id(void) { return in_quiet_child(set_user_id); }
static int child_with_capability(void) { return in_quiet_child(with_capability); }

/* Who has renounced such programs is held to the list as before. */
static int renounced(void)
{
	if (step("prctl") && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return become(in(out, "tool"));
}

static int child_renounced(void) { return in_quiet_child(renounced); }

/* For an accomplice to run. */
static int make(mode_t mode)
{
	const char *path = in(out, "tool");
	int r = step("chmod") && chmod(path, mode) ? -errno : 0;

	if (!r)
		chmod(path, 0755);
	return r;
}

static int make_set_user_id(void) { return make(04755); }
static int make_set_group_id(void) { return make(02755); }

static int make_capable(void)
{
	const struct vfs_cap_data caps = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
					   .data[0].permitted = 1 << CAP_SYS_ADMIN };
	const char *path = in(out, "tool");

	if (step("setxattr") && setxattr(path, "security.capability", &caps, XATTR_CAPS_SZ_2, 0))
		return -errno;
	return outcome(removexattr(path, "security.capability"));
}

const struct attempt attempts[] = {
	{ "set-user-id", child_set_user_id },
	{ "file-capability", child_with_capability },
	{ "no-new-privs", child_renounced },
	{ "make-set-user-id", make_set_user_id },
	{ "make-set-group-id", make_set_group_id },
	{ "make-capable", make_capable },
	{ NULL, NULL },
};
