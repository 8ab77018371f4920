// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From places to (device, inode); see roots.h.
 *
 * All places are identified by the kernel in one go, and the results are merged by identity: /bin
 * and /usr/bin may be one directory.
 */
#include "kern/roots.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/identify.h"

void roots_free(struct roots *roots)
{
	for (size_t i = 0; i < roots->fd_cnt; i++)
		close(roots->fds[i]);
	places_let_go(roots->owner, roots->fd_cnt);
	for (size_t i = 0; i < roots->path_cnt; i++)
		free(roots->paths[i].path);
	mounts_free(&roots->mounts);
	free(roots->paths);
	free(roots->fds);
	free(roots->items);
	free(roots->devs);
	*roots = (struct roots){ 0 };
}

static int conflict(const struct held_place *place, __u32 number, const struct policy *policy,
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
static void merge_mount(const struct held_place *place, bool is_given, __u8 *level, __u32 *number)
{
	if (*level && (is_given || *level <= place->rule->access))
		return;
	*level = place->rule->access;
	*number = place->number;
}

/* One inode, reached by one more path. */
static int merge(struct root *root, const struct held_place *place, const struct policy *policy,
		 struct error *err)
{
	struct root_value *value = &root->value;
	__u8 *const levels[] = { &value->access, &value->exec, &value->unix_access };
	__u32 *const numbers[] = { &value->access_rule, &value->exec_rule, &value->unix_rule };
	bool *const given[] = { &root->is_access_given, &root->is_exec_given, &root->is_unix_given };
	enum place_kind kind = place->rule ? place_kind(place->rule) : PLACE_FILE;
	__u8 *level = levels[kind];
	__u32 *number = numbers[kind];
	bool *is_given = given[kind];

	root->value.is_protected = 1;
	if (place->is_own) {
		root->value.access = ACCESS_NONE;
		root->value.access_rule = RULE_NONE;
		root->value.unix_access = UNIX_DENY;
		root->value.unix_rule = RULE_NONE;
		root->is_own = true;
	}
	if (!place->rule || (root->is_own && kind != PLACE_EXEC))
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

static size_t find_dev(const struct roots *roots, __u32 dev)
{
	size_t i = 0;

	while (i < roots->dev_cnt && roots->devs[i] != dev)
		i++;
	return i;
}

static bool is_guarded(const struct rule *rule)
{
	return rule && rule->class == RULE_DATASET && rule->access != ACCESS_WRITE;
}

/* Those of datasets first. */
static void add_dev(struct roots *roots, __u32 dev, bool has_dataset)
{
	size_t at = find_dev(roots, dev);

	if (at == roots->dev_cnt)
		roots->devs[roots->dev_cnt++] = dev;
	if (!has_dataset || at < roots->dataset_dev_cnt)
		return;
	roots->devs[at] = roots->devs[roots->dataset_dev_cnt];
	roots->devs[roots->dataset_dev_cnt++] = dev;
}

/* A place under its identity. */
struct named_place {
	struct root_key key;
	const struct held_place *place;
};

/* By identity; those of one in the order of the places. */
static int name_order(const void *a, const void *b)
{
	const struct named_place *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static int no_tree(const struct held_place *place, struct error *err)
{
	return error_set(err, -EOPNOTSUPP,
			 "%s is on btrfs, and this kernel does not say where that keeps an inode's "
			 "subvolume; use a kernel built with CONFIG_DEBUG_INFO_BTF_MODULES=y, as "
			 "distributions' stock kernels are",
			 place->path);
}

static int name_places(struct kern *kern, const struct places *places, struct error *err,
		       struct named_place *names, size_t *ret_cnt)
{
	_cleanup_free_ struct identity *ids = NULL;
	size_t id_cnt = 0, cnt = 0;
	int r = identify_files(kern, getpid(), IDENTIFY_NO_POLICY, IDENTIFY_ALL, err, &ids, &id_cnt);

	for (size_t i = 0; !r && i < places->cnt; i++) {
		const struct held_place *place = &places->items[i];
		const struct identity *id;

		if (place->fd < 0)
			continue;
		id = identity_of_fd(ids, id_cnt, place->fd);
		if (!id)
			return error_set(err, -ESTALE, "the kernel does not name %s", place->path);
		if (id->tree == TREE_UNKNOWN)
			return no_tree(place, err);
		names[cnt++] = (struct named_place){
			.key = { .dev = id->dev, .kind = ROOT_KIND(id->type, id->tree), .ino = id->ino },
			.place = place,
		};
	}
	*ret_cnt = cnt;
	return r;
}

static int merge_names(struct roots *roots, const struct named_place *names, size_t cnt,
		       const struct policy *policy, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < cnt; i++) {
		const struct held_place *place = names[i].place;

		if (!i || memcmp(&names[i].key, &names[i - 1].key, sizeof(names[i].key)))
			roots->items[roots->cnt++] = (struct root){ .key = names[i].key };
		if (place->rule || place->is_own)
			add_dev(roots, names[i].key.dev, is_guarded(place->rule));
		r = merge(&roots->items[roots->cnt - 1], place, policy, err);
	}
	return r;
}

static int merge_places(struct kern *kern, const struct places *places, struct error *err,
			struct roots *roots)
{
	_cleanup_free_ struct named_place *names = calloc(places->cnt + 1, sizeof(*names));
	size_t cnt = 0;
	int r;

	if (!names)
		return error_errno(err, -ENOMEM, "cannot resolve the policy's paths");
	r = name_places(kern, places, err, names, &cnt);
	if (r)
		return r;
	qsort(names, cnt, sizeof(*names), name_order);
	return merge_names(roots, names, cnt, places->policy, err);
}

/* Takes the path. */
static void keep_path(struct roots *roots, struct held_place *place, const struct mounts *mounts)
{
	roots->paths[roots->path_cnt++] = (struct root_path){
		.rule = place->number,
		.fd = place->fd,
		.path = TAKE_PTR(place->path),
		.is_read_only = mounts_is_read_only(mounts, place->fd),
	};
}

/* Takes the descriptors of what is to be held, with their part of the claim, and the rules' paths. */
static void keep_places(struct roots *roots, struct places *places)
{
	for (size_t i = 0; i < places->cnt; i++) {
		struct held_place *place = &places->items[i];

		if (!place->rule && !place->is_own)
			continue;
		if (place->rule && !place->is_mount)
			keep_path(roots, place, &places->mounts);
		if (place->fd >= 0)
			roots->fds[roots->fd_cnt++] = TAKE_FD(place->fd);
	}
	roots->owner = places->policy->owner;
	places->claimed -= roots->fd_cnt;
}

/* What roots_check() compares with later: of the mounts those that are below a rule's root. */
static void keep_mounts(struct roots *roots, struct mounts *mounts)
{
	size_t kept = 0;

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

static int make_room(struct roots *roots, size_t cnt)
{
	roots->items = calloc(cnt + 1, sizeof(*roots->items));
	roots->devs = calloc(cnt + 1, sizeof(*roots->devs));
	roots->fds = calloc(cnt + 1, sizeof(*roots->fds));
	roots->paths = calloc(cnt + 1, sizeof(*roots->paths));
	return roots->items && roots->devs && roots->fds && roots->paths ? 0 : -ENOMEM;
}

int roots_resolve(struct kern *kern, struct places *places, const char *const *own,
		  struct error *err, struct roots *ret_roots)
{
	_cleanup_(roots_free) struct roots roots = { 0 };
	int r = places_check(places, err);

	if (!r)
		r = places_add_own(places, own, err);
	if (r)
		return r;
	r = make_room(&roots, places->cnt);
	if (r)
		return error_errno(err, r, "cannot resolve the policy's paths");
	r = merge_places(kern, places, err, &roots);
	if (r)
		return r;
	keep_places(&roots, places);
	keep_mounts(&roots, &places->mounts);
	*ret_roots = roots;
	roots = (struct roots){ 0 };
	return 0;
}
