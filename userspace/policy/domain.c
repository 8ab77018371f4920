// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Domains in a policy, and who is asked for them: values, the section 'dns', and what does not go
 * together. What a domain means is in docs/names.md.
 */
#include <ctype.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/draft.h"
#include "policy/rule.h"
#include "policy/value.h"

#define DOMAIN_LEN_MAX (DNS_NAME_MAX - 2) /* a byte before each label, and the root */
#define LABEL_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-_"

const char *domain_fault(const char *name)
{
	const char *label = name;
	size_t len;

	if (strlen(name) > DOMAIN_LEN_MAX)
		return "a name has 253 characters at most";
	for (;; label += len + 1) {
		len = strspn(label, LABEL_CHARS);
		if (label[len] && label[len] != '.')
			return "a name is made of a-z, 0-9, '-', '_' and dots; write others as A-labels, "
			       "xn--...; a '*' stands for whole labels, at the beginning";
		if (!len)
			return "a label is empty";
		if (len > DNS_LABEL_MAX)
			return "a label has 63 characters at most";
		if (*label == '-' || label[len - 1] == '-')
			return "a label neither begins nor ends with '-'";
		if (!label[len])
			break;
	}
	return strspn(label, "0123456789") == len ?
		       "its last label is a number, so it is no name; an address stands in 'cidr'" :
		       NULL;
}

static void fold(char *name)
{
	size_t len = strlen(name);

	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (len > 1 && name[len - 1] == '.')
		name[len - 1] = '\0';
}

bool value_domain(const struct cursor *at, char **ret_domain)
{
	_cleanup_free_ char *domain = strdup(cursor_string(at));
	const char *fault, *name = domain;

	if (!domain) {
		cursor_error(at, "out of memory");
		return false;
	}
	fold(domain);
	if (domain_is_wildcard(domain))
		name += strlen(WILDCARD);
	fault = domain_fault(name);
	if (fault) {
		cursor_error(at, "bad domain '%s': %s", cursor_string(at), fault);
		return false;
	}
	*ret_domain = TAKE_PTR(domain);
	return true;
}

bool read_destination(const struct cursor *at, const struct node *cidr, const struct node *domain,
		      const struct node *private, struct rule *rule)
{
	struct cursor cidr_at = cursor_at(at, cidr), domain_at = cursor_at(at, domain);
	struct cursor private_at = cursor_at(at, private);

	if (cidr && domain)
		cursor_key_error(&domain_at, "a rule has 'cidr' or 'domain'; make it two rules");
	else if (cidr && private)
		cursor_key_error(&private_at, "'private' goes with 'domain': a network is named as it is");
	else if (domain)
		return value_domain(&domain_at, &rule->domain);
	else if (cidr)
		return value_cidr(&cidr_at, rule);
	else if (rule->class == RULE_EGRESS && !shape_has_key(at->node, "cidr") &&
		 !shape_has_key(at->node, "domain"))
		cursor_error(at, "an egress rule needs the key 'cidr' or 'domain'");
	return false;
}

/* --- the section ------------------------------------------------------------------------------ */

enum { DNS_RESOLVERS, DNS_FIELD_CNT };

static const struct field dns_fields[] = {
	[DNS_RESOLVERS] = { "resolvers", KIND_LIST, .is_required = true, .entry_kinds = KIND_STRING },
};

const struct shape dns_shape = { "'dns'", FIELDS(dns_fields), NULL, 0 };

static void read_resolver(struct draft *draft, const struct cursor *at)
{
	_cleanup_(rule_clear) struct rule rule = { .class = RULE_RESOLVER, .origin = cursor_origin(at) };

	if (!shape_kind(at, KIND_STRING, "a resolver") || !value_address(at, &rule))
		return;
	rule.ports = calloc(1, sizeof(*rule.ports));
	if (!rule.ports) {
		cursor_error(at, "out of memory");
		return;
	}
	rule.ports[0] = (struct rule_ports){ DNS_PORT, DNS_PORT };
	rule.port_cnt = 1;
	rule_set_protocol(&rule, PROTOCOL_ANY);
	draft_add(draft, &rule);
}

void read_dns(struct draft *draft, const struct cursor *at)
{
	const struct node *members[DNS_FIELD_CNT];
	struct cursor entry;

	if (!shape_members(&dns_shape, at, members))
		return;
	for (const struct node *node = members[DNS_RESOLVERS]->child; node; node = node->next) {
		entry = cursor_at(at, node);
		read_resolver(draft, &entry);
	}
}

/* --- what does not go together ---------------------------------------------------------------- */

static const struct rule *first_rule(const struct policy *policy, bool (*is_wanted)(const struct rule *rule))
{
	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (is_wanted(&policy->rules[i]))
			return &policy->rules[i];
	return NULL;
}

static bool has_domain(const struct rule *rule)
{
	return rule->domain;
}

static bool is_resolver(const struct rule *rule)
{
	return rule->class == RULE_RESOLVER;
}

bool policy_has_names(const struct policy *policy)
{
	return first_rule(policy, is_resolver);
}

/* Who makes a network of his own, or alters the machine's, answers his own questions. */
static void check_powers(const struct draft *draft, const struct rule *resolver)
{
	static const uint64_t own_network = 1ULL << CAP_NET_ADMIN | 1ULL << CAP_SYS_ADMIN;

	if (draft->policy->user_namespaces)
		origin_error(draft->diags, resolver->origin,
			     "resolvers do not go with 'user_namespaces': in a network of its own the job would "
			     "answer its own questions");
	if (draft->policy->capabilities & own_network)
		origin_error(draft->diags, resolver->origin,
			     "resolvers do not go with the capabilities net_admin and sys_admin: in a network of "
			     "its own the job would answer its own questions");
}

static void limit_resolvers(const struct draft *draft)
{
	const struct policy *policy = draft->policy;
	size_t cnt = 0;

	for (size_t i = 0; i < policy->rule_cnt; i++)
		if (is_resolver(&policy->rules[i]) && ++cnt > RESOLVERS_MAX) {
			origin_error(draft->diags, policy->rules[i].origin, "at most %d resolvers",
				     RESOLVERS_MAX);
			return;
		}
}

void names_settle(struct draft *draft)
{
	const struct rule *domain = first_rule(draft->policy, has_domain);
	const struct rule *resolver = first_rule(draft->policy, is_resolver);

	/* An allowlist has no section to name resolvers in, and no name of its own in the draft. */
	if (domain && !resolver && draft->policy->name)
		origin_error(draft->diags, domain->origin,
			     "a rule with a 'domain' needs somebody to ask: add \"dns\": {\"resolvers\": "
			     "[\"ADDRESS\"]} to 'egress'");
	if (resolver)
		check_powers(draft, resolver);
	limit_resolvers(draft);
}
