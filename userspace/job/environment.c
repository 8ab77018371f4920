// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The launcher's part of a job's environment; see environment.h.
 *
 * All that is made comes into being detached and is moved into place by descriptor, so that no
 * path is looked up twice. One tmpfs holds every directory of the job's own; its root is mounted
 * nowhere in the end, only its directories are.
 */
#include "job/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

/* One file or directory for so many bytes: each costs the kernel memory beside its content. */
#define BYTES_PER_INODE 4096
#define INODES_MIN 1024

#define TMP_MODE 01777

enum place_kind {
	PLACE_PRIVATE = 1, /* a directory of the tmpfs */
	PLACE_HIDDEN = 2,  /* an empty directory or file of the tmpfs, read-only */
	PLACE_READ = 3,    /* what is there already, read-only */
	PLACE_WRITE = 4,   /* what is there already, as it is, in a place that is read-only */
};

/* A path on which something is mounted for the job. */
struct place {
	const char *path; /* borrowed from the policy */
	enum place_kind kind;
	int tree; /* the detached mount, then the same in place; -1 while there is none */
};

struct environment_plan {
	struct place *places; /* sorted by path: what lies in another comes after it */
	size_t place_cnt;
	int tmpfs; /* its root, mounted nowhere at the end; -1: none is needed */
	dev_t dev; /* of the tmpfs */
	uid_t uid; /* of the job's user */
	gid_t gid;
};

/* Whether the tmpfs holds it. */
static bool is_own(const struct place *place)
{
	return place->kind == PLACE_PRIVATE || place->kind == PLACE_HIDDEN;
}

static void plan_free(struct environment_plan *plan)
{
	for (size_t i = 0; i < plan->place_cnt; i++)
		cleanup_fd(&plan->places[i].tree);
	cleanup_fd(&plan->tmpfs);
	free(plan->places);
}

/* --- what is mounted where -------------------------------------------------------------------- */

/* As strcmp(), but '/' before all else, so that a directory is followed by what lies in it. */
static int compare_places(const void *a, const void *b)
{
	const struct place *pa = a, *pb = b;
	const unsigned char *x = (const unsigned char *)pa->path;
	const unsigned char *y = (const unsigned char *)pb->path;

	for (; *x && *x == *y; x++, y++)
		;
	if (*x == *y)
		return (pa->kind > pb->kind) - (pa->kind < pb->kind);
	return (*x == '/' ? 1 : *x) - (*y == '/' ? 1 : *y);
}

static void add_place(struct environment_plan *plan, const char *path, enum place_kind kind)
{
	plan->places[plan->place_cnt++] = (struct place){ path, kind, -1 };
}

static bool is_dataset(const struct rule *rule, uint8_t access)
{
	return rule->class == RULE_DATASET && rule->access == access;
}

static bool is_in_read_dataset(const struct policy *policy, const char *path)
{
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (is_dataset(&policy->rules[i], ACCESS_READ) &&
		    path_is_below(path, policy->rules[i].path))
			return true;
	return false;
}

/* A dataset that is granted lies in no other place: the policy would have been refused. */
static void add_rule(struct environment_plan *plan, const struct policy *policy,
		     const struct rule *rule)
{
	bool is_dataset_or_file = rule->class == RULE_DATASET || rule->class == RULE_FILESYSTEM;

	if (is_dataset(rule, ACCESS_READ))
		add_place(plan, rule->path, PLACE_READ);
	else if (is_dataset_or_file && rule->access == ACCESS_WRITE &&
		 is_in_read_dataset(policy, rule->path))
		add_place(plan, rule->path, PLACE_WRITE);
}

static int plan_places(struct environment_plan *plan, const struct policy *policy,
		       struct error *err)
{
	const struct environment *environment = &policy->environment;

	plan->places = calloc(environment->path_cnt + policy->rule_cnt + 1, sizeof(*plan->places));
	if (!plan->places)
		return error_errno(err, -ENOMEM, "cannot make the job's environment");
	for (size_t i = 0; i < environment->path_cnt; i++)
		add_place(plan, environment->paths[i].path,
			  environment->paths[i].kind == ENV_HIDDEN ? PLACE_HIDDEN : PLACE_PRIVATE);
	for (size_t i = 0; environment->are_datasets_read_only && i < policy->rule_cnt; i++)
		add_rule(plan, policy, &policy->rules[i]);
	qsort(plan->places, plan->place_cnt, sizeof(*plan->places), compare_places);
	return 0;
}

/* --- namespaces ------------------------------------------------------------------------------- */

static int refuse_user_namespace(struct error *err, int r)
{
	return error_errno(err, r,
			   "the policy's environment needs a user namespace, which this machine "
			   "refuses to users (kernel.unprivileged_userns_clone, "
			   "user.max_user_namespaces, "
			   "kernel.apparmor_restrict_unprivileged_userns); allow it, or leave the "
			   "environment out");
}

static int enter_user_namespace(environment_ask_ids *ask, void *arg, struct error *err)
{
	uid_t uid = geteuid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return refuse_user_namespace(err, -errno);
	if (ask(arg, err))
		return err->code;
	if (geteuid() != uid)
		return error_set(err, -EPERM, "the controller did not map user %u", uid);
	return 0;
}

static int enter_namespaces(environment_ask_ids *ask, void *arg, struct error *err)
{
	/*
	 * Not private: what the host unmounts must not stay busy in here, and what it mounts while
	 * the job runs should be seen.
	 */
	struct mount_attr slave = { .propagation = MS_SLAVE };

	if (unshare(CLONE_NEWNS)) {
		if (errno != EPERM)
			return error_errno(err, -errno, "cannot make a mount namespace");
		if (enter_user_namespace(ask, arg, err))
			return err->code;
	}
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &slave, sizeof(slave)))
		return error_errno(err, -errno, "cannot cut the mount namespace off the host's");
	return 0;
}

/* --- paths ------------------------------------------------------------------------------------ */

static int open_path(const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = resolve };
	int fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int refuse_link(const char *path, struct error *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);

	return error_set(
		err, -ELOOP,
		"%s, which the policy's environment changes, leads through a symbolic link; "
		"name the place itself%s%s",
		path, real ? ": " : "", real ? real : "");
}

/* Makes a directory, if that is in one of the job's own. Returns 0 or -errno. */
static int make_component(const struct environment_plan *plan, int dir, const char *name)
{
	struct stat st;

	if (fstat(dir, &st))
		return -errno;
	if (plan->tmpfs < 0 || st.st_dev != plan->dev)
		return -ENOENT;
	return mkdirat(dir, name, 0755) ? -errno : 0;
}

/* Opens a directory, and makes what is missing of its path in a hidden place. */
static int make_path(const struct environment_plan *plan, const char *path, int *ret_fd)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_fd_ int dir = open_path("/", 0);
	char *name, *save;

	if (!copy || dir < 0)
		return copy ? dir : -ENOMEM;
	for (name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		int next = openat(dir, name, O_PATH | O_CLOEXEC | O_NOFOLLOW), r = 0;

		if (next < 0 && errno == ENOENT) {
			r = make_component(plan, dir, name);
			if (!r)
				next = openat(dir, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		}
		if (r || next < 0)
			return r ? r : -errno;
		close(dir);
		dir = next;
	}
	*ret_fd = TAKE_FD(dir);
	return 0;
}

static int refuse_missing(const char *path, struct error *err)
{
	return error_set(err, -ENOENT,
			 "the job's own %s needs a directory to be mounted on, and there is none; "
			 "make it once on this machine, it stays empty: mkdir -p %s",
			 path, path);
}

/* Where the place's mount goes. Returns 0; 1 if there is nothing to do; or -errno. */
static int open_target(const struct environment_plan *plan, const struct place *place,
		       struct error *err, int *ret_fd)
{
	/* A dataset's path is the site's; the others must be what they seem. */
	int fd = open_path(place->path,
			   is_own(place) ? RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS : 0);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (fd == -ELOOP && is_own(place))
		return refuse_link(place->path, err);
	if (fd == -ENOENT && place->kind == PLACE_HIDDEN)
		return 1;
	if (fd == -ENOENT && place->kind == PLACE_PRIVATE)
		fd = make_path(plan, place->path, ret_fd);
	if (fd == -ENOENT)
		return refuse_missing(place->path, err);
	return fd ? error_errno(err, fd, "%s", place->path) : 0;
}

/* --- the tmpfs -------------------------------------------------------------------------------- */

static int configure(int fs, const char *key, uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0) ? -errno : 0;
}

static int make_tmpfs(struct environment_plan *plan, uint64_t bytes, struct error *err)
{
	_cleanup_fd_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	uint64_t inodes = bytes / BYTES_PER_INODE;
	struct stat st;
	int r = fs < 0 ? -errno : 0;

	if (!r && fsconfig(fs, FSCONFIG_SET_STRING, "source", "jobcage", 0))
		r = -errno;
	if (!r)
		r = configure(fs, "size", bytes);
	if (!r)
		r = configure(fs, "nr_inodes", inodes < INODES_MIN ? INODES_MIN : inodes);
	if (!r && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		r = -errno;
	if (!r) {
		plan->tmpfs = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
		r = plan->tmpfs < 0 || fstat(plan->tmpfs, &st) ? -errno : 0;
	}
	if (r)
		return error_errno(err, r, "cannot make the job's tmpfs");
	plan->dev = st.st_dev;
	return 0;
}

/* The directory of a private path: everybody's if it stands for a /tmp, else the job's user's. */
static int make_private(const struct environment_plan *plan, const struct place *place,
			const char *name)
{
	_cleanup_fd_ int host = open_path(place->path, 0);
	struct stat st = { 0 };
	bool is_tmp = host >= 0 && !fstat(host, &st) && (st.st_mode & TMP_MODE) == TMP_MODE;

	if (host >= 0 && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (mkdirat(plan->tmpfs, name, 0700))
		return -errno;
	if (!is_tmp && fchownat(plan->tmpfs, name, plan->uid, plan->gid, AT_SYMLINK_NOFOLLOW))
		return -errno;
	/* Apart from mkdir because of the umask. */
	return fchmodat(plan->tmpfs, name, is_tmp ? TMP_MODE : 0700, 0) ? -errno : 0;
}

/* An empty thing of the same kind. What is no directory can be covered by any file. */
static int make_hidden(const struct environment_plan *plan, const struct place *place,
		       const char *name)
{
	_cleanup_fd_ int host = open_path(place->path, 0);
	struct stat st = { .st_mode = S_IFDIR };

	if (host >= 0 && fstat(host, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return mkdirat(plan->tmpfs, name, 0755) ? -errno : 0;
	return mknodat(plan->tmpfs, name, S_IFREG | 0444, 0) ? -errno : 0;
}

/* open_tree(), which copies only what is mounted in this namespace. */
static int copy_tree(int dir, const char *name, unsigned int flags)
{
	int tree = open_tree(dir, name, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return tree < 0 ? -errno : tree;
}

static int make_own_trees(struct environment_plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->place_cnt; i++) {
		struct place *place = &plan->places[i];
		char name[24];
		int r;

		if (!is_own(place))
			continue;
		snprintf(name, sizeof(name), "%zu", i);
		r = place->kind == PLACE_PRIVATE ? make_private(plan, place, name)
						 : make_hidden(plan, place, name);
		if (!r) {
			place->tree = copy_tree(plan->tmpfs, name, AT_SYMLINK_NOFOLLOW);
			r = place->tree < 0 ? place->tree : 0;
		}
		if (r)
			return error_errno(err, r, "cannot make the job's own %s", place->path);
	}
	return 0;
}

/* Off again from where it was attached, without a path to it. */
static int detach_tmpfs(const struct environment_plan *plan)
{
	_cleanup_fd_ int cwd = open_path(".", 0);
	int r = 0;

	if (cwd < 0)
		return cwd;
	if (fchdir(plan->tmpfs) || umount2(".", MNT_DETACH) || fchdir(cwd))
		r = -errno;
	return r;
}

/*
 * A directory of a mount can be copied only while that is part of a namespace. So the tmpfs is
 * attached on the root for a moment, where no path leads to it.
 */
static int make_own(struct environment_plan *plan, const struct policy *policy, struct error *err)
{
	_cleanup_fd_ int root = open_path("/", 0);
	uint64_t bytes = policy->limits.scratch_bytes;
	size_t own_cnt = 0;
	int r;

	for (size_t i = 0; i < plan->place_cnt; i++)
		own_cnt += is_own(&plan->places[i]);
	if (!own_cnt)
		return 0;
	r = make_tmpfs(plan, bytes ? bytes : LIMIT_SCRATCH_DEFAULT, err);
	if (r)
		return r;
	if (root < 0 || move_mount(plan->tmpfs, "", root, "",
				   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return error_errno(err, -errno, "cannot attach the job's tmpfs");
	if (make_own_trees(plan, err))
		return err->code;
	r = detach_tmpfs(plan);
	return r ? error_errno(err, r, "cannot detach the job's tmpfs") : 0;
}

/* --- mounting --------------------------------------------------------------------------------- */

/* Before anything is covered. Whether a path may be absent is for the rules to say. */
static int copy_datasets(struct environment_plan *plan, struct error *err)
{
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };

	for (size_t i = 0; i < plan->place_cnt; i++) {
		struct place *place = &plan->places[i];

		if (is_own(place))
			continue;
		place->tree = copy_tree(AT_FDCWD, place->path, AT_RECURSIVE);
		if (place->tree == -ENOENT)
			continue;
		if (place->tree < 0)
			return error_errno(err, place->tree, "cannot mount %s for the job",
					   place->path);
		if (place->kind == PLACE_READ &&
		    mount_setattr(place->tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only,
				  sizeof(read_only)))
			return error_errno(err, -errno, "cannot make %s read-only", place->path);
	}
	return 0;
}

static int attach(const struct environment_plan *plan, const struct place *place, struct error *err)
{
	_cleanup_fd_ int target = -1;
	int r = place->tree < 0 ? 1 : open_target(plan, place, err, &target);

	if (r)
		return r < 0 ? r : 0;
	if (move_mount(place->tree, "", target, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return error_errno(err, -errno, "cannot mount the job's own %s", place->path);
	return 0;
}

static int attach_all(const struct environment_plan *plan, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < plan->place_cnt; i++)
		r = attach(plan, &plan->places[i], err);
	return r;
}

/* Last, because mountpoints are made in hidden directories. */
static int close_hidden(const struct environment_plan *plan, struct error *err)
{
	struct mount_attr empty = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };

	for (size_t i = 0; i < plan->place_cnt; i++) {
		const struct place *place = &plan->places[i];

		if (place->kind == PLACE_HIDDEN &&
		    mount_setattr(place->tree, "", AT_EMPTY_PATH, &empty, sizeof(empty)))
			return error_errno(err, -errno, "cannot hide %s", place->path);
	}
	return 0;
}

static int make_mounts(struct environment_plan *plan, const struct policy *policy,
		       struct error *err)
{
	mode_t mask = umask(022);
	int r = copy_datasets(plan, err);

	if (!r)
		r = make_own(plan, policy, err);
	if (!r)
		r = attach_all(plan, err);
	if (!r)
		r = close_hidden(plan, err);
	umask(mask);
	return r;
}

int environment_make(const struct policy *policy, const struct launch_user *user,
		     environment_ask_ids *ask, void *arg, struct error *err, int *ret_scratch_fd)
{
	_cleanup_(plan_free) struct environment_plan plan = {
		.tmpfs = -1,
		.uid = user ? user->uid : geteuid(),
		.gid = user ? user->gid : getegid(),
	};
	int r = plan_places(&plan, policy, err);

	if (!r && plan.place_cnt)
		r = enter_namespaces(ask, arg, err);
	if (!r && plan.place_cnt)
		r = make_mounts(&plan, policy, err);
	if (r)
		return r;
	*ret_scratch_fd = TAKE_FD(plan.tmpfs);
	return 0;
}
