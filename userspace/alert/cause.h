/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a verdict is what it is: the rule, the policy's default, or one of the conditions built into
 * the kernel programs.
 *
 * Everything has an id that goes into firewall_rule.uid: a rule its own, a default
 * "filesystem.default", "exec.default" or "egress.default", a built-in condition one of the table
 * in cause.c, which is the only place that lists them.
 */
#ifndef JOBCAGE_ALERT_CAUSE_H
#define JOBCAGE_ALERT_CAUSE_H

#include "abi/event.h"
#include "alert/json_out.h"
#include "policy/policy.h"

struct cause {
	enum event_reason reason;
	enum event_kind kind;
	enum event_op op;
	const struct policy *policy;
	const struct rule *rule; /* REASON_RULE, REASON_BUDGET: the rule; NULL if the policy has none of the number */
	uint32_t number;         /* the same: its number; RULE_NONE: the job's budget */
};

struct cause cause_of(const struct policy *policy, const struct event *event);

/* OCSF firewall_rule. */
void cause_write_rule(struct json_out *out, const char *key, const struct cause *cause);

/* 'rule "ckpt" grants read', 'no rule names it, and filesystem.default is "none"': part of a string. */
void cause_explain(struct json_out *out, const struct cause *cause);

/* What to do when no policy entry can allow it: sentences, or NULL if one can. */
const char *cause_remedy(const struct cause *cause);

#endif
