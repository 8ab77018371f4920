/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy in the making.
 *
 * load.c finds the files and reads them in the order of merging, parse.c turns each into rules of
 * the draft (flow.c, domain.c, environment.c and limits.c read some of its sections), merge.c settles which of
 * them stand and makes the rule table, canonical.c writes the result down.
 */
#ifndef JOBCAGE_POLICY_DRAFT_H
#define JOBCAGE_POLICY_DRAFT_H

#include "policy/document.h"
#include "policy/policy.h"
#include "policy/shape.h"
#include "policy/site.h"

/* Files that name files that name files. */
#define EXTENDS_DEPTH_MAX 16

/* A file being read now, and the one that named it. */
struct frame {
	const struct frame *parent; /* NULL: the file that the user named */
	const char *file;           /* as shown */
	const char *real;           /* its identity: the path without symlinks */
	unsigned int depth;
};

struct read_file {
	char *real;
	bool is_allowlist;
};

struct draft {
	struct diag_list *diags;
	size_t first_diag;    /* what diags had when the draft was started */
	size_t first_error;
	const struct site *site;
	bool is_canonical;    /* the text carries the datasets' paths, no site is asked */
	bool has_files;       /* the text came from a file and may name others */
	struct policy *policy; /* scalars are set as they are read: the later wins */
	struct rule *rules;   /* all that was read, in order of merging; each owns its parts */
	size_t rule_cnt;
	size_t rule_cap;
	struct read_file *reads; /* every file met so far */
	size_t read_cnt;
	struct origin scratch_limit; /* where limits.scratch stands */
};

extern const struct shape environment_shape;
extern const struct shape limits_shape;
extern const struct shape dns_shape;
extern const struct shape net_shape; /* of an egress rule */
extern const struct shape egress_shape;
extern const struct shape ingress_shape;
extern const struct shape policy_shape;
extern const struct shape allowlist_shape;

enum policy_field {
	POLICY_SCHEMA,
	POLICY_VERSION_FIELD,
	POLICY_NAME,
	POLICY_MODE,
	POLICY_EXTENDS,
	POLICY_DATASETS,
	POLICY_FILESYSTEM,
	POLICY_EXEC,
	POLICY_EGRESS,
	POLICY_ENVIRONMENT,
	POLICY_LIMITS,
	POLICY_SOCKETS,
	POLICY_INGRESS,
	POLICY_UNIX,
	POLICY_MOUNTS,
	POLICY_ON_AUDIT_LOSS,
	POLICY_SPIFFE_ID,
	POLICY_CAPABILITIES,
	POLICY_USER_NAMESPACES,
	POLICY_DEVICES,
	POLICY_FIELD_CNT,
};

/* Reads one policy's own sections; members is what shape_members() found. */
void parse_policy(struct draft *draft, const struct cursor *at, const struct node *const *members);

/* Read one file's sections, on top of what earlier files say. */
void read_environment(struct draft *draft, const struct cursor *at);
void read_limits(struct draft *draft, const struct cursor *at);
/* A prefix or a domain: one of the two, which may be NULL; private: the key of that name, or NULL. */
bool read_destination(const struct cursor *at, const struct node *cidr, const struct node *domain,
		      const struct node *private, struct rule *rule);
void read_dns(struct draft *draft, const struct cursor *at);
void read_net_rule(struct draft *draft, const struct cursor *at, uint8_t access);
void read_egress(struct draft *draft, const struct cursor *at);
void read_ingress(struct draft *draft, const struct cursor *at);

/*
 * Reads an egress allowlist. ret_name may be NULL, else it gets the name (free it) if there is
 * one.
 */
void parse_allowlist(struct draft *draft, const struct cursor *at, char **ret_name);

/* Loads the allowlist that the string at the cursor names. */
void load_include(struct draft *draft, const struct cursor *at);

/* The policy's own copy of a file name, for origins; NULL: out of memory (reported). */
const char *draft_file(struct draft *draft, const char *file);

/* Takes over the rule's parts, leaves it empty; gives it an id if it has none. */
void draft_add(struct draft *draft, struct rule *rule);

/* Adds every registered dataset with access 'none', for grants to replace. */
void draft_close_datasets(struct draft *draft);

/* Moves the rules that stand to the policy's table; what contradicts is reported. */
void draft_merge(struct draft *draft);

/* After the rules: sorts and checks what was read, and sets the defaults that depend on it. */
void environment_settle(struct draft *draft);
void limits_settle(struct draft *draft);
void names_settle(struct draft *draft);

void environment_clear(struct environment *environment);

/* Sets canonical and digest. Returns 0 or -ENOMEM. */
int policy_seal(struct policy *policy);

#endif
