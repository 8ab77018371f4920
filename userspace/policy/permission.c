// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who may run what; see permission.h.
 *
 * Names become ids once, when the site is loaded, so that a request is judged by numbers that the
 * kernel vouches for, without asking a directory service that may be slow or down.
 */
#include "policy/permission.h"

#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/value.h"

#define EVERYBODY "*"

/* The last id means "none" to the kernel. */
#define ID_MAX (UINT32_MAX - 1)

enum {
	PERMISSION_USERS,
	PERMISSION_GROUPS,
	PERMISSION_POLICIES,
	PERMISSION_OWN,
	PERMISSION_FIELD_CNT,
};

static const struct field permission_fields[] = {
	[PERMISSION_USERS] = { "users", KIND_LIST, .entry_kinds = KIND_STRING | KIND_INTEGER },
	[PERMISSION_GROUPS] = { "groups", KIND_LIST, .entry_kinds = KIND_STRING | KIND_INTEGER },
	[PERMISSION_POLICIES] = { "policies", KIND_LIST, .entry_kinds = KIND_STRING },
	[PERMISSION_OWN] = { "own_policies", KIND_BOOLEAN },
};

const struct shape permission_shape = { "a permission", FIELDS(permission_fields), NULL, 0 };

/* Ids */

struct principal {
	const char *what;
	const char *a_what;
	/* Looks a name up: 0, -ENOENT, or why that is not known. */
	int (*find)(const char *name, uint32_t *ret_id);
};

/* What the lookups of users and groups leave in errno where there is nobody of that name. */
static int lookup_error(int err)
{
	switch (err) {
	case 0:
	case ENOENT:
	case ESRCH:
	case EBADF:
	case EPERM:
		return -ENOENT;
	default:
		return -err;
	}
}

static int find_user(const char *name, uint32_t *ret_id)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (!entry)
		return lookup_error(errno);
	*ret_id = entry->pw_uid;
	return 0;
}

static int find_group(const char *name, uint32_t *ret_id)
{
	const struct group *entry;

	errno = 0;
	entry = getgrnam(name);
	if (!entry)
		return lookup_error(errno);
	*ret_id = entry->gr_gid;
	return 0;
}

static const struct principal user_principal = { "user", "a user", find_user };
static const struct principal group_principal = { "group", "a group", find_group };

static bool check_id(const struct cursor *at, uint64_t number, uint32_t *ret_id)
{
	if (number > ID_MAX) {
		cursor_error(at, "ids are 0 to %u", ID_MAX);
		return false;
	}
	*ret_id = (uint32_t)number;
	return true;
}

/* An unknown name may be one of another machine that shares the file: no error, and no match. */
static bool resolve_name(const struct cursor *at, const struct principal *principal,
			 uint32_t *ret_id)
{
	const char *name = cursor_string(at);
	int err = principal->find(name, ret_id);

	if (err == -ENOENT)
		cursor_warning(at, "unknown %s '%s': nobody is meant by it", principal->what, name);
	else if (err)
		cursor_warning(at, "cannot look up %s '%s', so nobody is meant by it: %s",
			       principal->what, name, strerror(-err));
	return !err;
}

/* A string of digits is a number, whatever names there are. */
static bool value_principal(const struct cursor *at, const struct principal *principal,
			    uint32_t *ret_id)
{
	const char *text = cursor_string(at);
	uint64_t number;

	if (!text)
		return check_id(at, (uint64_t)json_integer_value(at->node->value), ret_id);
	if (number_take(&text, &number) && !*text)
		return check_id(at, number, ret_id);
	if (*cursor_string(at))
		return resolve_name(at, principal, ret_id);
	cursor_error(at, "%s without a name", principal->a_what);
	return false;
}

static void read_ids(const struct cursor *at, const struct node *list,
		     const struct principal *principal, struct id_list *ids)
{
	struct cursor entry;

	ids->ids = calloc(list ? json_array_size(list->value) + 1 : 1, sizeof(*ids->ids));
	if (!ids->ids) {
		cursor_error(at, "out of memory");
		return;
	}
	for (const struct node *node = list ? list->child : NULL; node; node = node->next) {
		entry = cursor_at(at, node);
		if (!shape_kind(&entry, KIND_STRING | KIND_INTEGER, principal->a_what))
			continue;
		if (cursor_string(&entry) && !strcmp(cursor_string(&entry), EVERYBODY))
			ids->is_everybody = true;
		else if (value_principal(&entry, principal, &ids->ids[ids->cnt]))
			ids->cnt++;
	}
}

/* Policies */

static bool has_open_bracket(const char *text)
{
	const char *open = strrchr(text, '[');

	return open && !strchr(open, ']');
}

static bool check_pattern(const struct cursor *at)
{
	const char *text;
	size_t len;

	if (!shape_kind(at, KIND_STRING, "a policy's name"))
		return false;
	text = cursor_string(at);
	len = strlen(text);
	if (len && len <= NAME_LEN_MAX && !text[strspn(text, NAME_CHARS "*?[]!")] &&
	    !has_open_bracket(text))
		return true;
	cursor_error(at, "bad policy '%s': a name, or a pattern of at most %d characters with *, ? "
			 "and [...]", text, NAME_LEN_MAX);
	return false;
}

static void read_patterns(const struct cursor *at, const struct node *list,
			  struct permission *permission)
{
	struct cursor entry;
	char *copy;

	permission->policies = calloc(list ? json_array_size(list->value) + 1 : 1, sizeof(char *));
	if (!permission->policies) {
		cursor_error(at, "out of memory");
		return;
	}
	for (const struct node *node = list ? list->child : NULL; node; node = node->next) {
		entry = cursor_at(at, node);
		if (!check_pattern(&entry))
			continue;
		copy = strdup(cursor_string(&entry));
		if (copy)
			permission->policies[permission->policy_cnt++] = copy;
		else
			cursor_error(&entry, "out of memory");
	}
}

/* The permission */

static bool is_empty(const struct cursor *at, const struct node *list, const char *key)
{
	return list ? !list->child : !shape_has_key(at->node, key);
}

/* One that is for nobody, or for nothing, is a slip. */
static void check_purpose(const struct cursor *at, const struct node *const *members,
			  bool own_policies)
{
	if (is_empty(at, members[PERMISSION_USERS], "users") &&
	    is_empty(at, members[PERMISSION_GROUPS], "groups"))
		cursor_error(at, "a permission for nobody: name 'users' or 'groups', or \"" EVERYBODY
				 "\" for everybody");
	if (!own_policies && is_empty(at, members[PERMISSION_POLICIES], "policies"))
		cursor_error(at, "a permission for nothing: name 'policies', or say "
				 "\"own_policies\": true");
}

void read_permission(const struct cursor *at, struct permission *permission)
{
	const struct node *members[PERMISSION_FIELD_CNT];

	if (!json_is_object(at->node->value)) {
		shape_kind(at, KIND_OBJECT, permission_shape.what);
		return;
	}
	shape_members(&permission_shape, at, members);
	permission->own_policies =
		members[PERMISSION_OWN] && json_is_true(members[PERMISSION_OWN]->value);
	check_purpose(at, members, permission->own_policies);
	read_ids(at, members[PERMISSION_USERS], &user_principal, &permission->users);
	read_ids(at, members[PERMISSION_GROUPS], &group_principal, &permission->groups);
	read_patterns(at, members[PERMISSION_POLICIES], permission);
}

void permission_clear(struct permission *permission)
{
	for (size_t i = 0; i < permission->policy_cnt; i++)
		free(permission->policies[i]);
	free(permission->policies);
	free(permission->users.ids);
	free(permission->groups.ids);
	*permission = (struct permission){ 0 };
}

/* Asking */

static bool has_id(const struct id_list *list, uint32_t id)
{
	for (size_t i = 0; i < list->cnt; i++) {
		if (list->ids[i] == id)
			return true;
	}
	return list->is_everybody;
}

bool permission_is_for(const struct permission *permission, uid_t uid, const gid_t *gids,
		       size_t gid_cnt)
{
	if (has_id(&permission->users, uid) || permission->groups.is_everybody)
		return true;
	for (size_t i = 0; i < gid_cnt; i++) {
		if (has_id(&permission->groups, gids[i]))
			return true;
	}
	return false;
}

bool permission_names(const struct permission *permission, const char *policy_name)
{
	for (size_t i = 0; i < permission->policy_cnt; i++) {
		if (!fnmatch(permission->policies[i], policy_name, FNM_NOESCAPE))
			return true;
	}
	return false;
}
