// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One policy file, section by section.
 *
 * The tables say which keys exist; a key of the language that this version does not enforce is
 * refused by name, as a rule that loads but does not bite is worse than none. rules/schema.json
 * is tested to be true to these tables.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/draft.h"
#include "policy/nearest.h"
#include "policy/read.h"
#include "policy/rule.h"
#include "policy/value.h"

/* Datasets */

enum { GRANT_NAME, GRANT_ACCESS, GRANT_PATH, GRANT_FIELD_CNT };

static const struct field grant_fields[] = {
	[GRANT_NAME] = { "name", KIND_STRING, .is_required = true },
	[GRANT_ACCESS] = { "access", KIND_STRING, .is_required = true },
	[GRANT_PATH] = { "path", KIND_STRING, .is_internal = true },
};

static const struct shape grant_shape = { "a dataset grant", FIELDS(grant_fields), NULL, 0 };

/* Files */

enum { FILE_ID, FILE_PATH, FILE_ACCESS, FILE_OPTIONAL, FILE_CREATE, FILE_FIELD_CNT };

static const struct field file_fields[] = {
	[FILE_ID] = { "id", KIND_STRING },
	[FILE_PATH] = { "path", KIND_STRING, .is_required = true },
	[FILE_ACCESS] = { "access", KIND_STRING, .is_required = true },
	[FILE_OPTIONAL] = { "optional", KIND_BOOLEAN },
	[FILE_CREATE] = { "create", KIND_BOOLEAN },
};

static const struct shape file_shape = { "a filesystem rule", FIELDS(file_fields), NULL, 0 };

enum { FILESYSTEM_DEFAULT, FILESYSTEM_RULES, FILESYSTEM_FIELD_CNT };

static const struct field filesystem_fields[] = {
	[FILESYSTEM_DEFAULT] = { "default", KIND_STRING },
	[FILESYSTEM_RULES] = { "rules", KIND_LIST, .entry_kinds = KIND_OBJECT,
			       .shape = &file_shape },
};

static const struct refused_key filesystem_refused[] = { { "devices", NOT_ENFORCED } };

static const struct shape filesystem_shape = { "'filesystem'", FIELDS(filesystem_fields),
					       FIELDS(filesystem_refused) };

/* Programs */

enum { EXEC_ID, EXEC_PATH, EXEC_OPTIONAL, EXEC_ENTRY_FIELD_CNT };

static const struct field exec_entry_fields[] = {
	[EXEC_ID] = { "id", KIND_STRING },
	[EXEC_PATH] = { "path", KIND_STRING, .is_required = true },
	[EXEC_OPTIONAL] = { "optional", KIND_BOOLEAN },
};

static const struct shape exec_entry_shape = { "an exec rule", FIELDS(exec_entry_fields), NULL, 0 };

enum { EXEC_DEFAULT, EXEC_ALLOW_LIST, EXEC_DENY_LIST, EXEC_FIELD_CNT };

static const struct field exec_fields[] = {
	[EXEC_DEFAULT] = { "default", KIND_STRING },
	[EXEC_ALLOW_LIST] = { "allow", KIND_LIST, .entry_kinds = KIND_STRING | KIND_OBJECT,
			      .shape = &exec_entry_shape },
	[EXEC_DENY_LIST] = { "deny", KIND_LIST, .entry_kinds = KIND_STRING | KIND_OBJECT,
			     .shape = &exec_entry_shape },
};

static const struct shape exec_shape = { "'exec'", FIELDS(exec_fields), NULL, 0 };

/* Unix sockets */

enum { UNIX_DEFAULT_WORD, UNIX_ALLOW_LIST, UNIX_FIELD_CNT };

static const struct shape unix_entry_shape = { "a rule for Unix sockets", FIELDS(exec_entry_fields),
					       NULL, 0 };

static const struct field unix_fields[] = {
	[UNIX_DEFAULT_WORD] = { "default", KIND_STRING },
	[UNIX_ALLOW_LIST] = { "allow", KIND_LIST, .entry_kinds = KIND_STRING | KIND_OBJECT,
			      .shape = &unix_entry_shape },
};

static const struct shape unix_shape = { "'unix'", FIELDS(unix_fields), NULL, 0 };

enum { ALLOWLIST_SCHEMA, ALLOWLIST_VERSION, ALLOWLIST_NAME, ALLOWLIST_ALLOW, ALLOWLIST_FIELD_CNT };

static const struct field allowlist_fields[] = {
	[ALLOWLIST_SCHEMA] = { "$schema", KIND_STRING },
	[ALLOWLIST_VERSION] = { "version", KIND_INTEGER, .is_required = true },
	[ALLOWLIST_NAME] = { "name", KIND_STRING, .is_required = true },
	[ALLOWLIST_ALLOW] = { "allow", KIND_LIST, .is_required = true, .entry_kinds = KIND_OBJECT,
			      .shape = &net_shape },
};

const struct shape allowlist_shape = { "an egress allowlist", FIELDS(allowlist_fields), NULL, 0 };

/* The whole */

static const struct field policy_fields[] = {
	[POLICY_SCHEMA] = { "$schema", KIND_STRING },
	[POLICY_VERSION_FIELD] = { "version", KIND_INTEGER, .is_required = true },
	[POLICY_NAME] = { "name", KIND_STRING },
	[POLICY_MODE] = { "mode", KIND_STRING },
	[POLICY_EXTENDS] = { "extends", KIND_LIST, .entry_kinds = KIND_STRING },
	[POLICY_DATASETS] = { "datasets", KIND_LIST, .entry_kinds = KIND_OBJECT,
			      .shape = &grant_shape },
	[POLICY_FILESYSTEM] = { "filesystem", KIND_OBJECT, .shape = &filesystem_shape },
	[POLICY_EXEC] = { "exec", KIND_OBJECT, .shape = &exec_shape },
	[POLICY_EGRESS] = { "egress", KIND_OBJECT, .shape = &egress_shape },
	[POLICY_ENVIRONMENT] = { "environment", KIND_OBJECT, .shape = &environment_shape },
	[POLICY_LIMITS] = { "limits", KIND_OBJECT, .shape = &limits_shape },
	[POLICY_SOCKETS] = { "sockets", KIND_LIST, .entry_kinds = KIND_STRING },
	[POLICY_INGRESS] = { "ingress", KIND_OBJECT, .shape = &ingress_shape },
	[POLICY_UNIX] = { "unix", KIND_OBJECT, .shape = &unix_shape },
	[POLICY_MOUNTS] = { "mounts", KIND_STRING },
	[POLICY_ON_AUDIT_LOSS] = { "on_audit_loss", KIND_STRING },
	[POLICY_SPIFFE_ID] = { "spiffe_id", KIND_STRING },
	[POLICY_CAPABILITIES] = { "capabilities", KIND_LIST, .entry_kinds = KIND_STRING },
	[POLICY_USER_NAMESPACES] = { "user_namespaces", KIND_BOOLEAN },
	[POLICY_DEVICES] = { "devices", KIND_LIST, .entry_kinds = KIND_STRING },
};

static const struct refused_key policy_refused[] = {
	{ "dns", "belongs to 'egress'" },
	{ "allow", "belongs to 'exec' or 'egress'; "
		   "a file of egress rules alone is named in 'egress.include'" },
};

const struct shape policy_shape = { "a policy", FIELDS(policy_fields), FIELDS(policy_refused) };

static void report_dataset(const struct draft *draft, const struct cursor *at)
{
	struct nearest nearest = nearest_start(cursor_string(at));

	for (size_t i = 0; draft->site && i < draft->site->dataset_cnt; i++)
		nearest_offer(&nearest, draft->site->datasets[i].name);
	if (!draft->site)
		cursor_error(at, "unknown dataset '%s': no dataset is registered, as there is no "
				 "%s; list it there", nearest.word, SITE_FILE);
	else if (nearest.best)
		cursor_error(at, "unknown dataset '%s'; did you mean '%s'? (datasets are "
				 "registered in %s)", nearest.word, nearest.best,
			     draft->site->file);
	else
		cursor_error(at, "unknown dataset '%s'; register it in %s", nearest.word,
			     draft->site->file);
}

/*
 * A path that text in memory gives: in a canonical form, which stands for a site where there is
 * none. Where there is one, the form may come from anybody: the path must be the registered one.
 */
static bool read_dataset_path(const struct draft *draft, const struct cursor *at,
			      struct rule *rule)
{
	const struct dataset *dataset = site_dataset(draft->site, rule->dataset);

	if (draft->is_canonical)
		return value_path(at, &rule->path);
	if (!draft->has_files && dataset && !strcmp(dataset->path, cursor_string(at)))
		return true;
	cursor_key_error(at, "a dataset's path is registered with the site; remove 'path'");
	return false;
}

/* The path of a dataset: from the site, or from the canonical text that stands for a site. */
static bool resolve_dataset(const struct draft *draft, const struct cursor *at,
			    const struct node *const *members, struct rule *rule)
{
	const struct dataset *dataset = site_dataset(draft->site, rule->dataset);
	struct cursor name = cursor_at(at, members[GRANT_NAME]);
	struct cursor path = cursor_at(at, members[GRANT_PATH]);

	if (members[GRANT_PATH] && !read_dataset_path(draft, &path, rule))
		return false;
	if (rule->path)
		return true;
	if (!dataset) {
		report_dataset(draft, &name);
		return false;
	}
	rule->path = strdup(dataset->path);
	if (!rule->path)
		cursor_error(at, "out of memory");
	return rule->path;
}

static void read_grant(struct draft *draft, const struct cursor *at, uint8_t access)
{
	_cleanup_(rule_clear) struct rule rule = { .class = RULE_DATASET, .access = access,
						   .origin = cursor_origin(at) };
	const struct node *members[GRANT_FIELD_CNT];
	bool is_good = shape_members(&grant_shape, at, members);
	struct cursor name = cursor_at(at, members[GRANT_NAME]);

	is_good &= read_word(at, members[GRANT_ACCESS], &access_words, &rule.access);
	is_good &= members[GRANT_NAME] && value_name(&name, &rule.dataset) &&
		   resolve_dataset(draft, at, members, &rule);
	if (is_good)
		draft_add(draft, &rule);
}

/* What is made for the job is for it to write, and is there, so its rule is never left out. */
static bool check_create(const struct cursor *at, const struct node *node, const struct rule *rule)
{
	struct cursor value = cursor_at(at, node);

	if (!rule->is_created)
		return true;
	if (rule->is_optional)
		cursor_error(&value, "'create' and 'optional' contradict each other: a path that is "
				     "made when it is absent is never left out; remove one of the two");
	else if (rule->access != ACCESS_WRITE && rule->access != ACCESS_UNSET)
		cursor_error(&value, "'create' is for access \"write\": the job would have an empty "
				     "directory that it may not fill");
	return !rule->is_optional && rule->access == ACCESS_WRITE;
}

static void read_file_rule(struct draft *draft, const struct cursor *at, uint8_t access)
{
	_cleanup_(rule_clear) struct rule rule = { .class = RULE_FILESYSTEM, .access = access,
						   .origin = cursor_origin(at) };
	const struct node *members[FILE_FIELD_CNT];
	bool is_good = shape_members(&file_shape, at, members);

	is_good &= read_id(at, members[FILE_ID], &rule);
	is_good &= read_path(at, members[FILE_PATH], &rule);
	is_good &= read_word(at, members[FILE_ACCESS], &access_words, &rule.access);
	rule.is_optional = read_flag(members[FILE_OPTIONAL]);
	rule.is_created = read_flag(members[FILE_CREATE]);
	is_good &= check_create(at, members[FILE_CREATE], &rule);
	if (is_good)
		draft_add(draft, &rule);
}

static void read_filesystem(struct draft *draft, const struct cursor *at)
{
	const struct node *members[FILESYSTEM_FIELD_CNT];
	uint8_t access = draft->policy->file_default;

	shape_members(&filesystem_shape, at, members);
	read_word(at, members[FILESYSTEM_DEFAULT], &access_words, &access);
	draft->policy->file_default = access;
	read_list(draft, at, members[FILESYSTEM_RULES], &filesystem_fields[FILESYSTEM_RULES],
		  read_file_rule, ACCESS_UNSET);
}

/* A path, alone or in an object. */
static bool read_place(const struct cursor *at, const struct shape *shape, struct rule *rule)
{
	const struct node *members[EXEC_ENTRY_FIELD_CNT];
	bool is_good;

	if (json_is_string(at->node->value))
		return value_path(at, &rule->path);
	is_good = shape_members(shape, at, members);

	is_good &= read_id(at, members[EXEC_ID], rule);
	is_good &= read_path(at, members[EXEC_PATH], rule);
	rule->is_optional = read_flag(members[EXEC_OPTIONAL]);
	return is_good;
}

static void read_exec_rule(struct draft *draft, const struct cursor *at, uint8_t access)
{
	_cleanup_(rule_clear) struct rule rule = { .class = RULE_EXEC, .access = access,
						   .origin = cursor_origin(at) };

	if (read_place(at, &exec_entry_shape, &rule))
		draft_add(draft, &rule);
}

static void read_unix_rule(struct draft *draft, const struct cursor *at, uint8_t access)
{
	_cleanup_(rule_clear) struct rule rule = { .class = RULE_UNIX, .access = access,
						   .origin = cursor_origin(at) };

	if (read_place(at, &unix_entry_shape, &rule))
		draft_add(draft, &rule);
}

static void read_unix(struct draft *draft, const struct cursor *at)
{
	const struct node *members[UNIX_FIELD_CNT];
	uint8_t word = (uint8_t)draft->policy->unix_default;

	shape_members(&unix_shape, at, members);
	read_word(at, members[UNIX_DEFAULT_WORD], &unix_words, &word);
	draft->policy->unix_default = word;
	read_list(draft, at, members[UNIX_ALLOW_LIST], &unix_fields[UNIX_ALLOW_LIST],
		  read_unix_rule, UNIX_ALLOW);
}

static void read_exec(struct draft *draft, const struct cursor *at)
{
	const struct node *members[EXEC_FIELD_CNT];
	uint8_t access = draft->policy->exec_default;

	shape_members(&exec_shape, at, members);
	read_word(at, members[EXEC_DEFAULT], &exec_words, &access);
	draft->policy->exec_default = access;
	read_list(draft, at, members[EXEC_ALLOW_LIST], &exec_fields[EXEC_ALLOW_LIST],
		  read_exec_rule, EXEC_ALLOW);
	read_list(draft, at, members[EXEC_DENY_LIST], &exec_fields[EXEC_DENY_LIST],
		  read_exec_rule, EXEC_DENY);
}

static void read_socket(struct draft *draft, const struct cursor *at, uint8_t access)
{
	uint8_t class;

	(void)access;
	if (value_word(at, &socket_words, &class))
		draft->policy->sockets |= 1U << class;
}

static void read_device(struct draft *draft, const struct cursor *at, uint8_t access)
{
	uint8_t group;

	(void)access;
	if (value_word(at, &device_words, &group))
		draft->policy->devices |= 1U << group;
}

static void read_capability(struct draft *draft, const struct cursor *at, uint8_t access)
{
	uint8_t capability;

	(void)access;
	if (value_word(at, &capability_words, &capability))
		draft->policy->capabilities |= 1ULL << capability;
}

static void read_version(const struct cursor *at, const struct node *node)
{
	struct cursor value = cursor_at(at, node);

	if (node)
		value_version(&value);
}

static void read_text(const struct cursor *at, const struct node *node,
		      bool (*take)(const struct cursor *at, char **ret_text), char **text)
{
	struct cursor value = cursor_at(at, node);
	char *read;

	if (!node || !take(&value, &read))
		return;
	free(*text);
	*text = read;
}

static void read_name(const struct cursor *at, const struct node *node, char **name)
{
	read_text(at, node, value_name, name);
}

static void read_section(struct draft *draft, const struct cursor *at, const struct node *node,
			 void (*read)(struct draft *draft, const struct cursor *at))
{
	struct cursor section = cursor_at(at, node);

	if (node)
		read(draft, &section);
}

void parse_policy(struct draft *draft, const struct cursor *at, const struct node *const *members)
{
	uint8_t mode = (uint8_t)draft->policy->mode, mounts = (uint8_t)draft->policy->mounts;
	uint8_t on_loss = (uint8_t)draft->policy->on_audit_loss;

	read_version(at, members[POLICY_VERSION_FIELD]);
	read_name(at, members[POLICY_NAME], &draft->policy->name);
	read_text(at, members[POLICY_SPIFFE_ID], value_spiffe_id, &draft->policy->spiffe_id);
	read_word(at, members[POLICY_MODE], &mode_words, &mode);
	draft->policy->mode = mode;
	read_list(draft, at, members[POLICY_DATASETS], &policy_fields[POLICY_DATASETS], read_grant,
		  ACCESS_UNSET);
	read_section(draft, at, members[POLICY_FILESYSTEM], read_filesystem);
	read_section(draft, at, members[POLICY_EXEC], read_exec);
	read_section(draft, at, members[POLICY_EGRESS], read_egress);
	read_section(draft, at, members[POLICY_INGRESS], read_ingress);
	read_section(draft, at, members[POLICY_UNIX], read_unix);
	read_list(draft, at, members[POLICY_SOCKETS], &policy_fields[POLICY_SOCKETS], read_socket,
		  ACCESS_UNSET);
	read_word(at, members[POLICY_MOUNTS], &mounts_words, &mounts);
	draft->policy->mounts = mounts;
	read_word(at, members[POLICY_ON_AUDIT_LOSS], &audit_loss_words, &on_loss);
	draft->policy->on_audit_loss = on_loss;
	read_list(draft, at, members[POLICY_CAPABILITIES], &policy_fields[POLICY_CAPABILITIES],
		  read_capability, ACCESS_UNSET);
	read_list(draft, at, members[POLICY_DEVICES], &policy_fields[POLICY_DEVICES], read_device,
		  ACCESS_UNSET);
	if (members[POLICY_USER_NAMESPACES])
		draft->policy->user_namespaces =
			json_is_true(members[POLICY_USER_NAMESPACES]->value);
	read_section(draft, at, members[POLICY_ENVIRONMENT], read_environment);
	read_section(draft, at, members[POLICY_LIMITS], read_limits);
}

void parse_allowlist(struct draft *draft, const struct cursor *at, char **ret_name)
{
	const struct node *members[ALLOWLIST_FIELD_CNT];
	_cleanup_free_ char *name = NULL;

	shape_members(&allowlist_shape, at, members);
	read_version(at, members[ALLOWLIST_VERSION]);
	read_name(at, members[ALLOWLIST_NAME], &name);
	read_list(draft, at, members[ALLOWLIST_ALLOW], &allowlist_fields[ALLOWLIST_ALLOW],
		  read_net_rule, ACCESS_UNSET);
	if (ret_name && name)
		*ret_name = TAKE_PTR(name);
}
