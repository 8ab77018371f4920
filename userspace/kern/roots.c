// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From paths to (device, inode); see roots.h.
 *
 * A walk ends at its superblock's root, so a file system mounted below a rule's root gets the same
 * rule at its own root. Every root and every ancestor of one is opened with O_PATH, a batch of them
 * is identified by the kernel in one go, and the results are merged by identity: /bin and /usr/bin
 * may be one directory.
 */
#include "kern/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "kern/identify.h"
#include "kern/links.h"

/* Descriptors open at a time; below any usual limit. */
#define BATCH 256

/* A path to identify. */
struct place {
	char *path;              /* canonical */
	const struct rule *rule; /* NULL: an ancestor */
	__u32 number;            /* of the rule */
	bool is_mount;           /* not the rule's own root, but a mount below it */
	bool is_own;             /* jobcage's own: closed, whatever the rules say */
	const struct rule *through; /* a link that this rule's path leads through */
};

struct places {
	struct place *items;
	size_t cnt, room;
};

static void places_free(struct places *places)
{
	for (size_t i = 0; i < places->cnt; i++)
		free(places->items[i].path);
	free(places->items);
}

void roots_release(struct roots *roots)
{
	for (size_t i = 0; i < roots->fd_cnt; i++)
		close(roots->fds[i]);
	for (size_t i = 0; i < roots->path_cnt; i++)
		free(roots->paths[i].path);
	mounts_free(&roots->mounts);
	free(roots->paths);
	free(roots->fds);
	roots->paths = NULL;
	roots->fds = NULL;
	roots->path_cnt = roots->fd_cnt = 0;
}

bool roots_are_same(const struct roots *a, const struct roots *b)
{
	if (a->cnt != b->cnt || a->dev_cnt != b->dev_cnt ||
	    memcmp(a->devs, b->devs, a->dev_cnt * sizeof(*a->devs)))
		return false;
	for (size_t i = 0; i < a->cnt; i++)
		if (memcmp(&a->items[i].key, &b->items[i].key, sizeof(a->items[i].key)) ||
		    memcmp(&a->items[i].value, &b->items[i].value, sizeof(a->items[i].value)))
			return false;
	return true;
}

void roots_free(struct roots *roots)
{
	roots_release(roots);
	free(roots->items);
	free(roots->devs);
	*roots = (struct roots){ 0 };
}

static int places_add(struct places *places, const char *path, size_t len, const struct rule *rule,
		      __u32 number, bool is_mount)
{
	struct place *place;

	if (places->cnt == places->room) {
		size_t room = places->room ? 2 * places->room : 64;

		place = realloc(places->items, room * sizeof(*place));
		if (!place)
			return -ENOMEM;
		places->items = place;
		places->room = room;
	}
	place = &places->items[places->cnt];
	*place = (struct place){
		.path = strndup(path, len),
		.rule = rule,
		.number = number,
		.is_mount = is_mount,
	};
	if (!place->path)
		return -ENOMEM;
	places->cnt++;
	return 0;
}

static int add_ancestors(struct places *places, const char *path)
{
	int r = 0;

	for (size_t len = strlen(path); !r && len > 1;) {
		while (path[len - 1] != '/')
			len--;
		len = len > 1 ? len - 1 : 1;
		r = places_add(places, path, len, NULL, RULE_NONE, false);
	}
	return r;
}

/* Whose rule, and where to. */
struct link_finder {
	struct places *places;
	const struct rule *rule;
};

/* A link keeps its place like an ancestor: who moves it decides what the rule is about. */
static int add_link(void *arg, const char *link)
{
	const struct link_finder *finder = arg;
	struct places *places = finder->places;
	int r = places_add(places, link, strlen(link), NULL, RULE_NONE, false);

	if (r)
		return r;
	places->items[places->cnt - 1].through = finder->rule;
	return add_ancestors(places, link);
}

/* fd: -1 if the path leads nowhere. */
static int add_path(struct roots *roots, __u32 number, int fd, const char *path)
{
	struct root_path *added = &roots->paths[roots->path_cnt];

	*added = (struct root_path){ .rule = number, .fd = fd, .path = strdup(path) };
	if (!added->path)
		return -ENOMEM;
	roots->path_cnt++;
	return 0;
}

static int add_rule(struct places *places, const struct rule *rule, __u32 number,
		    struct roots *roots, struct error *err)
{
	_cleanup_free_ char *path = realpath(rule->path, NULL);
	struct link_finder finder = { places, rule };
	int r;

	if (!path && errno == ENOENT && rule->is_optional) {
		r = add_path(roots, number, -1, rule->path);
		return r ? error_errno(err, r, "cannot resolve the policy's paths") : 0;
	}
	if (!path)
		return error_set(err, -errno, "%s:%u:%u: rule \"%s\": %s: %s", rule->origin.file,
				 rule->origin.line, rule->origin.column, rule->id, rule->path,
				 strerror(errno));
	r = places_add(places, path, strlen(path), rule, number, false);
	if (!r)
		r = add_ancestors(places, path);
	if (!r)
		r = links_each(rule->path, add_link, &finder);
	if (r)
		return error_errno(err, r, "cannot resolve the policy's paths");
	return 0;
}

/*
 * A rule for the job's own directories is about nothing that the controller can see: the job may
 * write there anyway, and the host's directory of that name must not be opened for it.
 */
static bool has_place(const struct policy *policy, const struct rule *rule)
{
	return rule->path && !(rule->class == RULE_FILESYSTEM &&
			       policy_path_is_private(policy, rule->path));
}

/* Programs there would be the job's own making. */
static int check_exec(const struct policy *policy, const struct rule *rule, struct error *err)
{
	if (rule->class != RULE_EXEC || !rule->path || !policy_path_is_private(policy, rule->path))
		return 0;
	return error_set(err, -EINVAL,
			 "%s:%u:%u: rule \"%s\": %s is the job's own (environment), and programs "
			 "from there cannot be allowed or denied by a rule",
			 rule->origin.file, rule->origin.line, rule->origin.column, rule->id,
			 rule->path);
}

static int add_rules(struct places *places, const struct policy *policy, struct roots *roots,
		     struct error *err)
{
	int r = 0;

	roots->paths = calloc(policy->rule_cnt + 1, sizeof(*roots->paths));
	if (!roots->paths)
		return error_errno(err, -ENOMEM, "cannot resolve the policy's paths");
	for (size_t i = 0; !r && i < policy->rule_cnt; i++) {
		r = check_exec(policy, &policy->rules[i], err);
		if (!r && has_place(policy, &policy->rules[i]))
			r = add_rule(places, &policy->rules[i], i + 1, roots, err);
	}
	return r;
}

/* What the controller stands on must be out of a job's reach, also where a rule would open it. */
static int add_own(struct places *places, const char *const *own, struct error *err)
{
	for (; *own; own++) {
		_cleanup_free_ char *path = realpath(*own, NULL);
		size_t at = places->cnt;
		int r;

		if (!path)
			return error_errno(err, -errno, "%s", *own);
		r = places_add(places, path, strlen(path), NULL, RULE_NONE, false);
		if (!r)
			places->items[at].is_own = true;
		if (!r)
			r = add_ancestors(places, path);
		if (r)
			return error_errno(err, r, "cannot resolve the policy's paths");
	}
	return 0;
}

/* Rules of these kinds do not know of each other. */
enum root_kind {
	ROOT_FILE, /* datasets and file rules */
	ROOT_EXEC,
	ROOT_UNIX,
	ROOT_KINDS,
};

static enum root_kind kind_of(const struct rule *rule)
{
	if (rule->class == RULE_EXEC)
		return ROOT_EXEC;
	return rule->class == RULE_UNIX ? ROOT_UNIX : ROOT_FILE;
}

/* The rule of that kind whose root is nearest above the mount, among the first cnt places. */
static const struct place *nearest_above(const struct places *places, size_t cnt, const char *mount,
					 enum root_kind kind)
{
	const struct place *nearest = NULL;

	for (size_t i = 0; i < cnt; i++) {
		const struct place *place = &places->items[i];

		if (!place->rule || kind_of(place->rule) != kind ||
		    !path_is_below(mount, place->path))
			continue;
		if (!nearest || strlen(place->path) > strlen(nearest->path))
			nearest = place;
	}
	return nearest;
}

/* A symlink or a bind mount on the way must not turn a rule into more than its dataset's grant. */
static int check_rule(const struct places *places, const struct place *place, struct error *err)
{
	const struct place *dataset = NULL;

	for (size_t i = 0; i < places->cnt; i++) {
		const struct place *other = &places->items[i];

		if (!other->rule || other->rule->class != RULE_DATASET ||
		    (strcmp(place->path, other->path) && !path_is_below(place->path, other->path)))
			continue;
		if (!dataset || strlen(other->path) > strlen(dataset->path))
			dataset = other;
	}
	if (!dataset || place->rule->access <= dataset->rule->access)
		return 0;
	return error_set(err, -EINVAL,
			 "%s:%u:%u: rule \"%s\": %s leads to %s, inside dataset \"%s\": a rule "
			 "cannot grant more than the dataset's grant",
			 place->rule->origin.file, place->rule->origin.line,
			 place->rule->origin.column, place->rule->id, place->rule->path,
			 place->path, dataset->rule->dataset);
}

static int check_datasets(const struct places *places, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < places->cnt; i++)
		if (places->items[i].rule && places->items[i].rule->class == RULE_FILESYSTEM)
			r = check_rule(places, &places->items[i], err);
	return r;
}

/* /bin and the like, which only root can have made, in a folder that nobody else writes to. */
static bool is_machines_own(const char *link)
{
	_cleanup_free_ char *folder = strdup(link);
	struct stat st;

	if (!folder || lstat(link, &st) || st.st_uid)
		return false;
	strrchr(folder, '/')[1] = '\0';
	return !stat(folder, &st) && !st.st_uid && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* What lets the job write where the link is; NULL: nothing does. */
static const char *why_writable(const struct places *places, const struct policy *policy,
				const char *link)
{
	const struct place *above = nearest_above(places, places->cnt, link, ROOT_FILE);

	if (above)
		return above->rule->access == ACCESS_WRITE ? above->rule->id : NULL;
	return policy->file_default == ACCESS_WRITE && !is_machines_own(link)
		       ? "filesystem.default"
		       : NULL;
}

/* A job that may write where the link is could have put it there, for itself or for the next. */
static int check_links(const struct places *places, const struct policy *policy, struct error *err)
{
	for (size_t i = 0; i < places->cnt; i++) {
		const struct rule *rule = places->items[i].through;
		const char *link = places->items[i].path;
		const char *why = rule ? why_writable(places, policy, link) : NULL;

		if (why)
			return error_set(err, -EINVAL,
					 "%s:%u:%u: rule \"%s\": %s leads through the symbolic link %s, "
					 "which \"%s\" lets the job make: name the place that is meant",
					 rule->origin.file, rule->origin.line, rule->origin.column,
					 rule->id, rule->path, link, why);
	}
	return 0;
}

static int add_mount(struct places *places, size_t cnt, const char *mount)
{
	int r = 0;

	for (int kind = 0; !r && kind < ROOT_KINDS; kind++) {
		const struct place *above = nearest_above(places, cnt, mount, kind);

		if (above && strcmp(above->path, mount))
			r = places_add(places, mount, strlen(mount), above->rule, above->number,
				       true);
	}
	return r;
}

static int add_mounts(struct places *places, const struct mounts *mounts, struct error *err)
{
	size_t cnt = places->cnt;

	for (size_t i = 0; i < mounts->cnt; i++)
		if (add_mount(places, cnt, mounts->items[i].path))
			return error_errno(err, -ENOMEM, "cannot resolve the policy's paths");
	return 0;
}

/* By path, our own before a rule before an ancestor, so that dropping repeats keeps the rule;
 * mounts last. */
static int place_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	if (x->is_mount != y->is_mount)
		return x->is_mount - y->is_mount;
	if (order)
		return order;
	return x->is_own != y->is_own ? y->is_own - x->is_own : !x->rule - !y->rule;
}

static void drop_repeated_ancestors(struct places *places)
{
	size_t kept = 0;

	qsort(places->items, places->cnt, sizeof(*places->items), place_order);
	for (size_t i = 0; i < places->cnt; i++) {
		struct place *place = &places->items[i];

		if (!place->rule && !place->is_own && kept &&
		    !strcmp(places->items[kept - 1].path, place->path))
			free(place->path);
		else
			places->items[kept++] = *place;
	}
	places->cnt = kept;
}

static int conflict(const struct place *place, __u32 number, const struct policy *policy,
		    struct error *err)
{
	const struct rule *other = policy_rule(policy, number);

	return error_set(err, -EINVAL,
			 "%s:%u:%u: rule \"%s\" contradicts rule \"%s\": both name %s",
			 place->rule->origin.file, place->rule->origin.line,
			 place->rule->origin.column, place->rule->id, other ? other->id : "?",
			 place->path);
}

/*
 * What a rule of its own says stays: those come first. Of a file system that is mounted below
 * several roots the strictest rule holds.
 */
static void merge_mount(const struct place *place, bool is_given, __u8 *level, __u32 *number)
{
	if (*level && (is_given || *level <= place->rule->access))
		return;
	*level = place->rule->access;
	*number = place->number;
}

/* One inode, reached by one more path. */
static int merge(struct root *root, const struct place *place, const struct policy *policy,
		 struct error *err)
{
	struct root_value *value = &root->value;
	__u8 *const levels[] = { &value->access, &value->exec, &value->unix_access };
	__u32 *const numbers[] = { &value->access_rule, &value->exec_rule, &value->unix_rule };
	bool *const given[] = { &root->is_access_given, &root->is_exec_given, &root->is_unix_given };
	enum root_kind kind = place->rule ? kind_of(place->rule) : ROOT_FILE;
	__u8 *level = levels[kind];
	__u32 *number = numbers[kind];
	bool *is_given = given[kind];

	root->value.is_protected = 1;
	if (place->is_own) {
		root->value.access = ACCESS_NONE;
		root->value.access_rule = RULE_NONE;
		root->is_own = true;
	}
	if (!place->rule || (root->is_own && kind == ROOT_FILE))
		return 0;
	if (place->is_mount) {
		merge_mount(place, *is_given, level, number);
		return 0;
	}
	if (*level && *level != place->rule->access)
		return conflict(place, *number, policy, err);
	if (!*level) {
		*level = place->rule->access;
		*number = place->number;
	}
	*is_given = true;
	return 0;
}

static struct root *root_at(struct roots *roots, struct root_key key)
{
	for (size_t i = 0; i < roots->cnt; i++)
		if (!memcmp(&roots->items[i].key, &key, sizeof(key)))
			return &roots->items[i];
	roots->items[roots->cnt] = (struct root){ .key = key };
	return &roots->items[roots->cnt++];
}

static void add_dev(struct roots *roots, __u32 dev)
{
	for (size_t i = 0; i < roots->dev_cnt; i++)
		if (roots->devs[i] == dev)
			return;
	roots->devs[roots->dev_cnt++] = dev;
}

static int merge_batch(const struct place *places, const int *fds, size_t cnt,
		       const struct identity *ids, size_t id_cnt, const struct policy *policy,
		       struct error *err, struct roots *roots)
{
	for (size_t i = 0; i < cnt; i++) {
		const struct identity *id = identity_of_fd(ids, id_cnt, fds[i]);
		int r;

		if (fds[i] < 0)
			continue;
		if (!id)
			return error_set(err, -ESTALE, "the kernel does not name %s",
					 places[i].path);
		r = merge(root_at(roots, (struct root_key){ .dev = id->dev,
							    .type = id->type,
							    .ino = id->ino }),
			  &places[i], policy, err);
		if (r)
			return r;
		if (places[i].rule || places[i].is_own)
			add_dev(roots, id->dev);
	}
	return 0;
}

static int open_batch(const struct place *places, size_t cnt, int *fds, struct error *err)
{
	for (size_t i = 0; i < cnt; i++) {
		fds[i] = open(places[i].path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		/* A mount that another one hides cannot be reached by the job either. */
		if (fds[i] < 0 && !(places[i].is_mount && errno == ENOENT))
			return error_errno(err, -errno, "%s", places[i].path);
	}
	return 0;
}

/* Takes the descriptor. */
static int keep_open(struct roots *roots, const struct place *place, int fd)
{
	roots->fds[roots->fd_cnt++] = fd;
	return place->rule && !place->is_mount ? add_path(roots, place->number, fd, place->path) : 0;
}

static int resolve_batch(struct kern *kern, const struct place *places, size_t cnt,
			 const struct policy *policy, struct error *err, struct roots *roots)
{
	_cleanup_free_ struct identity *ids = NULL;
	size_t id_cnt = 0;
	int fds[BATCH], r;

	for (size_t i = 0; i < cnt; i++)
		fds[i] = -1;
	r = open_batch(places, cnt, fds, err);
	if (!r)
		r = identify_files(kern, getpid(), IDENTIFY_NO_POLICY, err, &ids, &id_cnt);
	if (!r)
		r = merge_batch(places, fds, cnt, ids, id_cnt, policy, err, roots);
	for (size_t i = 0; i < cnt; i++) {
		if (!r && fds[i] >= 0 && (places[i].rule || places[i].is_own))
			r = keep_open(roots, &places[i], TAKE_FD(fds[i]));
		cleanup_fd(&fds[i]);
	}
	return r;
}

static int resolve_places(struct kern *kern, const struct places *places,
			  const struct policy *policy, struct error *err, struct roots *roots)
{
	roots->items = calloc(places->cnt + 1, sizeof(*roots->items));
	roots->devs = calloc(places->cnt + 1, sizeof(*roots->devs));
	roots->fds = calloc(places->cnt + 1, sizeof(*roots->fds));
	if (!roots->items || !roots->devs || !roots->fds)
		return error_errno(err, -ENOMEM, "cannot resolve the policy's paths");
	for (size_t at = 0; at < places->cnt; at += BATCH) {
		size_t cnt = places->cnt - at < BATCH ? places->cnt - at : BATCH;
		int r = resolve_batch(kern, &places->items[at], cnt, policy, err, roots);

		if (r)
			return r;
	}
	return 0;
}

/* What roots_check() compares with later. Keeps of the mounts those that are below a rule's root. */
static void note_mounts(struct roots *roots, struct mounts *mounts)
{
	size_t kept = 0;

	for (size_t i = 0; i < roots->path_cnt; i++)
		roots->paths[i].is_read_only = mounts_is_read_only(mounts, roots->paths[i].fd);
	for (size_t i = 0; i < mounts->cnt; i++) {
		if (roots_above(roots, mounts->items[i].path))
			mounts->items[kept++] = mounts->items[i];
		else
			free(mounts->items[i].path);
	}
	mounts->cnt = kept;
	roots->mounts = *mounts;
	*mounts = (struct mounts){ 0 };
}

int roots_resolve(struct kern *kern, const struct policy *policy, const char *const *own,
		  struct error *err, struct roots *ret_roots)
{
	_cleanup_(places_free) struct places places = { 0 };
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	_cleanup_(roots_free) struct roots roots = { 0 };
	int r;

	r = mounts_read(err, &mounts);
	if (!r)
		r = add_rules(&places, policy, &roots, err);
	if (!r)
		r = check_datasets(&places, err);
	if (!r)
		r = check_links(&places, policy, err);
	if (!r)
		r = add_mounts(&places, &mounts, err);
	if (!r)
		r = add_own(&places, own, err);
	if (r)
		return r;
	drop_repeated_ancestors(&places);
	r = resolve_places(kern, &places, policy, err, &roots);
	if (r)
		return r;
	note_mounts(&roots, &mounts);
	*ret_roots = roots;
	roots = (struct roots){ 0 };
	return 0;
}
