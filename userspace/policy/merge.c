// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From all that the files say to one rule table.
 *
 * The draft holds the rules in the order of merging. A rule replaces an earlier file's rule for
 * the same dataset or path; within one file two such rules are a mistake. The site's datasets,
 * closed, are there before any file. The survivors are sorted, so the table, and with it the
 * digest, does not depend on how the policy was cut into files or in which order it was written.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/draft.h"
#include "policy/rule.h"
#include "policy/value.h"

#define PLACE_FMT "%s:%u:%u"
#define PLACE(origin) (origin).file, (origin).line, (origin).column

static void out_of_memory(struct draft *draft)
{
	origin_error(draft->diags, (struct origin){ .file = draft->policy->file }, "out of memory");
}

static int grow_rules(struct draft *draft)
{
	size_t cap = draft->rule_cap ? draft->rule_cap * 2 : 64;
	struct rule *rules;

	if (draft->rule_cnt < draft->rule_cap)
		return 0;
	rules = reallocarray(draft->rules, cap, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	draft->rules = rules;
	draft->rule_cap = cap;
	return 0;
}

void draft_add(struct draft *draft, struct rule *rule)
{
	if (!rule->id)
		rule->id = rule_made_id(rule);
	if (!rule->id || grow_rules(draft)) {
		out_of_memory(draft);
		rule_clear(rule);
		return;
	}
	draft->rules[draft->rule_cnt++] = *rule;
	*rule = (struct rule){ 0 };
}

static void close_dataset(struct draft *draft, const struct dataset *dataset)
{
	_cleanup_(rule_clear) struct rule rule = { .class = RULE_DATASET, .access = ACCESS_NONE,
						   .origin = dataset->origin };

	rule.origin.file = draft_file(draft, dataset->origin.file);
	rule.dataset = strdup(dataset->name);
	rule.path = strdup(dataset->path);
	if (rule.dataset && rule.path && rule.origin.file)
		draft_add(draft, &rule);
	else
		out_of_memory(draft);
}

void draft_close_datasets(struct draft *draft)
{
	for (size_t i = 0; draft->site && i < draft->site->dataset_cnt; i++)
		close_dataset(draft, &draft->site->datasets[i]);
}

/* Replacement */

/* Equal rules stay in the order of merging: the pointers are into the draft's list. */
static int compare_place(const void *a, const void *b)
{
	const struct rule *left = *(struct rule *const *)a, *right = *(struct rule *const *)b;
	int order = rule_compare(left, right);

	return order ? order : (left > right) - (left < right);
}

static const char *rule_subject(const struct rule *rule)
{
	if (rule_is_flow(rule))
		return rule->id;
	return rule->class == RULE_DATASET ? rule->dataset : rule->path;
}

static void report_twice(const struct draft *draft, const struct rule *first,
			 const struct rule *second)
{
	static const char *const name[] = {
		[RULE_DATASET] = "dataset",
		[RULE_FILESYSTEM] = "path",
		[RULE_EXEC] = "path",
		[RULE_EGRESS] = "egress rule",
		[RULE_INGRESS] = "ingress rule",
		[RULE_UNIX] = "path",
		[RULE_RESOLVER] = "resolver",
	};

	if (!rule_is_flow(first) && first->access != second->access)
		origin_error(draft->diags, second->origin,
			     "%s '%s' has another access at " PLACE_FMT "; keep one of the two",
			     name[first->class], rule_subject(first), PLACE(first->origin));
	else
		origin_error(draft->diags, second->origin,
			     "%s '%s' is listed already at " PLACE_FMT "; remove one of the two",
			     name[first->class], rule_subject(first), PLACE(first->origin));
}

/*
 * An id that was given stands for one rule, also over files; one that was made may come from
 * many.
 */
static bool is_made(const struct rule *rule)
{
	_cleanup_free_ char *made = rule_made_id(rule);

	return made && !strcmp(made, rule->id);
}

/* Keeps the last rule of each run of equals. Returns how many are left in order. */
static size_t keep_last(const struct draft *draft, struct rule **order, size_t cnt)
{
	size_t kept = 0;

	for (size_t i = 0; i < cnt; i++) {
		if (i + 1 == cnt || rule_compare(order[i], order[i + 1])) {
			order[kept++] = order[i];
			continue;
		}
		/* Files are read once, so one name is one file. */
		if (order[i]->origin.file == order[i + 1]->origin.file ||
		    (rule_is_flow(order[i]) && !is_made(order[i])))
			report_twice(draft, order[i], order[i + 1]);
	}
	return kept;
}

/* Ids */

static int compare_id(const void *a, const void *b)
{
	const struct rule *left = *(struct rule *const *)a, *right = *(struct rule *const *)b;
	int order = strcmp(left->id, right->id);

	return order ? order : (left > right) - (left < right);
}

static int check_ids(const struct draft *draft, struct rule *const *order, size_t cnt)
{
	_cleanup_free_ struct rule **by_id = calloc(cnt + 1, sizeof(*by_id));

	if (!by_id)
		return -ENOMEM;
	memcpy(by_id, order, cnt * sizeof(*by_id));
	qsort(by_id, cnt, sizeof(*by_id), compare_id);
	for (size_t i = 1; i < cnt; i++) {
		if (strcmp(by_id[i - 1]->id, by_id[i]->id))
			continue;
		origin_error(draft->diags, by_id[i]->origin,
			     "id '%s' is used already at " PLACE_FMT "; ids are unique",
			     by_id[i]->id, PLACE(by_id[i - 1]->origin));
	}
	return 0;
}

/* Rules inside datasets */

static int compare_path(const void *a, const void *b)
{
	const struct rule *left = *(struct rule *const *)a, *right = *(struct rule *const *)b;
	int order = strcmp(left->path, right->path);

	return order ? order : (left > right) - (left < right);
}

static int compare_key(const void *key, const void *entry)
{
	return strcmp(key, (*(struct rule *const *)entry)->path);
}

/*
 * The innermost dataset that holds the path, or NULL: the path is cut at its last slash until one
 * is found.
 */
static const struct rule *dataset_around(struct rule *const *datasets, size_t cnt, const char *path)
{
	struct rule *const *found = NULL;
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	while (!found && *part) {
		found = bsearch(part, datasets, cnt, sizeof(*datasets), compare_key);
		*strrchr(part, '/') = '\0';
	}
	return found ? *found : NULL;
}

static void check_file_rule(const struct draft *draft, const struct rule *rule,
			    const struct rule *dataset)
{
	if (!strcmp(rule->path, dataset->path))
		origin_error(draft->diags, rule->origin,
			     "path '%s' is the dataset '%s'; grant it in 'datasets'", rule->path,
			     dataset->dataset);
	else if (rule->access > dataset->access)
		origin_error(draft->diags, rule->origin,
			     "path '%s' lies in dataset '%s', to which this policy grants '%s': a "
			     "rule inside cannot grant more",
			     rule->path, dataset->dataset,
			     word_text(&access_words, dataset->access));
}

/* order is sorted by class: datasets first. */
static int check_datasets(const struct draft *draft, struct rule *const *order, size_t cnt)
{
	_cleanup_free_ struct rule **datasets = calloc(cnt + 1, sizeof(*datasets));
	const struct rule *around;
	size_t dataset_cnt = 0;

	if (!datasets)
		return -ENOMEM;
	while (dataset_cnt < cnt && order[dataset_cnt]->class == RULE_DATASET)
		dataset_cnt++;
	memcpy(datasets, order, dataset_cnt * sizeof(*datasets));
	qsort(datasets, dataset_cnt, sizeof(*datasets), compare_path);
	for (size_t i = 1; i < dataset_cnt; i++) {
		if (!strcmp(datasets[i - 1]->path, datasets[i]->path))
			origin_error(draft->diags, datasets[i]->origin,
				     "datasets '%s' and '%s' have the same path",
				     datasets[i - 1]->dataset, datasets[i]->dataset);
	}
	for (size_t i = dataset_cnt; i < cnt && order[i]->class == RULE_FILESYSTEM; i++) {
		around = dataset_around(datasets, dataset_cnt, order[i]->path);
		if (around)
			check_file_rule(draft, order[i], around);
	}
	return 0;
}

/* The table */

static int move_rules(struct draft *draft, struct rule *const *order, size_t cnt)
{
	struct rule *rules = calloc(cnt + 1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < cnt; i++) {
		rules[i] = *order[i];
		*order[i] = (struct rule){ 0 };
	}
	draft->policy->rules = rules;
	draft->policy->rule_cnt = cnt;
	return 0;
}

void draft_merge(struct draft *draft)
{
	_cleanup_free_ struct rule **order = NULL;
	size_t cnt = draft->rule_cnt;

	order = calloc(cnt + 1, sizeof(*order));
	if (!order) {
		out_of_memory(draft);
		return;
	}
	for (size_t i = 0; i < cnt; i++)
		order[i] = &draft->rules[i];
	qsort(order, cnt, sizeof(*order), compare_place);
	cnt = keep_last(draft, order, cnt);
	if (check_ids(draft, order, cnt) || check_datasets(draft, order, cnt) ||
	    move_rules(draft, order, cnt))
		out_of_memory(draft);
}
