// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage policy explain: may a job under this policy connect there, or be connected to, and by which
 * rule?
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "cmd/cmd.h"
#include "cmd/command.h"
#include "policy/explain.h"
#include "policy/site.h"

#define STATUS_ALLOWED 0
#define STATUS_DENIED 1
#define STATUS_ERROR 125

struct options {
	struct option_list questions; /* --connect, --accept and --protocol, as they come */
	const char *site;             /* NULL: the default one */
	bool json;
};

static const struct option_row rows[] = {
	OPTION_LIST(struct options, questions, 'c', "connect", "ADDRESS",
		    "may the job connect or send there?"),
	OPTION_LIST(struct options, questions, 'a', "accept", "ADDRESS",
		    "may that peer connect or send to that port of the job?"),
	OPTION_LIST(struct options, questions, 'p', "protocol", "WORD",
		    "tcp (the default) or udp, of what follows"),
	OPTION_WORD(struct options, site, 's', "site", "FILE",
		    "the site's datasets (default: " SITE_FILE ", if it exists)"),
	OPTION_FLAG(struct options, json, 'j', "json", "one JSON object a line"),
	OPTION_END,
};

static const struct command command = {
	.name = "policy explain",
	.synopsis = "[OPTION...] {--connect ADDRESS | --accept ADDRESS}... FILE",
	.about =
		"Says whether a job under the policy may connect to an address and port, or be reached\n"
		"by one, and by which rule, from the tables that the kernel would get. Needs neither\n"
		"root nor the kernel. ADDRESS is 192.0.2.1:443 or [2001:db8::1]:443; of --accept it is\n"
		"the peer's address and the job's own port. --connect also takes a name, a.example:443, which is not\n"
		"looked up: may the job ask for it, and connect to what it is told?",
	.rows = rows,
	.notes =
		"Exit status: 0 if all of it is allowed, 1 if something is denied, 125 if it cannot be said.",
	.words_min = 1,
	.words_max = 1,
	.usage_status = STATUS_ERROR,
};

struct question {
	const char *text;
	struct flow flow;
};

struct questions {
	struct question *items;
	size_t cnt;
};

static void questions_free(struct questions *questions)
{
	free(questions->items);
}

/* Returns -1 to go on, or an exit status. */
static int read_question(const struct option_given *given, uint8_t *protocol,
			 struct questions *questions)
{
	struct question *question = &questions->items[questions->cnt];

	if (!strcmp(given->name, "protocol")) {
		if (strcmp(given->value, "tcp") && strcmp(given->value, "udp"))
			return command_misused(&command, "the protocol is tcp or udp, not '%s'",
					       given->value);
		*protocol = *given->value == 'u' ? IPPROTO_UDP : IPPROTO_TCP;
		return -1;
	}
	*question = (struct question){
		.text = given->value,
		.flow = { .protocol = *protocol, .is_inbound = !strcmp(given->name, "accept") },
	};
	if (!flow_parse(given->value, &question->flow) &&
	    (question->flow.is_inbound || !flow_parse_name(given->value, &question->flow)))
		return command_misused(&command, "'%s' is no address%s with a port", given->value,
				       question->flow.is_inbound ? "" : " or name");
	questions->cnt++;
	return -1;
}

/* Returns -1 to go on, or an exit status. */
static int read_questions(const struct option_list *given, struct questions *questions)
{
	uint8_t protocol = IPPROTO_TCP;
	int status = -1;

	questions->items = calloc(given->cnt + 1, sizeof(*questions->items));
	if (!questions->items)
		return command_misused(&command, "out of memory");
	for (size_t i = 0; status < 0 && i < given->cnt; i++)
		status = read_question(&given->items[i], &protocol, questions);
	if (status < 0 && !questions->cnt)
		return command_misused(&command, "--connect or --accept is needed");
	return status;
}

static void print_json(const struct question *question, const struct explanation *explanation)
{
	const char *protocol = question->flow.protocol == IPPROTO_UDP ? "udp" : "tcp";
	uint64_t max_bytes = explanation->rule ? explanation->rule->max_bytes : 0;
	json_t *line = json_pack("{s:s, s:s, s:s, s:b, s:s?, s:o}", "address", question->text,
				 "protocol", protocol, "direction",
				 question->flow.is_inbound ? "in" : "out", "allowed",
				 explanation->is_allowed, "rule",
				 explanation->rule ? explanation->rule->id : NULL, "max_bytes",
				 max_bytes ? json_integer((json_int_t)max_bytes) : json_null());

	if (line && !json_dumpf(line, stdout, 0))
		putchar('\n');
	json_decref(line);
}

static void print_rule(const struct rule *rule, const struct explanation *explanation)
{
	printf("rule \"%s\" (%s:%u:%u) allows it", rule->id, rule->origin.file, rule->origin.line,
	       rule->origin.column);
	if (rule->max_bytes)
		printf(", %llu bytes a job", (unsigned long long)rule->max_bytes);
	if (explanation->is_public_only)
		fputs(", unless the address is private", stdout);
	putchar('\n');
}

static void print_text(const struct question *question, const struct explanation *explanation)
{
	const char *protocol = question->flow.protocol == IPPROTO_UDP ? "udp" : "tcp";
	const char *section = question->flow.is_inbound ? "ingress" : "egress";
	const struct rule *rule = explanation->rule;

	printf("%s/%s: %s: ", question->text, protocol,
	       explanation->is_allowed ? "allowed" : "denied");
	if (rule)
		print_rule(rule, explanation);
	else
		printf("no rule names it, and %s.default is \"%s\"%s\n", section,
		       explanation->is_allowed ? "allow" : "deny",
		       explanation->is_loopback && !explanation->is_allowed
			       ? "; the job's own sockets reach each other there"
			       : "");
}

static int explain_all(const struct options *options, const struct questions *questions,
		       const struct policy *policy)
{
	struct egress_tables tables;
	int status = STATUS_ALLOWED;

	if (egress_compile(policy, &tables)) {
		command_error(&command, "the policy's rules are too many");
		return STATUS_ERROR;
	}
	for (size_t i = 0; i < questions->cnt; i++) {
		const struct question *question = &questions->items[i];
		struct explanation explanation = explain_flow(policy, &tables, &question->flow);

		if (!explanation.is_allowed)
			status = STATUS_DENIED;
		if (options->json)
			print_json(question, &explanation);
		else
			print_text(question, &explanation);
	}
	egress_tables_free(&tables);
	return command_printed(&command) ? status : STATUS_ERROR;
}

static int explain_file(const struct options *options, const struct questions *questions,
			const char *file)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	struct policy *policy = NULL;
	int status = STATUS_ERROR;

	if (!site_find(options->site, &diags, &site))
		policy_load(file, site, &diags, &policy);
	diag_print(&diags, stderr);
	if (policy)
		status = explain_all(options, questions, policy);
	policy_free(policy);
	site_free(site);
	diag_free(&diags);
	return status;
}

int cmd_policy_explain(int argc, char **argv)
{
	_cleanup_(questions_free) struct questions questions = { 0 };
	struct options options = { 0 };
	char **files;
	int status = command_parse(&command, argc, argv, &options, &files);

	if (status < 0)
		status = read_questions(&options.questions, &questions);
	if (status < 0)
		status = explain_file(&options, &questions, *files);
	option_list_free(&options.questions);
	return status;
}
