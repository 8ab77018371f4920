// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The site file; see site.h. Read as strictly as policies are. */
#include "policy/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/job.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "policy/outlets_read.h"
#include "policy/permission.h"
#include "policy/shape.h"
#include "policy/value.h"

/* Slot 0 is never given out. */
#define JOBS_MAX (JOB_SLOTS - 1)

enum { DATASET_NAME, DATASET_PATH, DATASET_OWNER, DATASET_FIELD_CNT };

static const struct field dataset_fields[] = {
	[DATASET_NAME] = { "name", KIND_STRING, .is_required = true },
	[DATASET_PATH] = { "path", KIND_STRING, .is_required = true },
	[DATASET_OWNER] = { "owner", KIND_STRING },
};

static const struct refused_key dataset_refused[] = {
	{ "manifest", NOT_ENFORCED },
	{ "access", "is for each policy to say, in its own 'datasets'" },
};

static const struct shape dataset_shape = { "a dataset", FIELDS(dataset_fields),
					    FIELDS(dataset_refused) };

enum { LIMIT_JOBS, LIMIT_JOBS_PER_USER, LIMIT_FIELD_CNT };

static const struct field limit_fields[] = {
	[LIMIT_JOBS] = { "jobs", KIND_INTEGER },
	[LIMIT_JOBS_PER_USER] = { "jobs_per_user", KIND_INTEGER },
};

static const struct shape limit_shape = { "'limits'", FIELDS(limit_fields), NULL, 0 };

enum {
	SITE_SCHEMA,
	SITE_VERSION,
	SITE_DATASETS,
	SITE_POLICIES_FIELD,
	SITE_PERMISSIONS,
	SITE_LIMITS,
	SITE_ALERTS,
	SITE_SELF_TEST,
	SITE_SINKS,
	SITE_AUDIT,
	SITE_FIELD_CNT,
};

static const struct field site_fields[] = {
	[SITE_SCHEMA] = { "$schema", KIND_STRING },
	[SITE_VERSION] = { "version", KIND_INTEGER, .is_required = true },
	[SITE_DATASETS] = { "datasets", KIND_LIST, .entry_kinds = KIND_OBJECT,
			    .shape = &dataset_shape },
	[SITE_POLICIES_FIELD] = { "policies", KIND_STRING },
	[SITE_PERMISSIONS] = { "permissions", KIND_LIST, .entry_kinds = KIND_OBJECT,
			       .shape = &permission_shape },
	[SITE_LIMITS] = { "limits", KIND_OBJECT, .shape = &limit_shape },
	[SITE_ALERTS] = { "alerts", KIND_STRING },
	[SITE_SELF_TEST] = { "self_test", KIND_BOOLEAN },
	[SITE_SINKS] = { "sinks", KIND_LIST, .entry_kinds = KIND_OBJECT, .shape = &sink_shape },
	[SITE_AUDIT] = { "audit", KIND_OBJECT, .shape = &audit_shape },
};

const struct shape site_shape = { "a site file", FIELDS(site_fields), NULL, 0 };

static void dataset_clear(struct dataset *dataset)
{
	free(dataset->name);
	free(dataset->path);
	free(dataset->owner);
}

void site_free(struct site *site)
{
	if (!site)
		return;
	for (size_t i = 0; i < site->dataset_cnt; i++)
		dataset_clear(&site->datasets[i]);
	for (size_t i = 0; i < site->permission_cnt; i++)
		permission_clear(&site->permissions[i]);
	for (size_t i = 0; i < site->sink_cnt; i++)
		sink_config_clear(&site->sinks[i]);
	free(site->datasets);
	free(site->permissions);
	free(site->sinks);
	free(site->audit.key);
	free(site->policies);
	free(site->alerts);
	free(site->file);
	free(site);
}

static void cleanup_site(struct site **site)
{
	site_free(*site);
}

const struct dataset *site_dataset(const struct site *site, const char *name)
{
	for (size_t i = 0; site && i < site->dataset_cnt; i++) {
		if (!strcmp(site->datasets[i].name, name))
			return &site->datasets[i];
	}
	return NULL;
}

static void read_owner(const struct cursor *at, const struct node *node, char **owner)
{
	struct cursor value = cursor_at(at, node);

	if (!node)
		return;
	*owner = strdup(cursor_string(&value));
	if (!*owner)
		cursor_error(&value, "out of memory");
}

static void read_path(const struct cursor *at, const struct node *node, char **path)
{
	struct cursor value = cursor_at(at, node);

	if (node && value_path(&value, path) && !strcmp(*path, "/"))
		cursor_error(&value, "the root of all files cannot be a dataset");
}

/* The site is given up on any error, so what was read badly may stand here meanwhile. */
static void read_dataset(struct dataset *dataset, const struct cursor *at)
{
	const struct node *members[DATASET_FIELD_CNT];
	struct cursor name;

	dataset->origin = cursor_origin(at);
	shape_members(&dataset_shape, at, members);
	name = cursor_at(at, members[DATASET_NAME]);
	if (members[DATASET_NAME])
		value_name(&name, &dataset->name);
	read_path(at, members[DATASET_PATH], &dataset->path);
	read_owner(at, members[DATASET_OWNER], &dataset->owner);
}

static void check_twice(const struct dataset *first, const struct dataset *second,
			struct diag_list *diags)
{
	if (first->name && second->name && !strcmp(first->name, second->name))
		origin_error(diags, second->origin,
			     "dataset '%s' is registered already at %s:%u:%u", second->name,
			     first->origin.file, first->origin.line,
			     first->origin.column);
	if (first->path && second->path && !strcmp(first->path, second->path))
		origin_error(diags, second->origin, "path '%s' is registered already at %s:%u:%u",
			     second->path, first->origin.file, first->origin.line,
			     first->origin.column);
}

static void read_datasets(struct site *site, const struct cursor *at)
{
	struct cursor entry;

	site->datasets = calloc(json_array_size(at->node->value) + 1, sizeof(*site->datasets));
	if (!site->datasets) {
		cursor_error(at, "out of memory");
		return;
	}
	for (const struct node *node = at->node->child; node; node = node->next) {
		entry = cursor_at(at, node);
		if (!shape_kind(&entry, KIND_OBJECT, dataset_shape.what))
			continue;
		read_dataset(&site->datasets[site->dataset_cnt++], &entry);
	}
	for (size_t i = 1; i < site->dataset_cnt; i++) {
		for (size_t j = 0; j < i; j++)
			check_twice(&site->datasets[j], &site->datasets[i], at->diags);
	}
}

static void read_permissions(struct site *site, const struct cursor *at)
{
	struct cursor entry;

	site->permissions = calloc(json_array_size(at->node->value) + 1,
				   sizeof(*site->permissions));
	if (!site->permissions) {
		cursor_error(at, "out of memory");
		return;
	}
	for (const struct node *node = at->node->child; node; node = node->next) {
		entry = cursor_at(at, node);
		read_permission(&entry, &site->permissions[site->permission_cnt++]);
	}
}

static void read_limits(struct site *site, const struct cursor *at)
{
	const struct node *members[LIMIT_FIELD_CNT];
	struct cursor jobs, jobs_per_user;

	shape_members(&limit_shape, at, members);
	jobs = cursor_at(at, members[LIMIT_JOBS]);
	jobs_per_user = cursor_at(at, members[LIMIT_JOBS_PER_USER]);
	if (jobs.node)
		value_count(&jobs, JOBS_MAX, &site->limits.jobs);
	if (jobs_per_user.node)
		value_count(&jobs_per_user, JOBS_MAX, &site->limits.jobs_per_user);
}

static void read_policies(struct site *site, const struct cursor *at)
{
	char *path;

	if (!value_path(at, &path))
		return;
	free(site->policies);
	site->policies = path;
}

static void read_alerts(struct site *site, const struct cursor *at)
{
	value_path(at, &site->alerts);
}

static void read_self_test(struct site *site, const struct cursor *at)
{
	site->self_test = json_is_true(at->node->value);
}

static void check_sinks(const struct site *site, const struct cursor *at)
{
	for (size_t i = 1; i < site->sink_cnt; i++)
		for (size_t j = 0; j < i; j++)
			if (site->sinks[i].name && site->sinks[j].name &&
			    !strcmp(site->sinks[i].name, site->sinks[j].name))
				cursor_error(at, "two sinks have the name '%s'", site->sinks[i].name);
}

static void read_sinks(struct site *site, const struct cursor *at)
{
	struct cursor entry;

	site->sinks = calloc(json_array_size(at->node->value) + 1, sizeof(*site->sinks));
	if (!site->sinks) {
		cursor_error(at, "out of memory");
		return;
	}
	for (const struct node *node = at->node->child; node; node = node->next) {
		entry = cursor_at(at, node);
		if (shape_kind(&entry, KIND_OBJECT, sink_shape.what))
			read_sink(&entry, &site->sinks[site->sink_cnt++]);
	}
	check_sinks(site, at);
}

static void read_site_audit(struct site *site, const struct cursor *at)
{
	read_audit(at, &site->audit);
}

static void read_version(struct site *site, const struct cursor *at)
{
	(void)site;
	value_version(at);
}

static int compare_places(const void *a, const void *b)
{
	const struct origin *left = &((const struct diag *)a)->origin;
	const struct origin *right = &((const struct diag *)b)->origin;

	if (left->line != right->line)
		return left->line > right->line ? 1 : -1;
	return (left->column > right->column) - (left->column < right->column);
}

/* From the top of the file, as people read. */
static void order_diags(struct diag_list *diags, size_t first)
{
	if (diags->cnt > first)
		qsort(diags->items + first, diags->cnt - first, sizeof(*diags->items),
		      compare_places);
}

static int read_site(struct site *site, const struct document *document, struct diag_list *diags)
{
	static void (*const readers[])(struct site *site, const struct cursor *at) = {
		[SITE_VERSION] = read_version,
		[SITE_DATASETS] = read_datasets,
		[SITE_POLICIES_FIELD] = read_policies,
		[SITE_PERMISSIONS] = read_permissions,
		[SITE_LIMITS] = read_limits,
		[SITE_ALERTS] = read_alerts,
		[SITE_SELF_TEST] = read_self_test,
		[SITE_SINKS] = read_sinks,
		[SITE_AUDIT] = read_site_audit,
	};
	struct cursor at = { document, document->root, diags }, member;
	const struct node *members[SITE_FIELD_CNT];
	size_t error_cnt = diags->error_cnt, first = diags->cnt;

	shape_members(&site_shape, &at, members);
	for (size_t i = 0; i < SITE_FIELD_CNT; i++) {
		member = cursor_at(&at, members[i]);
		if (members[i] && readers[i])
			readers[i](site, &member);
	}
	order_diags(diags, first);
	return diags->error_cnt == error_cnt ? 0 : -EINVAL;
}

/* Loading */

static int read_text(const char *file, struct diag_list *diags, char **ret_text, size_t *ret_len)
{
	int err = file_read(file, DOCUMENT_SIZE_MAX, ret_text, ret_len);

	if (err && err != -ENOENT)
		origin_error(diags, (struct origin){ .file = file }, "cannot read: %s",
			     strerror(-err));
	return err;
}

static struct site *make_site(const char *file, struct diag_list *diags)
{
	_cleanup_(cleanup_site) struct site *site = calloc(1, sizeof(*site));

	if (site) {
		site->file = strdup(file);
		site->policies = strdup(SITE_POLICIES);
		site->self_test = true;
		site->audit.interval_ms = HEAD_INTERVAL_MS;
	}
	if (site && site->file && site->policies)
		return TAKE_PTR(site);
	origin_error(diags, (struct origin){ .file = file }, "out of memory");
	return NULL;
}

int site_load(const char *file, struct diag_list *diags, struct site **ret_site)
{
	_cleanup_(cleanup_document) struct document *document = NULL;
	_cleanup_(cleanup_site) struct site *site = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err;

	err = read_text(file, diags, &text, &len);
	if (err)
		return err;
	site = make_site(file, diags);
	if (!site)
		return -ENOMEM;
	err = document_parse(text, len, site->file, diags, &document);
	if (!err)
		err = read_site(site, document, diags);
	if (err)
		return err;
	*ret_site = TAKE_PTR(site);
	return 0;
}

int site_find(const char *file, struct diag_list *diags, struct site **ret_site)
{
	int err = site_load(file ? file : SITE_FILE, diags, ret_site);

	if (err != -ENOENT)
		return err;
	if (file) {
		origin_error(diags, (struct origin){ .file = file }, "cannot read: %s",
			     strerror(ENOENT));
		return err;
	}
	*ret_site = NULL;
	return 0;
}

/* Asking */

static bool name_is_good(const char *name)
{
	size_t len = strlen(name);

	return len && len <= NAME_LEN_MAX && *name != '.' && !name[strspn(name, NAME_CHARS)];
}

bool site_may_run(const struct site *site, uid_t uid, const gid_t *gids, size_t gid_cnt,
		  const char *policy_name)
{
	if (!uid)
		return true;
	if (!site || !name_is_good(policy_name))
		return false;
	for (size_t i = 0; i < site->permission_cnt; i++) {
		if (permission_is_for(&site->permissions[i], uid, gids, gid_cnt) &&
		    permission_names(&site->permissions[i], policy_name))
			return true;
	}
	return false;
}

bool site_may_bring_policy(const struct site *site, uid_t uid, const gid_t *gids, size_t gid_cnt)
{
	if (!uid)
		return true;
	for (size_t i = 0; site && i < site->permission_cnt; i++) {
		if (site->permissions[i].own_policies &&
		    permission_is_for(&site->permissions[i], uid, gids, gid_cnt))
			return true;
	}
	return false;
}

int site_policy_path(const struct site *site, const char *name, char **ret_path)
{
	char *path;

	if (!name_is_good(name))
		return -EINVAL;
	if (asprintf(&path, "%s/%s.json", site ? site->policies : SITE_POLICIES, name) < 0)
		return -ENOMEM;
	*ret_path = path;
	return 0;
}
