// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A policy's environment: what the job finds around it.
 *
 * Files add up: paths and variables are joined, and what a later file says about a path or a
 * variable takes the place of what an earlier one said; of the scratch, the directory and the flag
 * the last one decides. How the paths lie to each other, to datasets and to rules is judged when all
 * files are read.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "policy/draft.h"
#include "policy/value.h"

/* Each path is a mount for every job; each variable takes room in every exec. */
#define PATHS_MAX 64
#define VARIABLES_MAX 512

/* "NAME=VALUE" and its NUL: the kernel's MAX_ARG_STRLEN. */
#define VARIABLE_SIZE_MAX 131072

#define PLACE_FMT "%s:%u:%u"
#define PLACE(origin) (origin).file, (origin).line, (origin).column

enum { VARIABLES_KEEP, VARIABLES_SET, VARIABLES_FIELD_CNT };

static const struct field variables_fields[] = {
	[VARIABLES_KEEP] = { "keep", KIND_LIST, .entry_kinds = KIND_STRING },
	[VARIABLES_SET] = { "set", KIND_OBJECT },
};

static const struct shape variables_shape = { "'variables'", FIELDS(variables_fields), NULL, 0 };

enum {
	ENVIRONMENT_PRIVATE,
	ENVIRONMENT_SCRATCH,
	ENVIRONMENT_HIDE,
	ENVIRONMENT_READ_ONLY,
	ENVIRONMENT_VARIABLES,
	ENVIRONMENT_DIRECTORY,
	ENVIRONMENT_FIELD_CNT,
};

static const struct field environment_fields[] = {
	[ENVIRONMENT_PRIVATE] = { "private", KIND_LIST, .entry_kinds = KIND_STRING },
	[ENVIRONMENT_SCRATCH] = { "scratch", KIND_STRING },
	[ENVIRONMENT_HIDE] = { "hide", KIND_LIST, .entry_kinds = KIND_STRING },
	[ENVIRONMENT_READ_ONLY] = { "read_only_datasets", KIND_BOOLEAN },
	[ENVIRONMENT_VARIABLES] = { "variables", KIND_OBJECT, .shape = &variables_shape },
	[ENVIRONMENT_DIRECTORY] = { "directory", KIND_STRING },
};

const struct shape environment_shape = { "'environment'", FIELDS(environment_fields), NULL, 0 };

static struct environment *environment_of(struct draft *draft)
{
	return &draft->policy->environment;
}

void environment_clear(struct environment *environment)
{
	for (size_t i = 0; i < environment->path_cnt; i++)
		free(environment->paths[i].path);
	for (size_t i = 0; i < environment->keep_cnt; i++)
		free(environment->keep[i]);
	for (size_t i = 0; i < environment->set_cnt; i++) {
		free(environment->set[i].name);
		free(environment->set[i].value);
	}
	free(environment->paths);
	free(environment->keep);
	free(environment->set);
	free(environment->directory);
	*environment = (struct environment){ 0 };
}

/* Lists: short, and grown by one entry at a time */

static bool check_size(const struct cursor *at, size_t cnt, size_t max)
{
	if (cnt <= max)
		return true;
	cursor_error(at, "'%s' has %zu entries; at most %zu", at->node->key, cnt, max);
	return false;
}

/* Room for one more entry of a list of cnt. NULL: there is none, and that was reported. */
static void *grow(const struct cursor *at, void *list, size_t cnt, size_t max, size_t size)
{
	void *grown = cnt < max ? reallocarray(list, cnt + 1, size) : NULL;

	if (cnt >= max)
		cursor_error(at, "more than %zu entries, together with the files that this policy "
				 "extends", max);
	else if (!grown)
		cursor_error(at, "out of memory");
	return grown;
}

/* Paths */

static const char *const kind_words[] = {
	[ENV_PRIVATE] = "private",
	[ENV_SCRATCH] = "the scratch",
	[ENV_HIDDEN] = "hidden",
};

static struct env_path *find_path(const struct environment *environment, const char *path)
{
	for (size_t i = 0; i < environment->path_cnt; i++) {
		if (!strcmp(environment->paths[i].path, path))
			return &environment->paths[i];
	}
	return NULL;
}

/* Takes over path, also on failure. */
static void append_path(struct environment *environment, const struct cursor *at,
			enum env_path_kind kind, char *path)
{
	struct env_path *paths = grow(at, environment->paths, environment->path_cnt, PATHS_MAX,
				      sizeof(*paths));

	if (!paths) {
		free(path);
		return;
	}
	environment->paths = paths;
	paths[environment->path_cnt++] = (struct env_path){ path, kind, cursor_origin(at) };
}

/* Files are read once, so one name is one file. */
static void replace_path(struct env_path *earlier, const struct cursor *at, enum env_path_kind kind)
{
	if (earlier->origin.file == at->document->file) {
		cursor_error(at, "path '%s' is %s already at " PLACE_FMT "; keep one of the two",
			     earlier->path, kind_words[earlier->kind], PLACE(earlier->origin));
		return;
	}
	earlier->kind = kind;
	earlier->origin = cursor_origin(at);
}

static void read_path(struct environment *environment, const struct cursor *at,
		      enum env_path_kind kind)
{
	struct env_path *earlier;
	_cleanup_free_ char *path = NULL;

	if (!shape_kind(at, KIND_STRING, "a path") || !value_path(at, &path))
		return;
	earlier = find_path(environment, path);
	if (!strcmp(path, "/"))
		cursor_error(at, "the root of all files cannot be %s", kind_words[kind]);
	else if (earlier)
		replace_path(earlier, at, kind);
	else
		append_path(environment, at, kind, TAKE_PTR(path));
}

static void read_paths(struct environment *environment, const struct cursor *at,
		       const struct node *list, enum env_path_kind kind)
{
	struct cursor whole = cursor_at(at, list), entry;

	if (!list || !check_size(&whole, json_array_size(list->value), PATHS_MAX))
		return;
	for (const struct node *node = list->child; node; node = node->next) {
		entry = cursor_at(at, node);
		read_path(environment, &entry, kind);
	}
}

static void remove_scratch(struct environment *environment, const char *but_of_file)
{
	size_t kept = 0;

	for (size_t i = 0; i < environment->path_cnt; i++) {
		if (environment->paths[i].kind == ENV_SCRATCH &&
		    environment->paths[i].origin.file != but_of_file)
			free(environment->paths[i].path);
		else
			environment->paths[kept++] = environment->paths[i];
	}
	environment->path_cnt = kept;
}

/* There is one scratch: the earlier file's goes, wherever it was. */
static void read_scratch(struct environment *environment, const struct cursor *at,
			 const struct node *node)
{
	struct cursor value = cursor_at(at, node);

	if (!node)
		return;
	read_path(environment, &value, ENV_SCRATCH);
	remove_scratch(environment, at->document->file);
}

/* Variables */

static bool is_kept(const struct environment *environment, const char *pattern)
{
	for (size_t i = 0; i < environment->keep_cnt; i++) {
		if (!strcmp(environment->keep[i], pattern))
			return true;
	}
	return false;
}

static bool check_pattern(const struct cursor *at, const struct node *first)
{
	const char *text;

	if (!shape_kind(at, KIND_STRING, "a variable"))
		return false;
	text = cursor_string(at);
	if (!variable_is_pattern(text)) {
		cursor_error(at, "bad variable '%s': a name (A-Z a-z 0-9 _, no digit first), or "
				 "the beginning of names and '*'", text);
		return false;
	}
	for (; first != at->node; first = first->next) {
		if (!json_equal(first->value, at->node->value))
			continue;
		cursor_error(at, "'%s' is listed already at " PLACE_FMT "; remove one of the two",
			     text, at->document->file, first->place.line, first->place.column);
		return false;
	}
	return true;
}

static void add_pattern(struct environment *environment, const struct cursor *at)
{
	char **keep, *copy;

	if (is_kept(environment, cursor_string(at)))
		return;
	keep = grow(at, environment->keep, environment->keep_cnt, VARIABLES_MAX, sizeof(*keep));
	if (!keep)
		return;
	environment->keep = keep;
	copy = strdup(cursor_string(at));
	if (copy)
		keep[environment->keep_cnt++] = copy;
	else
		cursor_error(at, "out of memory");
}

static void read_keep(struct environment *environment, const struct cursor *at,
		      const struct node *list)
{
	struct cursor whole = cursor_at(at, list), entry;

	if (!list || !check_size(&whole, json_array_size(list->value), VARIABLES_MAX))
		return;
	environment->is_filtered = true;
	for (const struct node *node = list->child; node; node = node->next) {
		entry = cursor_at(at, node);
		if (check_pattern(&entry, list->child))
			add_pattern(environment, &entry);
	}
}

static bool check_variable(const struct cursor *at)
{
	size_t size = strlen(at->node->key) + sizeof("=");

	if (!variable_is_name(at->node->key)) {
		cursor_key_error(at, "bad variable '%s': A-Z a-z 0-9 _, no digit first",
				 at->node->key);
		return false;
	}
	if (!shape_kind(at, KIND_STRING, NULL))
		return false;
	size += strlen(cursor_string(at));
	if (size <= VARIABLE_SIZE_MAX)
		return true;
	cursor_error(at, "'%s' needs %zu bytes; a program takes variables of at most %d",
		     at->node->key, size, VARIABLE_SIZE_MAX);
	return false;
}

/* The variable of that name, made with a value of NULL if need be; NULL: failed and reported. */
static struct env_variable *make_variable(struct environment *environment, const struct cursor *at)
{
	struct env_variable *set;
	char *name;

	for (size_t i = 0; i < environment->set_cnt; i++) {
		if (!strcmp(environment->set[i].name, at->node->key))
			return &environment->set[i];
	}
	set = grow(at, environment->set, environment->set_cnt, VARIABLES_MAX, sizeof(*set));
	if (!set)
		return NULL;
	environment->set = set;
	name = strdup(at->node->key);
	if (!name) {
		cursor_error(at, "out of memory");
		return NULL;
	}
	set[environment->set_cnt] = (struct env_variable){ .name = name };
	return &set[environment->set_cnt++];
}

static void read_variable(struct environment *environment, const struct cursor *at)
{
	struct env_variable *variable = check_variable(at) ? make_variable(environment, at) : NULL;

	if (!variable)
		return;
	free(variable->value);
	variable->value = strdup(cursor_string(at));
	if (!variable->value)
		cursor_error(at, "out of memory");
}

static void read_variables(struct environment *environment, const struct cursor *at,
			   const struct node *object)
{
	const struct node *members[VARIABLES_FIELD_CNT];
	struct cursor whole = cursor_at(at, object), set, entry;

	if (!object)
		return;
	shape_members(&variables_shape, &whole, members);
	read_keep(environment, at, members[VARIABLES_KEEP]);
	set = cursor_at(at, members[VARIABLES_SET]);
	if (!set.node || !check_size(&set, json_object_size(set.node->value), VARIABLES_MAX))
		return;
	for (const struct node *node = set.node->child; node; node = node->next) {
		entry = cursor_at(at, node);
		read_variable(environment, &entry);
	}
}

/* The section */

static void read_directory(struct environment *environment, const struct cursor *at,
			   const struct node *node)
{
	struct cursor value = cursor_at(at, node);
	char *directory;

	if (!node || !value_path(&value, &directory))
		return;
	free(environment->directory);
	environment->directory = directory;
	environment->directory_origin = cursor_origin(&value);
}

void read_environment(struct draft *draft, const struct cursor *at)
{
	struct environment *environment = environment_of(draft);
	const struct node *members[ENVIRONMENT_FIELD_CNT];

	shape_members(&environment_shape, at, members);
	read_paths(environment, at, members[ENVIRONMENT_PRIVATE], ENV_PRIVATE);
	read_scratch(environment, at, members[ENVIRONMENT_SCRATCH]);
	read_paths(environment, at, members[ENVIRONMENT_HIDE], ENV_HIDDEN);
	if (members[ENVIRONMENT_READ_ONLY])
		environment->are_datasets_read_only =
			json_is_true(members[ENVIRONMENT_READ_ONLY]->value);
	read_variables(environment, at, members[ENVIRONMENT_VARIABLES]);
	read_directory(environment, at, members[ENVIRONMENT_DIRECTORY]);
}

/* Settling */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct env_path *)a)->path, ((const struct env_path *)b)->path);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compare_variables(const void *a, const void *b)
{
	return strcmp(((const struct env_variable *)a)->name,
		      ((const struct env_variable *)b)->name);
}

static void sort(void *list, size_t cnt, size_t size, int (*compare)(const void *, const void *))
{
	if (cnt)
		qsort(list, cnt, size, compare);
}

/* The innermost of the first cnt paths that the path is at or in, or NULL. They are sorted. */
static const struct env_path *path_around(const struct environment *environment, size_t cnt,
					  const char *path)
{
	while (cnt--) {
		if (path_is_in(path, environment->paths[cnt].path))
			return &environment->paths[cnt];
	}
	return NULL;
}

/* A directory of the job's own may stand in a hidden one: an empty home with one folder in it. */
static void check_nested(const struct draft *draft, size_t i)
{
	const struct environment *environment = &draft->policy->environment;
	const struct env_path *inner = &environment->paths[i];
	const struct env_path *outer = path_around(environment, i, inner->path);

	if (!outer || (outer->kind == ENV_HIDDEN && inner->kind != ENV_HIDDEN))
		return;
	origin_error(draft->diags, inner->origin,
		     "path '%s' lies in '%s', which begins empty already (" PLACE_FMT "); remove "
		     "one of the two",
		     inner->path, outer->path, PLACE(outer->origin));
}

/* What a policy grants, its job must be able to find. */
static void check_grants(const struct draft *draft, const struct env_path *path)
{
	const struct policy *policy = draft->policy;

	for (const struct rule *rule = policy->rules; rule < policy->rules + policy->rule_cnt;
	     rule++) {
		if (rule->class != RULE_DATASET || rule->access == ACCESS_NONE ||
		    !path_is_in(rule->path, path->path))
			continue;
		origin_error(draft->diags, path->origin,
			     "path '%s' cannot be %s: dataset '%s', which this policy grants, is %s",
			     path->path, kind_words[path->kind], rule->dataset,
			     strcmp(rule->path, path->path) ? "in it" : "there");
	}
}

static void report_file_rule(const struct draft *draft, const struct rule *rule,
			     const struct env_path *around)
{
	const char *where = strcmp(rule->path, around->path) ? "in" : "at";

	if (rule->is_created)
		origin_error(draft->diags, rule->origin,
			     "path '%s' is %s '%s' (" PLACE_FMT "), which begins empty for the job: a "
			     "directory that is made on the host is nothing to it; remove 'create'",
			     rule->path, where, around->path, PLACE(around->origin));
	else
		origin_error(draft->diags, rule->origin,
			     "path '%s' is %s the job's own '%s' (" PLACE_FMT "), which the job may "
			     "write; remove the rule, or say \"write\"",
			     rule->path, where, around->path, PLACE(around->origin));
}

/* Such rules are not put in force, so only what holds without them may be said. */
static void check_file_rules(const struct draft *draft)
{
	const struct environment *environment = &draft->policy->environment;
	const struct policy *policy = draft->policy;
	const struct env_path *around;

	for (const struct rule *rule = policy->rules; rule < policy->rules + policy->rule_cnt;
	     rule++) {
		if (rule->class != RULE_FILESYSTEM ||
		    (rule->access == ACCESS_WRITE && !rule->is_created))
			continue;
		around = path_around(environment, environment->path_cnt, rule->path);
		if (!around || (around->kind == ENV_HIDDEN && !rule->is_created))
			continue;
		report_file_rule(draft, rule, around);
	}
}

static void check_directory(const struct draft *draft)
{
	const struct environment *environment = &draft->policy->environment;
	const struct env_path *around = NULL;

	if (environment->directory)
		around = path_around(environment, environment->path_cnt, environment->directory);
	if (around && strcmp(around->path, environment->directory))
		origin_error(draft->diags, environment->directory_origin,
			     "directory '%s' lies in '%s', which begins empty (" PLACE_FMT "); the "
			     "job can begin in '%s'",
			     environment->directory, around->path, PLACE(around->origin),
			     around->path);
}

void environment_settle(struct draft *draft)
{
	struct environment *environment = environment_of(draft);

	sort(environment->paths, environment->path_cnt, sizeof(*environment->paths), compare_paths);
	sort(environment->keep, environment->keep_cnt, sizeof(*environment->keep), compare_texts);
	sort(environment->set, environment->set_cnt, sizeof(*environment->set), compare_variables);
	environment->is_present = environment->path_cnt || environment->are_datasets_read_only ||
				  environment->is_filtered || environment->set_cnt ||
				  environment->directory;
	for (size_t i = 0; i < environment->path_cnt; i++) {
		check_nested(draft, i);
		check_grants(draft, &environment->paths[i]);
	}
	check_file_rules(draft);
	check_directory(draft);
}

/* For those who put the policy in force */

bool policy_path_is_private(const struct policy *policy, const char *path)
{
	const struct environment *environment = &policy->environment;
	const struct env_path *around = path_around(environment, environment->path_cnt, path);

	return around && around->kind != ENV_HIDDEN;
}

static bool matches(const char *pattern, const char *name, size_t name_len)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return !strncmp(pattern, name, len - 1);
	return len == name_len && !memcmp(pattern, name, len);
}

bool environment_keeps(const struct environment *environment, const char *variable)
{
	size_t name_len = strcspn(variable, "=");

	for (size_t i = 0; i < environment->keep_cnt; i++) {
		if (matches(environment->keep[i], variable, name_len))
			return true;
	}
	return !environment->is_filtered;
}
