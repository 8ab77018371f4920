// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Where a policy's paths lead; see places.h.
 *
 * A walk ends at its superblock's root, so a file system mounted below a rule's root gets the same
 * rule at its own root. Every root and every ancestor of one is opened with O_PATH.
 */
#include "kern/places.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/quota.h"
#include "kern/links.h"

/* The least that places grow by. */
#define ROOM_STEP 16

/* Descriptors of all places there are, in several threads, and of those that roots keep. */
static struct quota descriptors = QUOTA_NONE;

struct places *places_new(struct policy *policy)
{
	struct places *places = calloc(1, sizeof(*places));

	if (places)
		places->policy = policy_hold(policy);
	return places;
}

static void close_place(struct held_place *place)
{
	if (place->fd < 0)
		return;
	close(place->fd);
	place->fd = -1;
}

void places_free(struct places *places)
{
	if (!places)
		return;
	for (size_t i = 0; i < places->cnt; i++) {
		close_place(&places->items[i]);
		free(places->items[i].path);
	}
	places_let_go(places->policy->owner, places->claimed);
	mounts_free(&places->mounts);
	policy_free(places->policy);
	free(places->items);
	free(places);
}

/* Where the first thing that is wrong is told; NULL: it has been. */
static struct error *first_error(struct places *places)
{
	return places->err.code ? NULL : &places->err;
}

enum place_kind place_kind(const struct rule *rule)
{
	if (rule->class == RULE_EXEC)
		return PLACE_EXEC;
	return rule->class == RULE_UNIX ? PLACE_UNIX : PLACE_FILE;
}

/* --- held open -------------------------------------------------------------------------------- */

/*
 * Half of what the controller may open; of that, half for users' policies, an eighth for one user's.
 * Jobs that run are not refused other roots by that, or who has used up his share would keep the
 * rules of his jobs, the site's among them, from what a path leads to now.
 */
static struct quota_limits descriptor_limits(bool is_renewal)
{
	struct rlimit limit = { 0 };
	size_t all;

	getrlimit(RLIMIT_NOFILE, &limit);
	all = limit.rlim_cur / 2;
	return (struct quota_limits){
		.of_user = is_renewal ? all : all / 8,
		.of_users = is_renewal ? all : all / 2,
		.of_all = all,
	};
}

void places_let_go(uid_t owner, size_t cnt)
{
	quota_return(&descriptors, owner, cnt);
}

/* Policies must not take the last descriptor, nor all memory, from the controller. */
static int claim(struct places *places, size_t cnt)
{
	struct quota_limits limits = descriptor_limits(places->is_renewal);
	int r = quota_take(&descriptors, places->policy->owner, cnt, &limits, 0);

	if (!r)
		places->claimed += cnt;
	if (r == -EDQUOT)
		return error_set(first_error(places), -EBUSY,
				 "the policies that you have brought name too many paths: at most "
				 "%zu, with all that is above them, for all your jobs together",
				 limits.of_user);
	if (r == -EBUSY)
		return error_set(first_error(places), r,
				 "too many paths of policies are held or looked up; try again");
	return r;
}

/* A mere ancestor can be dropped where its path is held already; it comes after what says more. */
static bool is_ancestor(const struct held_place *place)
{
	return !place->rule && !place->through && !place->is_own;
}

/* By path; mounts last. */
static int place_order(const void *a, const void *b)
{
	const struct held_place *x = a, *y = b;
	int order = x->is_mount - y->is_mount;

	if (!order)
		order = strcmp(x->path, y->path);
	return order ? order : is_ancestor(x) - is_ancestor(y);
}

/* Sorts them, too. */
static void drop_repeated_ancestors(struct places *places)
{
	size_t kept = 0;

	places->sorted_cnt = 0;
	if (!places->cnt)
		return;
	qsort(places->items, places->cnt, sizeof(*places->items), place_order);
	for (size_t i = 0; i < places->cnt; i++) {
		struct held_place *place = &places->items[i];

		if (is_ancestor(place) && kept &&
		    !strcmp(places->items[kept - 1].path, place->path)) {
			close_place(place);
			free(place->path);
			continue;
		}
		places->sorted_cnt += !place->is_mount;
		places->items[kept++] = *place;
	}
	places->cnt = kept;
}

/* Repeats go first, so that what is claimed, and the memory, is little more than what will be open. */
static int make_room(struct places *places)
{
	size_t more = places->room / 8 > ROOM_STEP ? places->room / 8 : ROOM_STEP;
	struct held_place *items;
	int r;

	if (places->cnt < places->room)
		return 0;
	drop_repeated_ancestors(places);
	if (places->cnt < places->room - places->room / 8)
		return 0;
	r = claim(places, more);
	if (r)
		return r;
	items = reallocarray(places->items, places->room + more, sizeof(*items));
	if (!items)
		return -ENOMEM;
	places->items = items;
	places->room += more;
	return 0;
}

/* Gives back what the walk needed besides. */
static void trim_room(struct places *places)
{
	places_let_go(places->policy->owner, places->claimed - places->cnt);
	places->claimed = places->cnt;
	places->room = places->cnt;
}

/* Does the rule hold for a directory alone, and else for nothing? */
static bool is_only_directory(const struct held_place *place)
{
	return place->rule && place->rule->is_created && !place->is_mount;
}

static void open_place(struct places *places, struct held_place *place)
{
	int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;

	places->at = place->path;
	place->fd = open(place->path, flags | (is_only_directory(place) ? O_DIRECTORY : 0));
	if (place->fd >= 0)
		return;
	place->error = -errno;
	/* A mount that another one hides cannot be reached by the job either. */
	if (!place->is_mount || errno != ENOENT)
		error_errno(first_error(places), place->error, "%s", place->path);
}

static void open_places(struct places *places)
{
	for (size_t i = 0; i < places->cnt; i++)
		if (!places->items[i].error && places->items[i].fd < 0)
			open_place(places, &places->items[i]);
}

/* --- what there is ---------------------------------------------------------------------------- */

static int places_add(struct places *places, const char *path, size_t len, const struct rule *rule,
		      __u32 number, bool is_mount)
{
	struct held_place *place;
	int r = make_room(places);

	if (r)
		return r;
	place = &places->items[places->cnt];
	*place = (struct held_place){
		.path = strndup(path, len),
		.fd = -1,
		.rule = rule,
		.number = number,
		.is_mount = is_mount,
	};
	if (!place->path)
		return -ENOMEM;
	places->cnt++;
	return 0;
}

/* Length of the path of the directory that it is in; of "/" none. */
static size_t parent_len(const char *path, size_t len)
{
	if (len == 1)
		return 0;
	while (path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : 1;
}

/* Whether path is below the first len bytes of the other. */
static bool is_below(const char *path, const char *dir, size_t len)
{
	return !strncmp(path, dir, len) && (len == 1 || path[len] == '/');
}

/* Of the place that was added last. What the one before it has in common with it is there already. */
static int add_ancestors(struct places *places)
{
	const char *path = places->items[places->cnt - 1].path, *before = places->latest ?: "";
	size_t len = parent_len(path, strlen(path));
	int r = 0;

	for (; !r && len && !is_below(before, path, len); len = parent_len(path, len))
		r = places_add(places, path, len, NULL, RULE_NONE, false);
	places->latest = path;
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
	return add_ancestors(places);
}

/* The path of this rule leads nowhere, or cannot be walked. */
static int add_failure(struct places *places, const struct rule *rule, __u32 number, int error)
{
	int r = places_add(places, rule->path, strlen(rule->path), rule, number, false);

	if (r)
		return r;
	places->items[places->cnt - 1].error = error;
	if (error != -ENOENT || !rule->is_optional)
		error_set(first_error(places), error, "%s:%u:%u: rule \"%s\": %s: %s",
			  rule->origin.file, rule->origin.line, rule->origin.column, rule->id,
			  rule->path, strerror(-error));
	return 0;
}

static char *resolve(const struct rule *rule)
{
	/* What is made for a job stands under its own name: a link there is nothing that was made. */
	return rule->is_created ? links_directory(rule->path) : realpath(rule->path, NULL);
}

static int add_rule(struct places *places, const struct rule *rule, __u32 number)
{
	_cleanup_free_ char *path = NULL;
	struct link_finder finder = { places, rule };
	int r;

	places->at = rule->path;
	path = resolve(rule);
	if (!path)
		return add_failure(places, rule, number, -errno);
	r = places_add(places, path, strlen(path), rule, number, false);
	if (!r)
		r = add_ancestors(places);
	return r ? r : links_each(rule->path, add_link, &finder);
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
static void check_exec(struct places *places, const struct rule *rule)
{
	if (rule->class != RULE_EXEC || !rule->path ||
	    !policy_path_is_private(places->policy, rule->path))
		return;
	error_set(first_error(places), -EINVAL,
		  "%s:%u:%u: rule \"%s\": %s is the job's own (environment), and programs from "
		  "there cannot be allowed or denied by a rule",
		  rule->origin.file, rule->origin.line, rule->origin.column, rule->id, rule->path);
}

static int add_rules(struct places *places)
{
	const struct policy *policy = places->policy;
	int r = 0;

	for (size_t i = 0; !r && i < policy->rule_cnt; i++) {
		check_exec(places, &policy->rules[i]);
		if (has_place(policy, &policy->rules[i]))
			r = add_rule(places, &policy->rules[i], i + 1);
	}
	return r;
}

/* What is looked for: a rule of that kind, or, if class is not 0, only of that class. */
struct sought {
	enum place_kind kind;
	enum rule_class class;
};

static bool is_sought(const struct held_place *place, struct sought sought)
{
	return place->rule && !place->error && place_kind(place->rule) == sought.kind &&
	       (!sought.class || place->rule->class == sought.class);
}

/* As strcmp() orders the place's path and the first len bytes of the other. */
static int compare_path(const struct held_place *place, const char *path, size_t len)
{
	int order = strncmp(place->path, path, len);

	return order ? order : place->path[len] != '\0';
}

/* The first of the sorted places whose path is that one or after it. */
static size_t first_at(const struct places *places, const char *path, size_t len)
{
	size_t from = 0, to = places->sorted_cnt;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare_path(&places->items[middle], path, len) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static const struct held_place *sought_at(const struct places *places, const char *path, size_t len,
					  struct sought sought)
{
	for (size_t i = first_at(places, path, len); i < places->sorted_cnt; i++) {
		if (compare_path(&places->items[i], path, len))
			break;
		if (is_sought(&places->items[i], sought))
			return &places->items[i];
	}
	return NULL;
}

/*
 * The nearest of the sorted places at the first len bytes of the path or above. NULL: there is none.
 */
static const struct held_place *nearest_at(const struct places *places, const char *path,
					   size_t len, struct sought sought)
{
	const struct held_place *nearest = NULL;

	for (; !nearest && len; len = parent_len(path, len))
		nearest = sought_at(places, path, len, sought);
	return nearest;
}

/* The rule of that kind whose root is nearest above the path. */
static const struct held_place *nearest_above(const struct places *places, const char *path,
					      enum place_kind kind)
{
	return nearest_at(places, path, parent_len(path, strlen(path)), (struct sought){ kind, 0 });
}

static int add_mount(struct places *places, const char *mount)
{
	int r = 0;

	for (int kind = 0; !r && kind < PLACE_KINDS; kind++) {
		const struct held_place *above = nearest_above(places, mount, kind);

		if (above && strcmp(above->path, mount))
			r = places_add(places, mount, strlen(mount), above->rule, above->number,
				       true);
	}
	return r;
}

static int add_mounts(struct places *places)
{
	int r = 0;

	drop_repeated_ancestors(places);
	for (size_t i = 0; !r && i < places->mounts.cnt; i++)
		r = add_mount(places, places->mounts.items[i].path);
	return r;
}

/* --- what is wrong with it -------------------------------------------------------------------- */

/* A symlink or a bind mount on the way must not turn a rule into more than its dataset's grant. */
static void check_rule(struct places *places, const struct held_place *place)
{
	const struct rule *rule = place->rule;
	const struct held_place *dataset =
		nearest_at(places, place->path, strlen(place->path),
			   (struct sought){ PLACE_FILE, RULE_DATASET });

	if (!dataset || rule->access <= dataset->rule->access)
		return;
	error_set(first_error(places), -EINVAL,
		  "%s:%u:%u: rule \"%s\": %s leads to %s, inside dataset \"%s\": a rule cannot "
		  "grant more than the dataset's grant",
		  rule->origin.file, rule->origin.line, rule->origin.column, rule->id, rule->path,
		  place->path, dataset->rule->dataset);
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
static const char *why_writable(const struct places *places, const char *link)
{
	const struct held_place *above = nearest_above(places, link, PLACE_FILE);

	if (above)
		return above->rule->access == ACCESS_WRITE ? above->rule->id : NULL;
	return places->policy->file_default == ACCESS_WRITE && !is_machines_own(link)
		       ? "filesystem.default"
		       : NULL;
}

/* A job that may write where the link is could have put it there, for itself or for the next. */
static void check_link(struct places *places, const struct held_place *place)
{
	const struct rule *rule = place->through;
	const char *why = why_writable(places, place->path);

	if (!why)
		return;
	error_set(first_error(places), -EINVAL,
		  "%s:%u:%u: rule \"%s\": %s leads through the symbolic link %s, which \"%s\" lets "
		  "the job make: name the place that is meant",
		  rule->origin.file, rule->origin.line, rule->origin.column, rule->id, rule->path,
		  place->path, why);
}

/* Once they are checked, links are ancestors like others. */
static void check_places(struct places *places)
{
	for (size_t i = 0; i < places->cnt; i++) {
		const struct held_place *place = &places->items[i];

		if (place->rule && !place->error && place->rule->class == RULE_FILESYSTEM)
			check_rule(places, place);
	}
	for (size_t i = 0; i < places->cnt; i++) {
		if (places->items[i].through)
			check_link(places, &places->items[i]);
		places->items[i].through = NULL;
	}
	places->latest = NULL;
}

/* --- the whole -------------------------------------------------------------------------------- */

void places_find(struct places *places)
{
	int r = mounts_read(&places->err, &places->mounts);

	if (r)
		return;
	r = add_rules(places);
	if (!r)
		r = add_mounts(places);
	if (r) {
		error_errno(first_error(places), r, "cannot resolve the policy's paths");
		return;
	}
	check_places(places);
	drop_repeated_ancestors(places);
	trim_room(places);
	open_places(places);
	places->at = NULL;
}

struct places *places_walk(struct policy *policy, struct error *err)
{
	struct places *places = places_new(policy);

	if (places)
		places_find(places);
	else
		error_errno(err, -ENOMEM, "cannot resolve the policy's paths");
	return places;
}

int places_check(const struct places *places, struct error *err)
{
	if (places->err.code && err)
		*err = places->err;
	return places->err.code;
}

static int add_own(struct places *places, const char *own)
{
	_cleanup_free_ char *path = realpath(own, NULL);
	int r;

	if (!path)
		return -errno;
	r = places_add(places, path, strlen(path), NULL, RULE_NONE, false);
	if (r)
		return r;
	places->items[places->cnt - 1].is_own = true;
	return add_ancestors(places);
}

int places_add_own(struct places *places, const char *const *own, struct error *err)
{
	for (; *own; own++) {
		int r = add_own(places, *own);

		if (r)
			return places_check(places, err) ?: error_errno(err, r, "%s", *own);
	}
	open_places(places);
	return places_check(places, err);
}
