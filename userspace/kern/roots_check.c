// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Do the rules' paths still lead where they led? See roots.h.
 *
 * The descriptor of the place is compared with the one that is held: both are looked at through the
 * same file system and at the same time, so stat()'s own ideas of device and inode do no harm here.
 * What differs is then named as the hooks name it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "kern/identify.h"
#include "kern/roots.h"

/* What was found so far, and the descriptors to be named, borrowed. */
struct findings {
	struct root_change *items;
	int *old_fd, *now_fd; /* of each item; -1: none */
	size_t cnt;
};

static void findings_free(struct findings *findings)
{
	free(findings->items);
	free(findings->old_fd);
	free(findings->now_fd);
}

/* There is room for every rule and every mount. */
static int findings_init(struct findings *findings, size_t max)
{
	findings->items = calloc(max + 1, sizeof(*findings->items));
	findings->old_fd = calloc(max + 1, sizeof(*findings->old_fd));
	findings->now_fd = calloc(max + 1, sizeof(*findings->now_fd));
	return findings->items && findings->old_fd && findings->now_fd ? 0 : -ENOMEM;
}

static struct root_change *add_finding(struct findings *findings, const struct root_path *path,
				       enum root_news news, int old_fd, int now_fd)
{
	size_t i = findings->cnt++;

	findings->items[i] = (struct root_change){ .rule = path->rule, .news = news };
	findings->old_fd[i] = old_fd;
	findings->now_fd[i] = now_fd;
	return &findings->items[i];
}

const struct root_path *roots_above(const struct roots *roots, const char *path)
{
	const struct root_path *nearest = NULL;

	for (size_t i = 0; i < roots->path_cnt; i++) {
		const struct root_path *root = &roots->paths[i];

		if (root->fd < 0 || !path_is_below(path, root->path))
			continue;
		if (!nearest || strlen(root->path) > strlen(nearest->path))
			nearest = root;
	}
	return nearest;
}

static int look_at(int fd, struct statx *ret_st)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, ret_st)
		       ? -errno
		       : 0;
}

static bool is_same(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor &&
	       (a->stx_mode & S_IFMT) == (b->stx_mode & S_IFMT);
}

/* A path that an error hides from us (a server that is away) is not known to lead elsewhere. */
static int check_lost(const struct root_path *path, const struct held_place *place,
		      struct findings *findings)
{
	int error = place->error;

	if (path->fd >= 0 && (error == -ENOENT || error == -ENOTDIR))
		add_finding(findings, path, ROOT_GONE, path->fd, -1);
	return error == -ENFILE || error == -EMFILE || error == -ENOMEM ? error : 0;
}

static int check_path(const struct root_path *path, const struct held_place *place,
		      const struct mounts *mounts, struct findings *findings)
{
	struct statx held, now;
	bool is_read_only;
	int r;

	if (place->fd < 0)
		return check_lost(path, place, findings);
	if (path->fd < 0) {
		add_finding(findings, path, ROOT_APPEARED, -1, place->fd);
		return 0;
	}
	r = look_at(path->fd, &held);
	if (!r)
		r = look_at(place->fd, &now);
	if (r)
		return r;
	is_read_only = mounts_is_read_only(mounts, place->fd);
	if (!is_same(&held, &now))
		add_finding(findings, path, ROOT_REPLACED, path->fd, place->fd);
	else if (is_read_only != path->is_read_only)
		add_finding(findings, path, ROOT_REMOUNTED, -1, -1)->is_read_only = is_read_only;
	return 0;
}

static int check_paths(const struct roots *roots, const struct places *places,
		       struct findings *findings)
{
	_cleanup_free_ const struct held_place **by_rule =
		calloc(places->policy->rule_cnt + 1, sizeof(*by_rule));
	int r = by_rule ? 0 : -ENOMEM;

	for (size_t i = 0; by_rule && i < places->cnt; i++)
		if (places->items[i].rule && !places->items[i].is_mount)
			by_rule[places->items[i].number] = &places->items[i];
	for (size_t i = 0; !r && i < roots->path_cnt; i++) {
		const struct held_place *place = by_rule[roots->paths[i].rule];

		if (place)
			r = check_path(&roots->paths[i], place, &places->mounts, findings);
	}
	return r;
}

static bool is_known(const struct mounts *mounts, const struct mount_entry *entry)
{
	for (size_t i = 0; i < mounts->cnt; i++)
		if (mounts->items[i].major == entry->major &&
		    mounts->items[i].minor == entry->minor &&
		    !strcmp(mounts->items[i].path, entry->path))
			return true;
	return false;
}

static void check_mounts(const struct roots *roots, const struct mounts *mounts,
			 struct findings *findings)
{
	for (size_t i = 0; i < mounts->cnt; i++) {
		const struct root_path *above = roots_above(roots, mounts->items[i].path);

		if (above && !is_known(&roots->mounts, &mounts->items[i]))
			add_finding(findings, above, ROOT_MOUNT_BELOW, -1, -1);
	}
}

static struct root_key key_of(const struct identity *ids, size_t id_cnt, int fd)
{
	const struct identity *id = fd < 0 ? NULL : identity_of_fd(ids, id_cnt, fd);

	if (!id)
		return (struct root_key){ 0 };
	return (struct root_key){ .dev = id->dev, .kind = ROOT_KIND(id->type, id->tree), .ino = id->ino };
}

static int name_findings(struct kern *kern, struct findings *findings, struct error *err)
{
	_cleanup_free_ struct identity *ids = NULL;
	size_t id_cnt = 0;
	int r;

	if (!findings->cnt)
		return 0;
	r = identify_files(kern, getpid(), IDENTIFY_NO_POLICY, IDENTIFY_ALL, err, &ids, &id_cnt);
	for (size_t i = 0; !r && i < findings->cnt; i++) {
		findings->items[i].old = key_of(ids, id_cnt, findings->old_fd[i]);
		findings->items[i].now = key_of(ids, id_cnt, findings->now_fd[i]);
	}
	return r;
}

static int finding_order(const void *a, const void *b)
{
	const struct root_change *x = a, *y = b;

	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

int roots_check(struct kern *kern, const struct roots *roots, const struct places *places,
		struct error *err, struct root_change **ret_changes, size_t *ret_cnt)
{
	_cleanup_(findings_free) struct findings findings = { 0 };
	int r = findings_init(&findings, roots->path_cnt + places->mounts.cnt);

	if (!r)
		r = check_paths(roots, places, &findings);
	if (r)
		return error_errno(err, r, "cannot look after the policy's paths");
	check_mounts(roots, &places->mounts, &findings);
	r = name_findings(kern, &findings, err);
	if (r)
		return r;
	qsort(findings.items, findings.cnt, sizeof(*findings.items), finding_order);
	*ret_changes = TAKE_PTR(findings.items);
	*ret_cnt = findings.cnt;
	return 0;
}
