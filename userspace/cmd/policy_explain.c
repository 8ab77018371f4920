// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage policy explain: may a job under this policy connect there, or be connected to, and by which
 * rule?
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "cmd/cmd.h"
#include "policy/explain.h"
#include "policy/rule.h"
#include "policy/site.h"

#define STATUS_ALLOWED 0
#define STATUS_DENIED 1
#define STATUS_ERROR 125

static const char usage_text[] =
	"usage: jobcage policy explain [--site FILE] [--json] [--protocol WORD]\n"
	"                              {--connect ADDRESS | --accept ADDRESS}... FILE\n"
	"\n"
	"Says whether a job under the policy may connect to an address and port, or be reached\n"
	"by one, and by which rule, from the tables that the kernel would get. Needs neither\n"
	"root nor the kernel. ADDRESS is 192.0.2.1:443 or [2001:db8::1]:443; of --accept it is\n"
	"the peer's address and the job's own port. Names are not looked up.\n"
	"\n"
	"  -c, --connect ADDRESS  may the job connect or send there?\n"
	"  -a, --accept ADDRESS   may that peer connect or send to that port of the job?\n"
	"  -p, --protocol WORD    tcp (the default) or udp, of what follows\n"
	"  -s, --site FILE        the site's datasets (default: " SITE_FILE ", if it is there)\n"
	"  -j, --json             one JSON object a line\n"
	"  -h, --help             print this text\n"
	"\n"
	"Exit status: 0 if all of it is allowed, 1 if something is denied, 125 if it cannot be said.\n";

struct question {
	const char *text;
	struct flow flow;
};

struct options {
	const char *site_file; /* NULL: the default one */
	struct question *questions;
	size_t question_cnt;
	bool is_json;
	bool is_help;
};

static void options_clear(struct options *options)
{
	free(options->questions);
}

static int usage_error(const char *what, const char *word)
{
	if (what)
		fprintf(stderr, "jobcage policy: %s%s\n", what, word);
	fputs("Try 'jobcage policy explain --help'.\n", stderr);
	return STATUS_ERROR;
}

static bool add_question(struct options *options, const char *text, uint8_t protocol, bool is_inbound)
{
	struct question question = { text, { .protocol = protocol, .is_inbound = is_inbound } };
	struct question *questions;

	if (!flow_parse(text, &question.flow)) {
		usage_error("not an address and port: ", text);
		return false;
	}
	questions = reallocarray(options->questions, options->question_cnt + 1, sizeof(*questions));
	if (!questions)
		return false;
	questions[options->question_cnt++] = question;
	options->questions = questions;
	return true;
}

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{ "connect", required_argument, NULL, 'c' },
		{ "accept", required_argument, NULL, 'a' },
		{ "protocol", required_argument, NULL, 'p' },
		{ "site", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint8_t protocol = IPPROTO_TCP;
	bool is_good = true;
	int option;

	optind = 0; /* another command's options may have been parsed before */
	while (is_good && (option = getopt_long(argc, argv, "c:a:p:s:jh", table, NULL)) != -1) {
		switch (option) {
		case 'c':
		case 'a':
			is_good = add_question(options, optarg, protocol, option == 'a');
			break;
		case 'p':
			is_good = !strcmp(optarg, "tcp") || !strcmp(optarg, "udp");
			protocol = *optarg == 'u' ? IPPROTO_UDP : IPPROTO_TCP;
			if (!is_good)
				usage_error("the protocol is tcp or udp, not ", optarg);
			break;
		case 's':
			options->site_file = optarg;
			break;
		case 'j':
			options->is_json = true;
			break;
		case 'h':
			options->is_help = true;
			break;
		default:
			usage_error(NULL, NULL); /* getopt has said why */
			is_good = false;
		}
	}
	return is_good ? 0 : -EINVAL;
}

static void print_json(const struct question *question, const struct explanation *explanation)
{
	const char *protocol = question->flow.protocol == IPPROTO_UDP ? "udp" : "tcp";
	json_t *line = json_pack("{s:s, s:s, s:s, s:b, s:s?}", "address", question->text, "protocol",
				 protocol, "direction", question->flow.is_inbound ? "in" : "out",
				 "allowed", explanation->is_allowed, "rule",
				 explanation->rule ? explanation->rule->id : NULL);

	if (line && !json_dumpf(line, stdout, 0))
		putchar('\n');
	json_decref(line);
}

static void print_text(const struct question *question, const struct explanation *explanation)
{
	const char *protocol = question->flow.protocol == IPPROTO_UDP ? "udp" : "tcp";
	const char *section = question->flow.is_inbound ? "ingress" : "egress";
	const struct rule *rule = explanation->rule;

	printf("%s/%s: %s: ", question->text, protocol, explanation->is_allowed ? "allowed" : "denied");
	if (rule)
		printf("rule \"%s\" (%s:%u:%u) allows it\n", rule->id, rule->origin.file,
		       rule->origin.line, rule->origin.column);
	else
		printf("no rule names it, and %s.default is \"%s\"%s\n", section,
		       explanation->is_allowed ? "allow" : "deny",
		       explanation->is_loopback && !explanation->is_allowed ?
			       "; the job's own sockets reach each other there" : "");
}

static int explain_all(const struct options *options, const struct policy *policy)
{
	struct egress_tables tables;
	int status = STATUS_ALLOWED;

	if (egress_compile(policy, &tables)) {
		fputs("jobcage policy explain: the policy's rules are too many\n", stderr);
		return STATUS_ERROR;
	}
	for (size_t i = 0; i < options->question_cnt; i++) {
		const struct question *question = &options->questions[i];
		struct explanation explanation = explain_flow(policy, &tables, &question->flow);

		if (!explanation.is_allowed)
			status = STATUS_DENIED;
		if (options->is_json)
			print_json(question, &explanation);
		else
			print_text(question, &explanation);
	}
	egress_tables_free(&tables);
	if (fflush(stdout) || ferror(stdout))
		return STATUS_ERROR;
	return status;
}

static int explain_file(const struct options *options, const char *file)
{
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	struct policy *policy = NULL;
	int status = STATUS_ERROR;

	if (!site_find(options->site_file, &diags, &site))
		policy_load(file, site, &diags, &policy);
	diag_print(&diags, stderr);
	if (policy)
		status = explain_all(options, policy);
	policy_free(policy);
	site_free(site);
	diag_free(&diags);
	return status;
}

int cmd_policy_explain(int argc, char **argv)
{
	_cleanup_(options_clear) struct options options = { 0 };

	if (parse_options(argc, argv, &options))
		return STATUS_ERROR;
	if (options.is_help) {
		fputs(usage_text, stdout);
		return STATUS_ALLOWED;
	}
	if (!options.question_cnt)
		return usage_error("nothing is asked", "");
	if (optind + 1 != argc)
		return usage_error("one policy file is needed", "");
	return explain_file(&options, argv[optind]);
}
