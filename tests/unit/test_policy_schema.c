// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The JSON Schemas for editors are true to the parser: the same keys, types, words and required
 * keys, everywhere.
 *
 * The parser's own tables and the schema are walked in step. Run in the project's folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/job.h"
#include "base/cleanup.h"
#include "policy/draft.h"
#include "policy/permission.h"
#include "policy/value.h"

#define POLICY_SCHEMA_FILE "rules/schema.json"
#define EGRESS_SCHEMA_FILE "rules/egress.schema.json"
#define SITE_SCHEMA_FILE "rules/site.schema.json"

static json_t *policy_schema;
static json_t *egress_schema;
static json_t *site_schema;

static const struct {
	unsigned int kind;
	const char *type;
} types[] = {
	{ KIND_OBJECT, "object" },   { KIND_LIST, "array" },	{ KIND_STRING, "string" },
	{ KIND_INTEGER, "integer" }, { KIND_BOOLEAN, "boolean" },
};

static int load_schemas(void **state)
{
	(void)state;
	policy_schema = json_load_file(POLICY_SCHEMA_FILE, JSON_REJECT_DUPLICATES, NULL);
	egress_schema = json_load_file(EGRESS_SCHEMA_FILE, JSON_REJECT_DUPLICATES, NULL);
	site_schema = json_load_file(SITE_SCHEMA_FILE, JSON_REJECT_DUPLICATES, NULL);
	return policy_schema && egress_schema && site_schema ? 0 : -1;
}

static int free_schemas(void **state)
{
	(void)state;
	json_decref(policy_schema);
	json_decref(egress_schema);
	json_decref(site_schema);
	return 0;
}

/* The schemas keep what they share in the policy schema's $defs. */
static const json_t *resolve(const json_t *schema)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref")), *name;
	const json_t *found;

	if (!ref)
		return schema;
	name = strstr(ref, "#/$defs/");
	assert_non_null(name);
	found = json_object_get(json_object_get(policy_schema, "$defs"), name + strlen("#/$defs/"));
	if (!found)
		fail_msg("nothing at %s", ref);
	return resolve(found);
}

static unsigned int kind_of_type(const json_t *schema)
{
	const char *type = json_string_value(json_object_get(schema, "type"));

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++) {
		if (!strcmp(types[i].type, type))
			return types[i].kind;
	}
	fail_msg("a schema without a type");
	return 0;
}

/* The types that a schema admits; the one for objects is handed out. */
static unsigned int schema_kinds(const json_t *schema, const json_t **ret_object)
{
	const json_t *whole = resolve(schema), *choice;
	json_t *list = json_object_get(whole, "oneOf"), *entry;
	unsigned int kinds = 0;
	size_t i;

	if (!list) {
		*ret_object = whole;
		return kind_of_type(whole);
	}
	json_array_foreach(list, i, entry) {
		choice = resolve(entry);
		kinds |= kind_of_type(choice);
		if (kind_of_type(choice) == KIND_OBJECT)
			*ret_object = choice;
	}
	return kinds;
}

static bool is_required(const json_t *schema, const char *key)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i, entry) {
		if (!strcmp(json_string_value(entry), key))
			return true;
	}
	return false;
}

static void compare_shape(const struct shape *shape, const json_t *schema);

static void compare_field(const struct field *field, const json_t *schema)
{
	const json_t *object = NULL;

	assert_int_equal(schema_kinds(schema, &object), field->kinds);
	if (field->kinds == KIND_LIST) {
		schema = json_object_get(resolve(schema), "items");
		assert_non_null(schema);
		assert_int_equal(schema_kinds(schema, &object), field->entry_kinds);
	}
	if (field->shape)
		compare_shape(field->shape, object);
}

static void compare_shape(const struct shape *shape, const json_t *schema)
{
	json_t *properties = json_object_get(schema, "properties"), *property;
	size_t key_cnt = 0;

	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
	for (const struct field *field = shape->fields; field < shape->fields + shape->field_cnt;
	     field++) {
		property = json_object_get(properties, field->key);
		if (field->is_internal) {
			assert_null(property);
			continue;
		}
		if (!property)
			fail_msg("the schema of %s lacks '%s'", shape->what, field->key);
		assert_int_equal(is_required(schema, field->key), field->is_required);
		compare_field(field, property);
		key_cnt++;
	}
	assert_int_equal(json_object_size(properties), key_cnt);
}

static void policy_keys(void **state)
{
	(void)state;
	compare_shape(&policy_shape, policy_schema);
}

static void allowlist_keys(void **state)
{
	(void)state;
	compare_shape(&allowlist_shape, egress_schema);
}

static void site_keys(void **state)
{
	(void)state;
	compare_shape(&site_shape, site_schema);
}

static const json_t *at(const char *section, const char *key)
{
	const json_t *object = json_object_get(policy_schema, "properties");

	if (section)
		object = json_object_get(json_object_get(object, section), "properties");
	return resolve(json_object_get(object, key));
}

static void compare_words(const json_t *schema, const struct vocabulary *vocabulary,
			  uint8_t default_value)
{
	const json_t *list = json_object_get(schema, "enum");
	const char *chosen = json_string_value(json_object_get(schema, "default"));

	assert_int_equal(json_array_size(list), vocabulary->word_cnt);
	for (size_t i = 0; i < vocabulary->word_cnt; i++)
		assert_string_equal(json_string_value(json_array_get(list, i)),
				    vocabulary->words[i].text);
	if (default_value)
		assert_string_equal(chosen, word_text(vocabulary, default_value));
	else
		assert_null(chosen);
}

static void words_and_defaults(void **state)
{
	const json_t *defs = json_object_get(policy_schema, "$defs");
	const json_t *net = json_object_get(json_object_get(defs, "egress_rule"), "properties");
	static const char text[] = "{\"version\":1,\"name\":\"t\"}";
	struct diag_list diags = { 0 };
	struct policy *policy = NULL;

	(void)state;
	assert_int_equal(policy_parse(text, strlen(text), "t", NULL, &diags, &policy), 0);
	compare_words(at(NULL, "mode"), &mode_words, (uint8_t)policy->mode);
	compare_words(at(NULL, "mounts"), &mounts_words, (uint8_t)policy->mounts);
	compare_words(at(NULL, "on_audit_loss"), &audit_loss_words, (uint8_t)policy->on_audit_loss);
	compare_words(at("filesystem", "default"), &access_words, (uint8_t)policy->file_default);
	compare_words(at("exec", "default"), &exec_words, (uint8_t)policy->exec_default);
	compare_words(at("egress", "default"), &egress_words, (uint8_t)policy->egress_default);
	compare_words(json_object_get(defs, "access"), &access_words, 0);
	compare_words(json_object_get(net, "protocol"), &protocol_words, PROTOCOL_TCP);
	policy_free(policy);
}

/* The largest numbers that the schemas admit are the largest that the parser does. */
static void maxima(void **state)
{
	const json_t *limits = json_object_get(json_object_get(site_schema, "properties"), "limits");
	json_t *entry;
	const char *key;

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(at("limits", "processes"), "maximum")),
			 LIMIT_PROCESSES_MAX);
	json_object_foreach(json_object_get(limits, "properties"), key, entry)
		assert_int_equal(json_integer_value(json_object_get(entry, "maximum")),
				 JOB_SLOTS - 1);
}

static void versions(void **state)
{
	const json_t *allowlist = json_object_get(egress_schema, "properties");
	const json_t *site = json_object_get(site_schema, "properties");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(at(NULL, "version"), "const")),
			 POLICY_VERSION);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(allowlist, "version"), "const")),
			 POLICY_VERSION);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(site, "version"),
							    "const")),
			 POLICY_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy_keys),
		cmocka_unit_test(allowlist_keys),
		cmocka_unit_test(site_keys),
		cmocka_unit_test(words_and_defaults),
		cmocka_unit_test(maxima),
		cmocka_unit_test(versions),
	};

	return cmocka_run_group_tests(tests, load_schemas, free_schemas);
}
