// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a job has sent; see spent.h. */
#include "daemon/spent.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/endpoint.h"
#include "base/cleanup.h"
#include "kern/budget.h"

bool spent_is_counted(const struct job *job)
{
	struct spent spent;

	return !spent_read(job->rulesets->kern, job->label, 0, &spent);
}

static json_t *budget_report(const struct job *job, const struct budget *budget)
{
	const struct rule *rule = policy_rule(job->rules->policy, budget->rule);
	struct spent spent = { 0 };

	spent_read(job->rulesets->kern, job->label, budget->id, &spent);
	return json_pack("{s:s, s:o, s:I, s:I}", "id", rule ? rule->id : "limits.egress_bytes",
			 "max_bytes",
			 budget->max_bytes == UINT64_MAX ?
				 json_null() :
				 json_integer((json_int_t)budget->max_bytes),
			 "bytes", (json_int_t)spent.bytes, "refused", (json_int_t)spent.refused_cnt);
}

json_t *spent_budgets(const struct job *job)
{
	_cleanup_free_ struct budget *budgets = NULL;
	json_auto_t *reports = json_array();
	size_t cnt;

	if (!reports || budgets_of(job->rules->policy, &budgets, &cnt))
		return NULL;
	for (size_t i = 1; i <= cnt; i++)
		if (json_array_append_new(reports, budget_report(job, &budgets[i % cnt])))
			return NULL;
	return json_incref(reports);
}

static bool put(json_t *report, const char *key, json_t *value)
{
	return !json_object_set_new(report, key, value);
}

static json_t *destination_report(const struct destination_count *count)
{
	const struct destination_key *key = &count->key;
	const struct destination_value *value = &count->value;
	struct event_net net = { .port = key->port, .family = AF_INET6, .protocol = key->protocol };
	json_auto_t *report = json_pack("{s:I, s:I, s:I}", "bytes", (json_int_t)value->bytes,
					"packets", (json_int_t)value->packets, "connections",
					(json_int_t)value->connections);
	struct endpoint end;

	if (!report || !key->protocol)
		return report ? json_incref(report) : NULL;
	memcpy(net.addr, key->addr, sizeof(net.addr));
	end = endpoint_of(&net);
	if (!put(report, "ip", json_string(end.ip)) ||
	    !put(report, "port", json_integer(key->port)) ||
	    !put(report, "protocol", json_string(end.protocol_name)) ||
	    !put(report, "direction", json_string(key->is_inbound ? "in" : "out")))
		return NULL;
	return json_incref(report);
}

json_t *spent_by_destination(const struct job *job)
{
	_cleanup_free_ struct destination_count *counts = NULL;
	json_auto_t *reports = json_array();
	size_t cnt = 0;

	if (!reports || spent_destinations(job->rulesets->kern, job->label, &counts, &cnt))
		return NULL;
	for (size_t i = 0; i < cnt; i++)
		if ((counts[i].key.protocol || counts[i].value.packets) &&
		    json_array_append_new(reports, destination_report(&counts[i])))
			return NULL;
	return json_incref(reports);
}
