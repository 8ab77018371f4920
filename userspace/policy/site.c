// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The site file; see site.h. Read as strictly as policies are. */
#include "policy/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/shape.h"
#include "policy/value.h"

enum { DATASET_NAME, DATASET_PATH, DATASET_OWNER, DATASET_FIELD_CNT };

static const struct field dataset_fields[] = {
	[DATASET_NAME] = { "name", KIND_STRING, .is_required = true },
	[DATASET_PATH] = { "path", KIND_STRING, .is_required = true },
	[DATASET_OWNER] = { "owner", KIND_STRING },
};

static const struct refused_key dataset_refused[] = {
	{ "manifest", "is not enforced by this version of jobcage; remove it" },
	{ "access", "is for each policy to say, in its own 'datasets'" },
};

static const struct shape dataset_shape = { "a dataset", dataset_fields, DATASET_FIELD_CNT,
					    dataset_refused, ARRAY_SIZE(dataset_refused) };

enum { SITE_SCHEMA, SITE_VERSION, SITE_DATASETS, SITE_FIELD_CNT };

static const struct field site_fields[] = {
	[SITE_SCHEMA] = { "$schema", KIND_STRING },
	[SITE_VERSION] = { "version", KIND_INTEGER, .is_required = true },
	[SITE_DATASETS] = { "datasets", KIND_LIST, .is_required = true, .entry_kinds = KIND_OBJECT,
			    .shape = &dataset_shape },
};

static const struct shape site_shape = { "a site file", site_fields, SITE_FIELD_CNT, NULL, 0 };

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
	free(site->datasets);
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

static int read_site(struct site *site, const struct document *document, struct diag_list *diags)
{
	struct cursor at = { document, document->root, diags }, version, datasets;
	const struct node *members[SITE_FIELD_CNT];
	size_t error_cnt = diags->error_cnt;

	shape_members(&site_shape, &at, members);
	version = cursor_at(&at, members[SITE_VERSION]);
	datasets = cursor_at(&at, members[SITE_DATASETS]);
	if (members[SITE_VERSION])
		value_version(&version);
	if (members[SITE_DATASETS])
		read_datasets(site, &datasets);
	return diags->error_cnt == error_cnt ? 0 : -EINVAL;
}

int site_load(const char *file, struct diag_list *diags, struct site **ret_site)
{
	_cleanup_(cleanup_document) struct document *document = NULL;
	_cleanup_(cleanup_site) struct site *site = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int err;

	err = file_read(file, DOCUMENT_SIZE_MAX, &text, &len);
	if (err && err != -ENOENT)
		origin_error(diags, (struct origin){ .file = file }, "cannot read: %s",
			     strerror(-err));
	if (err)
		return err;
	site = calloc(1, sizeof(*site));
	if (site)
		site->file = strdup(file);
	if (!site || !site->file) {
		origin_error(diags, (struct origin){ .file = file }, "out of memory");
		return -ENOMEM;
	}
	err = document_parse(text, len, site->file, diags, &document);
	if (!err)
		err = read_site(site, document, diags);
	if (err)
		return err;
	*ret_site = TAKE_PTR(site);
	return 0;
}
