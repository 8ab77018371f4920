/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A policy: what one job may do, merged from the files that an admin wrote, and its rule table.
 *
 * policy_load() reads a file with all it extends and includes, checks it strictly and merges it;
 * egress_compile() turns its network rules into the flattened tables of bpf/abi/policy.h. Nothing
 * here talks to the kernel: paths become (device, inode) in kern/.
 */
#ifndef JOBCAGE_POLICY_POLICY_H
#define JOBCAGE_POLICY_POLICY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/names.h"
#include "abi/policy.h"
#include "base/diag.h"

enum rule_class {
	RULE_DATASET = 1, /* a grant, or the 'none' that a registered dataset gets without one */
	RULE_FILESYSTEM = 2,
	RULE_EXEC = 3,
	RULE_EGRESS = 4,
	RULE_INGRESS = 5, /* as RULE_EGRESS, but the prefix is that of peers, and the ports the job's own */
	RULE_UNIX = 6, /* sockets bound at the path, or below it */
	RULE_RESOLVER = 7, /* an address that is asked for names: port 53 */
};

struct rule_ports {
	uint16_t lo; /* inclusive */
	uint16_t hi; /* inclusive */
};

/*
 * One entry of the rule table. Its number in the kernel is its index + 1. The table is sorted: by
 * class, then by dataset name, path or prefix; so it is the same however the policy's files are
 * cut and ordered.
 */
struct rule {
	char *id; /* unique in the policy: given, or made: "dataset:NAME" */
	enum rule_class class;
	struct origin origin; /* file is owned by the policy */
	char *path;           /* DATASET, FILESYSTEM, EXEC, UNIX: absolute, as written; else NULL */
	char *dataset;        /* DATASET: its name; else NULL */
	bool is_optional;     /* FILESYSTEM, EXEC, UNIX: if the path is absent, the rule is left out */
	bool is_created;      /* FILESYSTEM: if it is absent when a job starts, it is made, a directory */
	uint8_t access;       /* DATASET, FILESYSTEM: enum access; EXEC: enum exec_access; UNIX: enum
				 unix_access */
	uint8_t addr[16];     /* EGRESS, INGRESS: network order, IPv4 mapped, host bits zero */
	uint8_t prefixlen;    /* EGRESS, INGRESS: 0..128; an IPv4 prefix is 96 + n */
	uint8_t protocol_cnt; /* EGRESS, INGRESS: entries of protocol */
	uint8_t protocol[2];  /* EGRESS, INGRESS: IPPROTO_TCP, IPPROTO_UDP */
	struct rule_ports *ports; /* EGRESS, INGRESS: at least one; sorted, disjoint, not adjacent */
	size_t port_cnt;
	char *domain;    /* EGRESS: in place of a prefix: a name, or "*." and a name; lower case; else NULL */
	bool is_private; /* EGRESS by domain: addresses of private networks too */
	uint64_t max_bytes; /* EGRESS: what a job may send by it; 0: no limit */
};

enum env_path_kind {
	ENV_PRIVATE = 1, /* an empty directory of the job's own, in place of the host's */
	ENV_SCRATCH = 2, /* the same, to work in; one at most */
	ENV_HIDDEN = 3,  /* empty for the job: nothing to read, nowhere to write */
};

/*
 * A path that is another thing for the job than for the host. None lies in another, save private
 * directories and the scratch in a hidden one.
 */
struct env_path {
	char *path; /* absolute, as written; never "/" */
	enum env_path_kind kind;
	struct origin origin; /* file is owned by the policy */
};

struct env_variable {
	char *name;
	char *value;
};

/* What the job finds around it. Made for its comfort: the boundary is the rules. */
struct environment {
	bool is_present;        /* whether anything below differs from the launcher's own */
	struct env_path *paths; /* sorted by path, so what lies in another comes after it */
	size_t path_cnt;
	bool are_datasets_read_only; /* datasets granted 'read' are mounted read-only too */
	bool is_filtered;            /* only the variables that keep names pass; else all do */
	char **keep;                 /* sorted: names, or beginnings of names and a '*' */
	size_t keep_cnt;
	struct env_variable *set; /* sorted by name; takes the place of what has passed */
	size_t set_cnt;
	char *directory; /* working directory; NULL: the launcher's */
	struct origin directory_origin;
};

/* 0: no such limit. */
struct limits {
	uint64_t runtime_ms;    /* at most LIMIT_RUNTIME_MS_MAX */
	uint64_t processes;     /* at most LIMIT_PROCESSES_MAX */
	uint64_t egress_bytes;  /* at most INT64_MAX; of all that leaves the job */
	uint64_t scratch_bytes; /* at most INT64_MAX; of all private paths and the scratch together */
};

#define LIMIT_RUNTIME_MS_MAX (36500ULL * 24 * 60 * 60 * 1000) /* its nanoseconds fit 64 bits */
#define LIMIT_PROCESSES_MAX 4194304ULL                        /* the kernel's PID_MAX_LIMIT */

/* For policies that have a private path or a scratch, but say no limits.scratch. */
#define LIMIT_SCRATCH_DEFAULT (1ULL << 30)

/* What becomes of a job whose record is not complete any more. */
enum audit_loss {
	AUDIT_LOSS_CONTINUE = 1,
	AUDIT_LOSS_STOP = 2, /* it is killed */
};

struct policy {
	char *file; /* as given to policy_load() */
	char *name;
	char *spiffe_id; /* of the workload, for alerts; or NULL */
	char *canonical; /* merged: sorted keys, no white space; parses to the same policy */
	char digest[65]; /* SHA-256 of canonical, lower-case hex */
	enum policy_mode mode;
	enum access file_default;
	enum exec_access exec_default;
	enum egress_default egress_default;
	enum ingress_default ingress_default;
	enum unix_access unix_default;
	enum mount_default mounts;
	enum audit_loss on_audit_loss;
	uint32_t sockets; /* bit N: enum socket_class N is named */
	uint32_t devices; /* bit N: enum device_group N is named */
	uint64_t capabilities; /* bit N: capability N is named */
	bool user_namespaces;
	struct rule *rules;
	size_t rule_cnt;
	struct environment environment;
	struct limits limits;
	char **files; /* every file that an origin names; the policy owns them */
	size_t file_cnt;
	uid_t owner; /* who has brought it; 0: root, or it is the site's */
	unsigned int _Atomic holder_cnt; /* besides the first */
};

/*
 * The egress and ingress rules as kernel tables. nets is free of duplicates; ports holds the spans that nets
 * point to. A net may have no ports at all: ::ffff:0:0/96, when an IPv6 prefix such as ::/0 would
 * otherwise take in IPv4.
 */
struct egress_tables {
	struct net_key *net_keys;
	struct net_value *net_values;
	size_t net_cnt;
	struct port_range *ports;
	size_t port_cnt;
	struct dns_name *name_keys; /* free of duplicates */
	struct name_value *name_values;
	size_t name_cnt;
	__u64 *domain_ids;
	struct domain_value *domain_values;
	size_t domain_cnt;
	struct budget *budgets; /* by index; none: nothing is counted */
	size_t budget_cnt;
};

struct site; /* policy/site.h: the datasets that the site registers */

/*
 * Loads FILE. Everything wrong is added to diags (errors and warnings), never just the first.
 * Returns 0 and the policy (free with policy_free) if there was no error, else -EINVAL; -ENOENT
 * and the like if the file itself cannot be read (also in diags).
 */
int policy_load(const char *file, const struct site *site, struct diag_list *diags,
		struct policy **ret_policy);

/*
 * The same from text already in memory: a canonical form, say. origin_name stands for the file's
 * name.
 */
int policy_parse(const char *text, size_t len, const char *origin_name, const struct site *site,
		 struct diag_list *diags, struct policy **ret_policy);

/* One more who holds it, from any thread: that many more policy_free(). Returns the policy. */
struct policy *policy_hold(struct policy *policy);

/* Lets go of it; the last one frees it. May be NULL. */
void policy_free(struct policy *policy);

/* What `jobcage policy check` says about a file that is sound. */
struct policy_check {
	bool is_allowlist; /* an egress allowlist: it has no digest of its own */
	char name[65];
	char digest[65];
	size_t rule_cnt;
};

/* Checks a policy or an egress allowlist, whichever the file is; the rest as policy_load(). */
int policy_check(const char *file, const struct site *site, struct diag_list *diags,
		 struct policy_check *ret_check);

/*
 * The rule of a kernel rule number, or NULL for RULE_NONE and numbers that the policy does not
 * have.
 */
const struct rule *policy_rule(const struct policy *policy, uint32_t number);

/*
 * Whether the path is at or below a private path or the scratch. A filesystem rule for such a path
 * speaks of the job's own directory, where it may write anyway (no other access is accepted there),
 * so it must not open the host's. A dataset stays closed wherever it is: ask for RULE_FILESYSTEM
 * only.
 */
bool policy_path_is_private(const struct policy *policy, const char *path);

/* Whether a variable of the launcher, "NAME" or "NAME=VALUE", passes the filter. */
bool environment_keeps(const struct environment *environment, const char *variable);

#define EGRESS_PORTS_MAX (1U << 22) /* 48 MiB of kernel memory for one policy */

/*
 * Flattens the egress and ingress rules. Where rules overlap, the one of the longest prefix decides, then the
 * earlier one of the table. Returns 0; -ENOMEM; -E2BIG if the result would exceed
 * EGRESS_PORTS_MAX ranges. Free with egress_tables_free().
 */
int egress_compile(const struct policy *policy, struct egress_tables *ret_tables);
void egress_tables_free(struct egress_tables *tables);

/* Whether the job asks resolvers, and reaches what the kernel learns from their answers. */
bool policy_has_names(const struct policy *policy);

/* By which the kernel knows a domain: other than 0, the same in every policy. */
__u64 domain_id(const char *text);

/*
 * What is open by a name that the kernel meets, lower case, without a dot at its end: the domain's entry in
 * the tables. NULL: no rule names it.
 */
const struct domain_value *names_find(const struct egress_tables *tables, const char *name);
/* More rules with a budget than anybody has told apart. */
#define BUDGET_RULES_MAX (BUDGET_INBOUND - 1)

/*
 * The policy's budgets in order of their index, the job's first; none (NULL, 0) if neither a rule nor
 * the limits have one. Returns 0 or -ENOMEM; free() them.
 */
int budgets_of(const struct policy *policy, struct budget **ret_budgets, size_t *ret_cnt);

/* Whether what leaves the job is neither judged nor counted. */
bool policy_leaves_egress_open(const struct policy *policy);

#endif
