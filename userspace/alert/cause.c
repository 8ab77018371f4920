// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Why a verdict is what it is; see cause.h. */
#include "alert/cause.h"

#include <stdio.h>
#include <stdlib.h>

#include "alert/endpoint.h"
#include "alert/op.h"
#include "base/cleanup.h"
#include "policy/rule.h"

/*
 * Conditions that no policy entry can change, or no default. docs/alerts.md lists the same ids; a test holds the
 * two together.
 */
struct builtin {
	const char *id;
	const char *condition; /* also the sentence's "because" */
	const char *remedy; /* NULL: a rule can */
};

/* clang-format off */
static const struct builtin builtins[] = {
	[REASON_WALK_LIMIT] = {
		"builtin:walk-limit",
		"it lies deeper in its file system than paths are followed",
		"No policy entry can allow it: use a path with fewer directories.",
	},
	[REASON_DISCONNECTED] = {
		"builtin:disconnected",
		"it has no path to the root of its file system, as when it is opened by a file handle",
		"No policy entry can allow it: open the file by its path.",
	},
	[REASON_NAMELESS] = {
		"builtin:nameless-exec",
		"code must come from a file with a name, and this one is a memfd, deleted or otherwise nameless",
		"No policy entry can allow it: run the program from a file that exec.allow names.",
	},
	[REASON_PROTECTED] = {
		"builtin:protected-path",
		"a path that a rule names, and the directories above it, must keep their place while the job runs",
		"No policy entry can allow it: use a directory below the one that the rule names.",
	},
	[REASON_OWN] = {
		"builtin:own-files",
		"jobcage's own pins, state and alerts are closed to every job",
		"No policy entry can allow it.",
	},
	[REASON_FAMILY] = {
		"builtin:address-family",
		"rules name TCP and UDP over IPv4 and IPv6, and nothing else leaves",
		"No policy entry can allow it: use TCP or UDP over IPv4 or IPv6.",
	},
	[REASON_LEFT_CGROUP] = {
		"builtin:left-cgroup",
		"the process was moved out of the job's cgroup, where nothing would judge what the socket sends",
		"No policy entry can allow it: leave the job's processes where they are.",
	},
	[REASON_HEADER] = {
		"builtin:packet-header",
		"a packet with IP options, with IPv6 extension headers or in fragments may go elsewhere than it says",
		"No policy entry can allow it: send it without them.",
	},
	[REASON_KERNEL_FILE] = {
		"builtin:kernel-files",
		"it controls the kernel, so that only a rule can open it for writing, and no default",
		NULL,
	},
	[REASON_DEVICE] = {
		"builtin:devices",
		"it is a device, which takes orders from whoever has it open, so that only a rule can open it, and no default",
		NULL,
	},
	[REASON_NODE] = {
		"builtin:device-nodes",
		"a node would be the device of its number under the rules of its place, so a job makes none but "
		"null, zero, full, random, urandom, tty and ptmx",
		"No policy entry can allow it: let a rule name the node in /dev, or 'devices' what it is for.",
	},
	[REASON_TERMINAL] = {
		"builtin:terminal-input",
		"whoever reads from the terminal next would take it for typed",
		"No policy entry can allow it.",
	},
	[REASON_LINKED] = {
		"builtin:hard-link",
		"the file has another name (hard link), which may be in a dataset that the job may not write to",
		"No policy entry can allow it: give the job a copy of the file, or keep its own files on another "
		"file system than the datasets.",
	},
	[REASON_MOVED_SOCKET] = {
		"builtin:moved-socket",
		"a Unix socket, or a directory that may have one, would come to where a rule opens Unix sockets, whoever listens at it",
		"Let 'unix.allow' name the place where it is as well, or bind the socket where it is to be.",
	},
	[REASON_INDIRECT] = {
		"builtin:indirect-ioctl",
		"the command works on files that the caller's memory names, which cannot be judged",
		"No policy entry can allow it: copy the files.",
	},
	[REASON_RING] = {
		"builtin:foreign-ring",
		"an io_uring that was made outside the job acts for whoever made it",
		"No policy entry can allow it: make the ring in the job.",
	},
	[REASON_OVERLAY] = {
		"builtin:overlay",
		"what an overlay does to its layers cannot be judged, so no job mounts one",
		"No policy entry can allow it: mount it before the job starts.",
	},
	[REASON_FOREIGN_SOCKET] = {
		"builtin:foreign-socket",
		"it was made outside the job, where nothing judges what is sent through it",
		"No policy entry can allow it: make the socket in the job.",
	},
	[REASON_OUTSIDE] = {
		"builtin:outside-process",
		"a job reaches its own processes only, and this one is not of the job",
		"No policy entry can allow it.",
	},
	[REASON_BPF] = {
		"builtin:bpf",
		"bpf() could take jobcage's own programs out of the kernel, so it is closed to every job",
		"No policy entry can allow it.",
	},
	[REASON_HELPER] = {
		"builtin:kernel-helper",
		"the kernel would start a program outside the job, with words of the job's",
		"No policy entry can allow it: use keys that are there already.",
	},
	[REASON_OBJECT] = {
		"builtin:outside-object",
		"what a job makes is its own, and what was made outside, or by another job, is not for it",
		"No policy entry can allow it: make and use it in one job.",
	},
	[REASON_QUEUE] = {
		"builtin:message-queue",
		"whoever opens a POSIX message queue takes what is in it for others, so no default opens one",
		NULL,
	},
	[REASON_ALL_QUOTAS] = {
		"builtin:all-quotas",
		"every file system of the machine would write its quotas",
		"No policy entry can allow it: name one file system.",
	},
	[REASON_SETID] = {
		"builtin:set-id-program",
		"whoever starts it, outside too, would run as its owner or with its group",
		"To allow it, name CAP_SETFCAP in the policy's capabilities.",
	},
	[REASON_OWNER] = {
		"builtin:signal-owner",
		"a descriptor may signal none but the process that asks for it",
		"No policy entry can allow it: use F_SETOWN with the process's own id.",
	},
	[REASON_QUESTION] = {
		"builtin:dns-question",
		"a resolver is asked for an address of one name at a time: more could carry out anything, and what comes from "
		"port 53 of a job could look like an answer",
		"No policy entry can allow it: ask for A, AAAA or HTTPS, one question a datagram, without a client subnet.",
	},
	[REASON_PRIVATE] = {
		"builtin:private-address",
		"a name that a rule opens leads there, and no name opens addresses of this machine, its link or of "
		"private networks by itself",
		"To allow it, add \"private\": true to that rule if the address is one of a private network; else add a rule "
		"with the address as 'cidr'.",
	},
	[REASON_NOT_IN_FORCE] = {
		"builtin:not-in-force",
		"the job has no policy in force, so nothing is allowed",
		"No policy entry can allow it: start the job again; if this repeats, give the output of 'jobcage doctor' "
		"and this event to the administrator.",
	},
};

static const char *const class_words[] = {
	[RULE_DATASET] = "dataset",
	[RULE_FILESYSTEM] = "filesystem",
	[RULE_EXEC] = "exec",
	[RULE_EGRESS] = "egress",
	[RULE_INGRESS] = "ingress",
	[RULE_RESOLVER] = "resolver",
	[RULE_UNIX] = "unix",
};

static const char *const access_words[] = {
	[ACCESS_UNSET] = "unset",
	[ACCESS_NONE] = "none",
	[ACCESS_READ] = "read",
	[ACCESS_WRITE] = "write",
};
/* clang-format on */

static const char *access_word(unsigned int access)
{
	return access < ARRAY_SIZE(access_words) ? access_words[access] : "unknown";
}

static const char *allow_word(bool is_allowed)
{
	return is_allowed ? "allow" : "deny";
}

struct cause cause_of(const struct policy *policy, const struct event *event)
{
	struct cause cause = { .reason = event->reason, .kind = event->kind, .policy = policy,
			       .op = event->op };

	if (event->reason == REASON_RULE || event->reason == REASON_BUDGET) {
		cause.number = event->rule;
		cause.rule = policy_rule(policy, event->rule);
	}
	return cause;
}

static const struct builtin *builtin_of(const struct cause *cause)
{
	if ((unsigned int)cause->reason < ARRAY_SIZE(builtins) && builtins[cause->reason].id)
		return &builtins[cause->reason];
	return NULL;
}

const char *cause_remedy(const struct cause *cause)
{
	const struct builtin *builtin = builtin_of(cause);

	if (cause->reason == REASON_BUDGET)
		return cause->number ? "To allow more, raise the rule's max_bytes." :
				       "To allow more, raise limits.egress_bytes.";
	return builtin ? builtin->remedy : NULL;
}

static const char *default_id(const struct cause *cause)
{
	if (cause->reason == REASON_MOUNTS)
		return "mounts";
	if (cause->reason == REASON_SOCKET)
		return "sockets.default";
	if (cause->op == OP_PACKET_IN)
		return "ingress.default";
	if (op_info(cause->op)->is_unix)
		return "unix.default";
	if (cause->reason == REASON_CAPABILITY)
		return "capabilities.default";
	if (cause->reason == REASON_USER_NAMESPACE)
		return "user_namespaces.default";
	if (cause->kind == EVENT_EXEC)
		return "exec.default";
	return cause->kind == EVENT_NET ? "egress.default" : "filesystem.default";
}

static const char *default_value(const struct cause *cause)
{
	if (cause->reason == REASON_SOCKET || cause->reason == REASON_MOUNTS ||
	    cause->reason == REASON_CAPABILITY || cause->reason == REASON_USER_NAMESPACE)
		return "deny";
	if (cause->op == OP_PACKET_IN)
		return allow_word(cause->policy->ingress_default == INGRESS_ALLOW);
	if (op_info(cause->op)->is_unix)
		return allow_word(cause->policy->unix_default == UNIX_ALLOW);
	if (cause->kind == EVENT_EXEC)
		return allow_word(cause->policy->exec_default == EXEC_ALLOW);
	if (cause->kind == EVENT_NET)
		return allow_word(cause->policy->egress_default == EGRESS_ALLOW);
	return access_word(cause->policy->file_default);
}

static void write_net(struct json_out *out, const struct rule *rule)
{
	char ip[INET6_ADDRSTRLEN];
	bool is_v4 = address_print(rule->addr, ip) == 4 && rule->prefixlen >= 96;

	if (rule->domain)
		out_add_string(out, rule->domain);
	else
		out_addf(out, "%s/%u", ip, rule->prefixlen - (is_v4 ? 96U : 0U));
	for (size_t i = 0; i < rule->protocol_cnt && i < ARRAY_SIZE(rule->protocol); i++)
		out_addf(out, "%s%s", i ? "," : " ",
			 rule->protocol[i] == IPPROTO_UDP ? "udp" : "tcp");
	for (size_t i = 0; i < rule->port_cnt; i++) {
		out_addf(out, "%s%u", i ? "," : " ", rule->ports[i].lo);
		if (rule->ports[i].hi != rule->ports[i].lo)
			out_addf(out, "-%u", rule->ports[i].hi);
	}
}

/* A rule in one line: "/srv/data: read", "10.20.0.0/16 tcp 29500-29600". */
static void write_condition(struct json_out *out, const struct rule *rule)
{
	out_begin_string(out, "condition");
	if (rule_is_flow(rule)) {
		write_net(out, rule);
	} else {
		out_add_name(out, rule->path ? rule->path : "", QUOTES_IF_NEEDED);
		out_add(out, ": ");
		out_add(out, rule->class == RULE_UNIX ? allow_word(rule->access == UNIX_ALLOW) :
			     rule->class == RULE_EXEC ? allow_word(rule->access == EXEC_ALLOW) :
							access_word(rule->access));
	}
	out_end_string(out);
}

/* Where the rule stands: "digits-train.json:9:15". */
static void write_origin(struct json_out *out, const struct origin *origin)
{
	out_begin_string(out, "desc");
	out_add(out, origin->line ? "written at " : "written in ");
	out_add_name(out, origin->file ? origin->file : "-", QUOTES_NEVER);
	if (origin->line) {
		out_add(out, ":");
		out_add_uint(out, origin->line);
		out_add(out, ":");
		out_add_uint(out, origin->column);
	}
	out_end_string(out);
}

static void write_fixed(struct json_out *out, const char *id, const char *type,
			const char *condition)
{
	out_word(out, "uid", id);
	out_word(out, "name", id);
	out_word(out, "type", type);
	out_word(out, "condition", condition);
}

static void write_rule(struct json_out *out, const struct rule *rule, const char *type)
{
	out_text(out, "uid", rule->id);
	out_text(out, "name", rule->dataset ? rule->dataset : rule->id);
	out_word(out, "type", type);
	write_condition(out, rule);
	write_origin(out, &rule->origin);
}

void cause_write_rule(struct json_out *out, const char *key, const struct cause *cause)
{
	const struct builtin *builtin = builtin_of(cause);
	bool is_budget = cause->reason == REASON_BUDGET;
	char number[32];

	snprintf(number, sizeof(number), "rule:%u", cause->number);
	out_open(out, key);
	if (builtin)
		write_fixed(out, builtin->id, "builtin", builtin->condition);
	else if (is_budget && !cause->number)
		write_fixed(out, "limits.egress_bytes", "budget", "all that leaves the job");
	else if (cause->reason != REASON_RULE && !is_budget)
		write_fixed(out, default_id(cause), "default", default_value(cause));
	else if (cause->rule)
		write_rule(out, cause->rule,
			   is_budget ? "budget" : class_words[cause->rule->class]);
	else
		write_fixed(out, number, "unknown", "this policy has no rule of that number");
	out_close(out);
}

static void explain_rule(struct json_out *out, const struct cause *cause)
{
	const struct rule *rule = cause->rule;

	if (!rule) {
		out_addf(out, "rule number %u decided, which this policy does not have",
			 cause->number);
		return;
	}
	out_add(out, "rule ");
	out_add_name(out, rule->id, QUOTES_ALWAYS);
	if (rule_is_flow(rule)) {
		out_add(out, " allows it");
	} else if (rule->class == RULE_UNIX) {
		out_add(out, rule->access == UNIX_ALLOW ? " allows it" : " denies it");
	} else if (rule->class == RULE_EXEC) {
		out_add(out, rule->access == EXEC_ALLOW ? " allows it" : " denies it");
	} else {
		out_add(out, " grants ");
		out_add(out, rule->access == ACCESS_NONE ? "no access" : access_word(rule->access));
	}
}

static void explain_budget(struct json_out *out, const struct cause *cause)
{
	const struct rule *rule = cause->rule;

	if (!cause->number) {
		out_addf(out, "what the job may send in all is spent: limits.egress_bytes is %llu",
			 (unsigned long long)cause->policy->limits.egress_bytes);
	} else if (!rule) {
		out_addf(out, "what rule number %u may send is spent", cause->number);
	} else {
		out_add(out, "what a job may send by rule ");
		out_add_name(out, rule->id, QUOTES_ALWAYS);
		out_addf(out, " is spent: its max_bytes is %llu",
			 (unsigned long long)rule->max_bytes);
	}
}

void cause_explain(struct json_out *out, const struct cause *cause)
{
	const struct builtin *builtin = builtin_of(cause);

	if (builtin) {
		out_add(out, builtin->condition);
		return;
	}
	if (cause->reason == REASON_RULE) {
		explain_rule(out, cause);
		return;
	}
	if (cause->reason == REASON_BUDGET) {
		explain_budget(out, cause);
		return;
	}
	if (cause->reason != REASON_MOUNTS)
		out_add(out, "no rule names it, and ");
	out_add(out, default_id(cause));
	out_add(out, " is ");
	out_add_name(out, default_value(cause), QUOTES_ALWAYS);
}
