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

#include "abi/policy.h"
#include "base/diag.h"

enum rule_class {
	RULE_DATASET = 1, /* a grant, or the 'none' that a registered dataset gets without one */
	RULE_FILESYSTEM = 2,
	RULE_EXEC = 3,
	RULE_EGRESS = 4,
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
	char *path;           /* DATASET, FILESYSTEM, EXEC: absolute, as written; else NULL */
	char *dataset;        /* DATASET: its name; else NULL */
	bool is_optional;     /* FILESYSTEM, EXEC: if the path is absent, the rule is left out */
	uint8_t access;       /* DATASET, FILESYSTEM: enum access; EXEC: enum exec_access */
	uint8_t addr[16];     /* EGRESS: network order, IPv4 mapped, host bits zero */
	uint8_t prefixlen;    /* EGRESS: 0..128; an IPv4 prefix is 96 + n */
	uint8_t protocol_cnt; /* EGRESS: entries of protocol */
	uint8_t protocol[2];  /* EGRESS: IPPROTO_TCP, IPPROTO_UDP */
	struct rule_ports *ports; /* EGRESS: at least one; sorted, disjoint, not adjacent */
	size_t port_cnt;
};

struct policy {
	char *file; /* as given to policy_load() */
	char *name;
	char *canonical; /* merged: sorted keys, no white space; parses to the same policy */
	char digest[65]; /* SHA-256 of canonical, lower-case hex */
	enum policy_mode mode;
	enum access file_default;
	enum exec_access exec_default;
	enum egress_default egress_default;
	struct rule *rules;
	size_t rule_cnt;
	char **files; /* every file that an origin names; the policy owns them */
	size_t file_cnt;
};

/*
 * The egress rules as kernel tables. nets is free of duplicates; ports holds the spans that nets
 * point to. A net may have no ports at all: ::ffff:0:0/96, when an IPv6 prefix such as ::/0 would
 * otherwise take in IPv4.
 */
struct egress_tables {
	struct net_key *net_keys;
	struct net_value *net_values;
	size_t net_cnt;
	struct port_range *ports;
	size_t port_cnt;
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

#define EGRESS_PORTS_MAX (1U << 22) /* 48 MiB of kernel memory for one policy */

/*
 * Flattens the egress rules. Where rules overlap, the one of the longest prefix decides, then the
 * earlier one of the table. Returns 0; -ENOMEM; -E2BIG if the result would exceed
 * EGRESS_PORTS_MAX ranges. Free with egress_tables_free().
 */
int egress_compile(const struct policy *policy, struct egress_tables *ret_tables);
void egress_tables_free(struct egress_tables *tables);

#endif
