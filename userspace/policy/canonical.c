// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The canonical form of a policy, and its digest.
 *
 * It is a policy file itself: everything merged, every default written out, rules in the order of
 * the table, datasets with their paths, ids only where they are not the ones that would be made. An
 * environment and limits that change nothing are left out.
 * So it parses back to the same policy without any other file, and two policies that mean the
 * same have the same text.
 */
#include <errno.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/draft.h"
#include "policy/rule.h"
#include "policy/value.h"

/*
 * Builds a tree; after the first failed allocation it builds nothing useful, and says so in the
 * end.
 */
struct writer {
	bool has_failed;
};

static void put(struct writer *writer, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		writer->has_failed = true;
}

static void append(struct writer *writer, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value))
		writer->has_failed = true;
}

static json_t *add_object(struct writer *writer, json_t *parent, const char *key)
{
	put(writer, parent, key, json_object());
	return json_object_get(parent, key);
}

static json_t *add_list(struct writer *writer, json_t *parent, const char *key)
{
	put(writer, parent, key, json_array());
	return json_object_get(parent, key);
}

static void put_word(struct writer *writer, json_t *object, const char *key,
		     const struct vocabulary *vocabulary, uint8_t value)
{
	put(writer, object, key, json_string(word_text(vocabulary, value)));
}

static void put_id(struct writer *writer, json_t *object, const struct rule *rule)
{
	_cleanup_free_ char *made = rule_made_id(rule);

	if (!made)
		writer->has_failed = true;
	else if (strcmp(made, rule->id))
		put(writer, object, "id", json_string(rule->id));
}

static void put_path(struct writer *writer, json_t *object, const struct rule *rule)
{
	put(writer, object, "path", json_string(rule->path));
	if (rule->is_optional)
		put(writer, object, "optional", json_true());
}

static json_t *port_value(const struct rule_ports *ports)
{
	if (ports->lo == ports->hi)
		return json_integer(ports->lo);
	return json_sprintf("%u-%u", ports->lo, ports->hi);
}

static json_t *grant_object(struct writer *writer, const struct rule *rule)
{
	json_t *object = json_object();

	put(writer, object, "name", json_string(rule->dataset));
	put(writer, object, "path", json_string(rule->path));
	put_word(writer, object, "access", &access_words, rule->access);
	return object;
}

static json_t *file_object(struct writer *writer, const struct rule *rule)
{
	json_t *object = json_object();

	put_id(writer, object, rule);
	put_path(writer, object, rule);
	put_word(writer, object, "access", &access_words, rule->access);
	if (rule->is_created)
		put(writer, object, "create", json_true());
	return object;
}

static json_t *exec_object(struct writer *writer, const struct rule *rule)
{
	json_t *object = json_object();

	put_id(writer, object, rule);
	put_path(writer, object, rule);
	return object;
}

static json_t *net_object(struct writer *writer, const struct rule *rule)
{
	json_t *object = json_object(), *ports = add_list(writer, object, "ports");
	char cidr[RULE_CIDR_LEN];

	rule_cidr(rule, cidr);
	put_id(writer, object, rule);
	put(writer, object, rule->domain ? "domain" : "cidr",
	    json_string(rule->domain ? rule->domain : cidr));
	if (rule->is_private)
		put(writer, object, "private", json_true());
	put(writer, object, "protocol", json_string(rule_protocol(rule)));
	for (size_t i = 0; i < rule->port_cnt; i++)
		append(writer, ports, port_value(&rule->ports[i]));
	if (rule->max_bytes)
		put(writer, object, "max_bytes",
		    json_sprintf("%lluB", (unsigned long long)rule->max_bytes));
	return object;
}

static void put_resolvers(struct writer *writer, json_t *egress, const struct policy *policy)
{
	json_t *resolvers = add_list(writer, add_object(writer, egress, "dns"), "resolvers");
	char address[RULE_CIDR_LEN];

	for (size_t i = 0; i < policy->rule_cnt; i++) {
		if (policy->rules[i].class != RULE_RESOLVER)
			continue;
		rule_address(&policy->rules[i], address);
		append(writer, resolvers, json_string(address));
	}
}

static void put_variables(struct writer *writer, json_t *object,
			  const struct environment *environment)
{
	json_t *set = add_object(writer, object, "set"), *keep;

	for (size_t i = 0; i < environment->set_cnt; i++)
		put(writer, set, environment->set[i].name, json_string(environment->set[i].value));
	if (!environment->is_filtered)
		return;
	keep = add_list(writer, object, "keep");
	for (size_t i = 0; i < environment->keep_cnt; i++)
		append(writer, keep, json_string(environment->keep[i]));
}

static void put_environment(struct writer *writer, json_t *root,
			    const struct environment *environment)
{
	json_t *object = add_object(writer, root, "environment");
	json_t *private = add_list(writer, object, "private");
	json_t *hide = add_list(writer, object, "hide");

	for (size_t i = 0; i < environment->path_cnt; i++) {
		json_t *path = json_string(environment->paths[i].path);

		if (environment->paths[i].kind == ENV_SCRATCH)
			put(writer, object, "scratch", path);
		else
			append(writer, environment->paths[i].kind == ENV_HIDDEN ? hide : private,
			       path);
	}
	put(writer, object, "read_only_datasets",
	    json_boolean(environment->are_datasets_read_only));
	put_variables(writer, add_object(writer, object, "variables"), environment);
	if (environment->directory)
		put(writer, object, "directory", json_string(environment->directory));
}

/* Durations are whole seconds. */
static void put_limits(struct writer *writer, json_t *root, const struct limits *limits)
{
	json_t *object = add_object(writer, root, "limits");

	if (limits->runtime_ms)
		put(writer, object, "runtime",
		    json_sprintf("%llus", (unsigned long long)limits->runtime_ms / 1000));
	if (limits->processes)
		put(writer, object, "processes", json_integer((json_int_t)limits->processes));
	if (limits->egress_bytes)
		put(writer, object, "egress_bytes",
		    json_sprintf("%lluB", (unsigned long long)limits->egress_bytes));
	if (limits->scratch_bytes)
		put(writer, object, "scratch",
		    json_sprintf("%lluB", (unsigned long long)limits->scratch_bytes));
}

/* The words whose bits are set; nothing if none is. */
static void put_bits(struct writer *writer, json_t *root, const char *key,
		     const struct vocabulary *vocabulary, uint64_t bits)
{
	json_t *list = bits ? add_list(writer, root, key) : NULL;

	for (size_t i = 0; bits && i < vocabulary->word_cnt; i++)
		if (bits >> vocabulary->words[i].value & 1)
			append(writer, list, json_string(vocabulary->words[i].text));
}

static bool has_class(const struct policy *policy, enum rule_class class)
{
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (policy->rules[i].class == class)
			return true;
	return false;
}

static void put_ingress(struct writer *writer, json_t *root, const struct policy *policy)
{
	json_t *ingress = add_object(writer, root, "ingress");
	json_t *nets = add_list(writer, ingress, "allow");

	put_word(writer, ingress, "default", &ingress_words, (uint8_t)policy->ingress_default);
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (policy->rules[i].class == RULE_INGRESS)
			append(writer, nets, net_object(writer, &policy->rules[i]));
}

static void put_unix(struct writer *writer, json_t *root, const struct policy *policy)
{
	json_t *section = add_object(writer, root, "unix");
	json_t *allow = add_list(writer, section, "allow");

	put_word(writer, section, "default", &unix_words, (uint8_t)policy->unix_default);
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (policy->rules[i].class == RULE_UNIX)
			append(writer, allow, exec_object(writer, &policy->rules[i]));
}

static json_t *policy_object(struct writer *writer, const struct policy *policy)
{
	json_t *root = json_object(), *datasets = add_list(writer, root, "datasets");
	json_t *filesystem = add_object(writer, root, "filesystem");
	json_t *files = add_list(writer, filesystem, "rules");
	json_t *exec = add_object(writer, root, "exec");
	json_t *allow = add_list(writer, exec, "allow"), *deny = add_list(writer, exec, "deny");
	json_t *egress = add_object(writer, root, "egress");
	json_t *nets = add_list(writer, egress, "allow");

	put(writer, root, "version", json_integer(POLICY_VERSION));
	put(writer, root, "name", json_string(policy->name));
	put_word(writer, root, "mode", &mode_words, (uint8_t)policy->mode);
	put_word(writer, filesystem, "default", &access_words, (uint8_t)policy->file_default);
	put_word(writer, exec, "default", &exec_words, (uint8_t)policy->exec_default);
	put_word(writer, egress, "default", &egress_words, (uint8_t)policy->egress_default);
	for (const struct rule *rule = policy->rules; rule < policy->rules + policy->rule_cnt;
	     rule++) {
		if (rule->class == RULE_DATASET)
			append(writer, datasets, grant_object(writer, rule));
		else if (rule->class == RULE_FILESYSTEM)
			append(writer, files, file_object(writer, rule));
		else if (rule->class == RULE_EXEC)
			append(writer, rule->access == EXEC_ALLOW ? allow : deny,
			       exec_object(writer, rule));
		else if (rule->class == RULE_EGRESS)
			append(writer, nets, net_object(writer, rule));
	}
	if (policy_has_names(policy))
		put_resolvers(writer, egress, policy);
	if (policy->environment.is_present)
		put_environment(writer, root, &policy->environment);
	if (policy->limits.runtime_ms || policy->limits.processes ||
	    policy->limits.egress_bytes || policy->limits.scratch_bytes)
		put_limits(writer, root, &policy->limits);
	if (policy->ingress_default == INGRESS_ALLOW || has_class(policy, RULE_INGRESS))
		put_ingress(writer, root, policy);
	if (policy->unix_default == UNIX_ALLOW || has_class(policy, RULE_UNIX))
		put_unix(writer, root, policy);
	if (policy->mounts != MOUNTS_DENY)
		put_word(writer, root, "mounts", &mounts_words, (uint8_t)policy->mounts);
	if (policy->on_audit_loss == AUDIT_LOSS_STOP)
		put_word(writer, root, "on_audit_loss", &audit_loss_words,
			 (uint8_t)policy->on_audit_loss);
	if (policy->spiffe_id)
		put(writer, root, "spiffe_id", json_string(policy->spiffe_id));
	put_bits(writer, root, "sockets", &socket_words, policy->sockets);
	put_bits(writer, root, "devices", &device_words, policy->devices);
	put_bits(writer, root, "capabilities", &capability_words, policy->capabilities);
	if (policy->user_namespaces)
		put(writer, root, "user_namespaces", json_true());
	return root;
}

/* SHA-256 by itself: libcrypto's digest interface looks for providers first, for millions of
 * instructions. */
static void hash(const char *text, char ret_hex[65])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, text, strlen(text));
	SHA256_Final(digest, &ctx);
	for (size_t i = 0; i < sizeof(digest); i++)
		sprintf(ret_hex + 2 * i, "%02x", digest[i]);
}

int policy_seal(struct policy *policy)
{
	struct writer writer = { 0 };
	json_t *root = policy_object(&writer, policy);
	_cleanup_free_ char *text = NULL;

	if (!writer.has_failed)
		text = json_dumps(root, JSON_SORT_KEYS | JSON_COMPACT);
	json_decref(root);
	if (!text)
		return -ENOMEM;
	hash(text, policy->digest);
	policy->canonical = TAKE_PTR(text);
	return 0;
}
