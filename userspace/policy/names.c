// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Domains flattened for a search that stops at the first: the name that is asked for, then the wildcards
 * around it from the longest on. As with prefixes, each domain carries the ports of all that are wider.
 *
 * Rules of one domain stand side by side in the rule table. Domains are taken with the fewest labels first,
 * so what is wider is there before what needs it.
 */
#include <errno.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/egress_build.h"
#include "policy/rule.h"


struct domain {
	const char *text;
	size_t first, cnt; /* in the rule table */
	size_t label_cnt;  /* the '*' is one */
	struct net_value span;
};

struct domains {
	struct domain *items; /* sorted by text, as the rule table is */
	size_t cnt;
};

__u64 domain_id(const char *text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256_CTX ctx;
	__u64 id;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, text, strlen(text));
	SHA256_Final(digest, &ctx);
	memcpy(&id, digest, sizeof(id));
	return id ? id : 1;
}

/* As it stands in a question. */
static void name_to_wire(const char *name, struct dns_name *ret_name)
{
	__u8 *out = ret_name->wire;

	memset(ret_name, 0, sizeof(*ret_name));
	while (*name) {
		size_t len = strcspn(name, ".");

		*out++ = (__u8)len;
		memcpy(out, name, len);
		out += len;
		name += len + (name[len] == '.');
	}
}

static size_t count_labels(const char *text)
{
	size_t cnt = 1;

	for (; *text; text++)
		cnt += *text == '.';
	return cnt;
}

/* --- the domains ------------------------------------------------------------------------------ */

static struct domain *collect(const struct policy *policy, size_t *ret_cnt)
{
	struct domain *items = calloc(policy->rule_cnt + 1, sizeof(*items));
	size_t cnt = 0;

	for (size_t i = 0; items && i < policy->rule_cnt; i++) {
		const char *text = policy->rules[i].domain;

		if (!text)
			continue;
		if (cnt && !strcmp(items[cnt - 1].text, text)) {
			items[cnt - 1].cnt++;
			continue;
		}
		items[cnt++] = (struct domain){
			.text = text, .first = i, .cnt = 1, .label_cnt = count_labels(text)
		};
	}
	*ret_cnt = cnt;
	return items;
}

static int compare_text(const void *key, const void *item)
{
	return strcmp(key, ((const struct domain *)item)->text);
}

static struct domain *find(const struct domains *domains, const char *text)
{
	return bsearch(text, domains->items, domains->cnt, sizeof(*domains->items), compare_text);
}

/* The nearest wildcard that the name is below. */
static const struct domain *wider(const struct domains *domains, const char *name)
{
	char text[sizeof(WILDCARD) + DNS_NAME_MAX];
	const struct domain *found = NULL;

	for (name = strchr(name, '.'); name && !found; name = strchr(name + 1, '.')) {
		text[0] = '*';
		strcpy(text + 1, name);
		found = find(domains, text);
	}
	return found;
}

static int compare_labels(const void *a, const void *b)
{
	const struct domain *left = *(struct domain *const *)a, *right = *(struct domain *const *)b;

	return (left->label_cnt > right->label_cnt) - (left->label_cnt < right->label_cnt);
}

static int add_spans(const struct policy *policy, struct builder *b, const struct domains *domains)
{
	_cleanup_free_ struct domain **order = calloc(domains->cnt + 1, sizeof(struct domain *));
	int err = order ? 0 : -ENOMEM;

	for (size_t i = 0; order && i < domains->cnt; i++)
		order[i] = &domains->items[i];
	if (order)
		qsort(order, domains->cnt, sizeof(struct domain *), compare_labels);
	for (size_t i = 0; !err && i < domains->cnt; i++) {
		const char *text = order[i]->text;
		const struct domain *outer =
			wider(domains, domain_is_wildcard(text) ? text + strlen(WILDCARD) : text);

		err = egress_add_span(b, policy, order[i]->first, order[i]->cnt,
				      outer ? &outer->span : NULL, &order[i]->span);
	}
	return err;
}

/* --- the tables ------------------------------------------------------------------------------- */

static int reserve(struct egress_tables *tables, size_t cnt)
{
	tables->name_keys = calloc(cnt + 1, sizeof(*tables->name_keys));
	tables->name_values = calloc(cnt + 1, sizeof(*tables->name_values));
	tables->domain_ids = calloc(cnt + 1, sizeof(*tables->domain_ids));
	tables->domain_values = calloc(cnt + 1, sizeof(*tables->domain_values));
	return tables->name_keys && tables->name_values && tables->domain_ids &&
			       tables->domain_values ?
		       0 :
		       -ENOMEM;
}

/* "x" and "*.x" share an entry: whichever is met first makes it. */
static void add_name(struct egress_tables *tables, const struct domains *domains, const struct domain *domain)
{
	bool is_below = domain_is_wildcard(domain->text);
	const char *name = domain->text + (is_below ? strlen(WILDCARD) : 0);
	const struct domain *exact = is_below ? find(domains, name) : domain;
	char text[sizeof(WILDCARD) + DNS_NAME_MAX] = WILDCARD;
	const struct domain *below;

	if (is_below && exact)
		return;
	strcpy(text + strlen(WILDCARD), name);
	below = find(domains, text);
	name_to_wire(name, &tables->name_keys[tables->name_cnt]);
	tables->name_values[tables->name_cnt++] = (struct name_value){
		.exact = exact ? domain_id(exact->text) : 0,
		.below = below ? domain_id(below->text) : 0,
	};
}

int names_compile(const struct policy *policy, struct builder *b, struct egress_tables *tables)
{
	struct domains domains = { 0 };
	_cleanup_free_ struct domain *items = collect(policy, &domains.cnt);
	int err = items ? reserve(tables, domains.cnt) : -ENOMEM;

	domains.items = items;
	if (!err)
		err = add_spans(policy, b, &domains);
	for (size_t i = 0; !err && i < domains.cnt; i++) {
		add_name(tables, &domains, &items[i]);
		tables->domain_ids[tables->domain_cnt] = domain_id(items[i].text);
		tables->domain_values[tables->domain_cnt++] =
			(struct domain_value){ .span = items[i].span };
	}
	return err;
}

/* --- what they answer ------------------------------------------------------------------------- */

static const struct name_value *entry_of(const struct egress_tables *tables, const char *name)
{
	struct dns_name wire;

	name_to_wire(name, &wire);
	for (size_t i = 0; i < tables->name_cnt; i++)
		if (!memcmp(&tables->name_keys[i], &wire, sizeof(wire)))
			return &tables->name_values[i];
	return NULL;
}

const struct domain_value *names_find(const struct egress_tables *tables, const char *name)
{
	const struct name_value *entry = strlen(name) < DNS_NAME_MAX ? entry_of(tables, name) : NULL;
	__u64 id = entry ? entry->exact : 0;

	while (!id && (name = strchr(name, '.'))) {
		entry = entry_of(tables, ++name);
		id = entry ? entry->below : 0;
	}
	for (size_t i = 0; id && i < tables->domain_cnt; i++)
		if (tables->domain_ids[i] == id)
			return &tables->domain_values[i];
	return NULL;
}
