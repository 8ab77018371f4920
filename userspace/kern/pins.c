// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The names of what is pinned; see pins.h. */
#include "kern/pins.h"

const char *const pin_map_names[KERN_MAPS] = {
	[MAP_JOB_BY_TASK] = "job_by_task",       [MAP_JOB_BY_CGROUP] = "job_by_cgroup",
	[MAP_JOB_BY_ATTACH] = "job_by_attach",   [MAP_TABLES] = "tables",
	[MAP_STATS_BY_JOB] = "stats_by_job",     [MAP_RING_BY_JOB] = "ring_by_job",
	[MAP_ROOTS_BY_POLICY] = "roots_by_policy",
	[MAP_NETS_BY_POLICY] = "nets_by_policy", [MAP_PORTS_BY_POLICY] = "ports_by_policy",
	[MAP_KERNEL_STATS] = "kernel_stats",     [MAP_IDENTIFY_REQ] = "identify_req",
	[MAP_LABEL_REQ] = "label_req",           [MAP_KERNEL_BUILD] = "kernel_build",
	[MAP_EVIDENCE_BY_GROUP] = "evidence_by_group",
	[MAP_NAMES_BY_POLICY] = "names_by_policy", [MAP_DOMAINS_BY_POLICY] = "domains_by_policy",
	[MAP_RESOLVERS_BY_POLICY] = "resolvers_by_policy", [MAP_LEARNED_BY_JOB] = "learned_by_job",
	[MAP_BUDGET_BY_RULE] = "budget_by_rule", [MAP_SPENT_BY_JOB] = "spent_by_job",
	[MAP_DESTINATION_BY_JOB] = "destination_by_job", [MAP_MARK_BY_SOCK] = "mark_by_sock",
};

const char *const pin_prog_names[KERN_PROGS] = {
	[PROG_CONNECT4] = "egress_connect4", [PROG_CONNECT6] = "egress_connect6",
	[PROG_SENDMSG4] = "egress_sendmsg4", [PROG_SENDMSG6] = "egress_sendmsg6",
	[PROG_SOCK_CREATE] = "egress_sock_create",
	[PROG_PACKET_OUT] = "packet_egress",
	[PROG_PACKET_IN] = "packet_ingress",
	[PROG_IDENTIFY] = "identify_files",  [PROG_MEMBERS] = "member_tasks",
	[PROG_LABEL] = "enter_tasks",
	[PROG_DNS_OUT] = "dns_egress",       [PROG_DNS_IN] = "dns_ingress",
};
