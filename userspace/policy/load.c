// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The files of a policy: found, read once each, in the order of merging.
 *
 * What a file extends is merged before the file itself, and what it includes before its own
 * egress rules. A file that is reached twice counts at its first place only; a file that reaches
 * itself is an error.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "policy/draft.h"
#include "policy/rule.h"
#include "policy/value.h"

static void read_policy(struct draft *draft, const struct frame *frame,
			const struct document *document);

/* Names */

const char *draft_file(struct draft *draft, const char *file)
{
	struct policy *policy = draft->policy;
	_cleanup_free_ char *copy = NULL;
	char **files;

	for (size_t i = 0; i < policy->file_cnt; i++) {
		if (!strcmp(policy->files[i], file))
			return policy->files[i];
	}
	copy = strdup(file);
	files = reallocarray(policy->files, policy->file_cnt + 1, sizeof(*files));
	if (files)
		policy->files = files;
	if (!copy || !files) {
		origin_error(draft->diags, (struct origin){ .file = file }, "out of memory");
		return NULL;
	}
	files[policy->file_cnt++] = copy;
	return TAKE_PTR(copy);
}

/* A name in a file is relative to that file's folder. */
static char *beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	char *path;

	if (name[0] == '/' || !slash)
		return strdup(name);
	return asprintf(&path, "%.*s/%s", (int)(slash - file), file, name) < 0 ? NULL : path;
}

/* The file's identity; a pipe has no other than its name. */
static char *real_name(const char *file)
{
	char *real = realpath(file, NULL);

	return real ? real : strdup(file);
}

static const struct read_file *find_read(const struct draft *draft, const char *real)
{
	for (size_t i = 0; i < draft->read_cnt; i++) {
		if (!strcmp(draft->reads[i].real, real))
			return &draft->reads[i];
	}
	return NULL;
}

/* Takes over real, also on failure; NULL is a failure to allocate it. */
static int note_read(struct draft *draft, char *real, bool is_allowlist)
{
	struct read_file *reads = reallocarray(draft->reads, draft->read_cnt + 1, sizeof(*reads));

	if (reads)
		draft->reads = reads;
	if (!reads || !real) {
		free(real);
		origin_error(draft->diags, (struct origin){ .file = draft->policy->file },
			     "out of memory");
		return -ENOMEM;
	}
	reads[draft->read_cnt++] = (struct read_file){ real, is_allowlist };
	return 0;
}

/* Whether the file has been met before; as the other sort of file it is reported. */
static bool was_read(const struct draft *draft, const struct cursor *at, const char *real,
		     bool is_allowlist)
{
	const struct read_file *read = find_read(draft, real);

	if (read && read->is_allowlist != is_allowlist)
		cursor_error(at, "'%s' has been read as %s already; it cannot be %s too",
			     cursor_string(at),
			     is_allowlist ? policy_shape.what : allowlist_shape.what,
			     is_allowlist ? allowlist_shape.what : policy_shape.what);
	return read;
}

/* Documents */

static void report_unreadable(struct draft *draft, const char *file, const struct cursor *at,
			      int err)
{
	const char *reason = err == -EFBIG ? "larger than 64 MiB" : strerror(-err);

	_Static_assert(DOCUMENT_SIZE_MAX == 64 << 20, "the text above says so");
	if (at)
		cursor_error(at, "cannot read '%s': %s", file, reason);
	else
		origin_error(draft->diags, (struct origin){ .file = file }, "cannot read: %s",
			     reason);
}

/* Reads a file for the first time: its name becomes one of the policy's files. */
static int open_document(struct draft *draft, const char *file, const struct cursor *at,
			 struct document **ret_document)
{
	_cleanup_free_ char *text = NULL;
	const char *shown;
	size_t len;
	int err;

	err = file_read(file, DOCUMENT_SIZE_MAX, &text, &len);
	if (err) {
		report_unreadable(draft, file, at, err);
		return err;
	}
	shown = draft_file(draft, file);
	if (!shown)
		return -ENOMEM;
	return document_parse(text, len, shown, draft->diags, ret_document);
}

/* Include */

void load_include(struct draft *draft, const struct cursor *at)
{
	_cleanup_(cleanup_document) struct document *document = NULL;
	_cleanup_free_ char *file = NULL, *real = NULL;
	struct cursor root;

	if (!draft->has_files) {
		cursor_error(at, "only a policy in a file can include others");
		return;
	}
	file = beside(at->document->file, cursor_string(at));
	real = file ? real_name(file) : NULL;
	if (!real) {
		cursor_error(at, "out of memory");
		return;
	}
	if (was_read(draft, at, real, true) || note_read(draft, TAKE_PTR(real), true) ||
	    open_document(draft, file, at, &document))
		return;
	root = (struct cursor){ document, document->root, draft->diags };
	parse_allowlist(draft, &root, NULL);
}

/* Extends */

/* "a.json -> b.json -> a.json" from the first time that real is met. */
static void report_cycle(const struct cursor *at, const struct frame *frame, const char *file,
			 const char *real)
{
	_cleanup_free_ char *chain = strdup(file);
	char *longer;

	for (; chain && frame; frame = frame->parent) {
		if (asprintf(&longer, "%s -> %s", frame->file, chain) < 0)
			break;
		free(chain);
		chain = longer;
		if (!strcmp(frame->real, real))
			break;
	}
	cursor_error(at, "'%s' extends itself: %s", file, chain ? chain : "out of memory");
}

static bool is_open(const struct frame *frame, const char *real)
{
	for (; frame; frame = frame->parent) {
		if (!strcmp(frame->real, real))
			return true;
	}
	return false;
}

static void load_extended(struct draft *draft, const struct frame *frame, const struct cursor *at)
{
	_cleanup_(cleanup_document) struct document *document = NULL;
	_cleanup_free_ char *file = beside(frame->file, cursor_string(at));
	_cleanup_free_ char *real = file ? real_name(file) : NULL;
	struct frame next = { frame, file, real, frame->depth + 1 };

	if (!real)
		cursor_error(at, "out of memory");
	else if (is_open(frame, real))
		report_cycle(at, frame, file, real);
	else if (frame->depth > EXTENDS_DEPTH_MAX)
		cursor_error(at, "policies may extend each other %d deep", EXTENDS_DEPTH_MAX);
	else if (!was_read(draft, at, real, false) && !note_read(draft, strdup(real), false) &&
		 !open_document(draft, file, at, &document))
		read_policy(draft, &next, document);
}

static void load_extends(struct draft *draft, const struct frame *frame, const struct cursor *at,
			 const struct node *list)
{
	struct cursor entry;

	if (list && !draft->has_files) {
		entry = cursor_at(at, list);
		cursor_key_error(&entry, "only a policy in a file can extend others");
		return;
	}
	for (const struct node *node = list ? list->child : NULL; node; node = node->next) {
		entry = cursor_at(at, node);
		if (shape_kind(&entry, KIND_STRING, "a file name"))
			load_extended(draft, frame, &entry);
	}
}

static void read_policy(struct draft *draft, const struct frame *frame,
			const struct document *document)
{
	struct cursor at = { document, document->root, draft->diags };
	const struct node *members[POLICY_FIELD_CNT];

	shape_members(&policy_shape, &at, members);
	if (!frame->parent && json_is_object(document->json) &&
	    !shape_has_key(document->root, "name"))
		cursor_error(&at, "%s needs the key 'name'", policy_shape.what);
	load_extends(draft, frame, &at, members[POLICY_EXTENDS]);
	parse_policy(draft, &at, members);
}

/* Policies */

struct policy *policy_hold(struct policy *policy)
{
	policy->holder_cnt++;
	return policy;
}

void policy_free(struct policy *policy)
{
	if (!policy || policy->holder_cnt--)
		return;
	for (size_t i = 0; i < policy->rule_cnt; i++)
		rule_clear(&policy->rules[i]);
	for (size_t i = 0; i < policy->file_cnt; i++)
		free(policy->files[i]);
	environment_clear(&policy->environment);
	free(policy->rules);
	free(policy->files);
	free(policy->file);
	free(policy->name);
	free(policy->spiffe_id);
	free(policy->canonical);
	free(policy);
}

const struct rule *policy_rule(const struct policy *policy, uint32_t number)
{
	if (number == RULE_NONE || number > policy->rule_cnt)
		return NULL;
	return &policy->rules[number - 1];
}

static void draft_clear(struct draft *draft)
{
	for (size_t i = 0; i < draft->rule_cnt; i++)
		rule_clear(&draft->rules[i]);
	for (size_t i = 0; i < draft->read_cnt; i++)
		free(draft->reads[i].real);
	free(draft->rules);
	free(draft->reads);
	policy_free(draft->policy);
}

static int draft_start(struct draft *draft, const char *file)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	draft->first_diag = draft->diags->cnt;
	draft->first_error = draft->diags->error_cnt;
	draft->policy = policy;
	if (policy)
		policy->file = strdup(file);
	if (!policy || !policy->file) {
		origin_error(draft->diags, (struct origin){ .file = file }, "out of memory");
		return -ENOMEM;
	}
	policy->mode = MODE_ENFORCE;
	policy->file_default = ACCESS_READ;
	policy->mounts = MOUNTS_DENY;
	policy->on_audit_loss = AUDIT_LOSS_CONTINUE;
	policy->exec_default = EXEC_DENY;
	policy->egress_default = EGRESS_DENY;
	policy->ingress_default = INGRESS_DENY;
	policy->unix_default = UNIX_DENY;
	draft_close_datasets(draft);
	return 0;
}

static void limit_budgets(const struct draft *draft)
{
	const struct policy *policy = draft->policy;
	size_t cnt = 0;

	for (size_t i = 0; i < policy->rule_cnt; i++) {
		if (!policy->rules[i].max_bytes || ++cnt <= BUDGET_RULES_MAX)
			continue;
		origin_error(draft->diags, policy->rules[i].origin,
			     "at most %d rules may have 'max_bytes'", BUDGET_RULES_MAX);
		return;
	}
}

static void warn_idle_class(const struct draft *draft, enum rule_class class, const char *text)
{
	const struct policy *policy = draft->policy;

	for (size_t i = 0; i < policy->rule_cnt; i++) {
		if (policy->rules[i].class != class || policy->rules[i].max_bytes)
			continue;
		diag_add(draft->diags, DIAG_WARNING, policy->rules[i].origin, "%s", text);
		return;
	}
}

static void warn_idle_rules(const struct draft *draft)
{
	if (draft->policy->egress_default == EGRESS_ALLOW)
		warn_idle_class(draft, RULE_EGRESS,
				"egress rules allow nothing more while egress.default is 'allow'");
	if (draft->policy->ingress_default == INGRESS_ALLOW)
		warn_idle_class(draft, RULE_INGRESS,
				"ingress rules allow nothing more while ingress.default is 'allow'");
}

/* The place of a file among those read; one that could not be read comes last. */
static size_t file_rank(const struct policy *policy, const char *file)
{
	size_t rank = 0;

	while (rank < policy->file_cnt && strcmp(policy->files[rank], file ? file : ""))
		rank++;
	return rank;
}

static int compare_diags(const void *a, const void *b, void *policy)
{
	const struct origin *left = &((const struct diag *)a)->origin;
	const struct origin *right = &((const struct diag *)b)->origin;
	size_t left_rank = file_rank(policy, left->file);
	size_t right_rank = file_rank(policy, right->file);

	if (left_rank != right_rank)
		return left_rank > right_rank ? 1 : -1;
	if (left->line != right->line)
		return left->line > right->line ? 1 : -1;
	return (left->column > right->column) - (left->column < right->column);
}

/* Puts what was found in the order in which people read: file by file, from the top. */
static void order_diags(const struct draft *draft)
{
	struct diag_list *diags = draft->diags;
	size_t first = draft->first_diag;

	if (diags->cnt > first)
		qsort_r(diags->items + first, diags->cnt - first, sizeof(*diags->items),
			compare_diags, draft->policy);
}

/* Merges what was read. Returns whether there was no error from first to last. */
static bool draft_settle(struct draft *draft)
{
	draft_merge(draft);
	environment_settle(draft);
	limits_settle(draft);
	names_settle(draft);
	limit_budgets(draft);
	warn_idle_rules(draft);
	order_diags(draft);
	return draft->diags->error_cnt == draft->first_error;
}

static int draft_finish(struct draft *draft, struct policy **ret_policy)
{
	int err;

	if (!draft_settle(draft))
		return -EINVAL;
	err = policy_seal(draft->policy);
	if (err) {
		origin_error(draft->diags, (struct origin){ .file = draft->policy->file },
			     "out of memory");
		return err;
	}
	*ret_policy = TAKE_PTR(draft->policy);
	return 0;
}

static int open_top(struct draft *draft, const char *file, struct document **ret_document)
{
	int err = draft_start(draft, file);

	if (!err)
		err = note_read(draft, real_name(file), false);
	return err ? err : open_document(draft, file, NULL, ret_document);
}

static int load_top(struct draft *draft, const char *file, const struct document *document,
		    struct policy **ret_policy)
{
	struct frame frame = { .file = file, .real = draft->reads[0].real, .depth = 1 };

	read_policy(draft, &frame, document);
	return draft_finish(draft, ret_policy);
}

int policy_load(const char *file, const struct site *site, struct diag_list *diags,
		struct policy **ret_policy)
{
	_cleanup_(draft_clear) struct draft draft = { .diags = diags, .site = site,
						      .has_files = true };
	_cleanup_(cleanup_document) struct document *document = NULL;
	int err = open_top(&draft, file, &document);

	return err ? err : load_top(&draft, file, document, ret_policy);
}

int policy_parse(const char *text, size_t len, const char *origin_name, const struct site *site,
		 struct diag_list *diags, struct policy **ret_policy)
{
	_cleanup_(draft_clear) struct draft draft = { .diags = diags, .site = site,
						      .is_canonical = !site };
	_cleanup_(cleanup_document) struct document *document = NULL;
	struct frame frame = { .file = origin_name, .real = origin_name, .depth = 1 };
	const char *shown;
	int err;

	err = draft_start(&draft, origin_name);
	if (err)
		return err;
	shown = draft_file(&draft, origin_name);
	if (!shown)
		return -ENOMEM;
	err = document_parse(text, len, shown, diags, &document);
	if (err)
		return err;
	read_policy(&draft, &frame, document);
	return draft_finish(&draft, ret_policy);
}

/* Checking files of either sort */

static bool is_allowlist(const struct document *document)
{
	return json_object_get(document->json, "allow") &&
	       !json_object_get(document->json, "filesystem") &&
	       !json_object_get(document->json, "exec") &&
	       !json_object_get(document->json, "egress") &&
	       !json_object_get(document->json, "datasets") &&
	       !json_object_get(document->json, "extends");
}

static int check_allowlist(struct draft *draft, const struct document *document,
			   struct policy_check *ret_check)
{
	struct cursor at = { document, document->root, draft->diags };
	size_t site_cnt = draft->rule_cnt;
	struct policy_check check = { .is_allowlist = true };
	_cleanup_free_ char *name = NULL;

	parse_allowlist(draft, &at, &name);
	if (!draft_settle(draft) || !name)
		return -EINVAL;
	snprintf(check.name, sizeof(check.name), "%s", name);
	check.rule_cnt = draft->policy->rule_cnt - site_cnt;
	*ret_check = check;
	return 0;
}

static int check_policy(struct draft *draft, const char *file, const struct document *document,
			struct policy_check *ret_check)
{
	struct policy_check check = { .is_allowlist = false };
	struct policy *policy;
	int err = load_top(draft, file, document, &policy);

	if (err)
		return err;
	snprintf(check.name, sizeof(check.name), "%s", policy->name);
	memcpy(check.digest, policy->digest, sizeof(check.digest));
	check.rule_cnt = policy->rule_cnt;
	policy_free(policy);
	*ret_check = check;
	return 0;
}

int policy_check(const char *file, const struct site *site, struct diag_list *diags,
		 struct policy_check *ret_check)
{
	_cleanup_(draft_clear) struct draft draft = { .diags = diags, .site = site,
						      .has_files = true };
	_cleanup_(cleanup_document) struct document *document = NULL;
	int err = open_top(&draft, file, &document);

	if (err)
		return err;
	if (is_allowlist(document))
		return check_allowlist(&draft, document, ret_check);
	return check_policy(&draft, file, document, ret_check);
}
