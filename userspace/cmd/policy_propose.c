// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage policy propose: the policy that would have allowed what a log says was denied, or would have been.
 *
 * For after a run in audit mode. It is made of the advice that every such event carries. What no policy can allow, and what
 * the record does not have, is said.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "policy/proposal.h"

#define STATUS_WHOLE 0
#define STATUS_PART 1
#define STATUS_ERROR 125

static const char usage_text[] =
	"usage: jobcage policy propose [--job JOB] [--extends FILE] [--name NAME] LOG...\n"
	"\n"
	"Prints a policy that would have allowed what the logs say was denied, or would have been\n"
	"in audit mode. Needs neither root nor the kernel. Read it before you use it: it is what the\n"
	"job tried, whether it ought to or not.\n"
	"\n"
	"      --job JOB      only of this job\n"
	"      --extends FILE the policy that was in force; without it, the piece to add to that\n"
	"      --name NAME    of the new policy (default: that of the policy in force)\n"
	"  -h, --help         print this text\n"
	"\n"
	"Exit status: 0 if the policy would allow all of it, 1 if something of it no policy can\n"
	"allow or the record is not complete, 125 if no policy could be made.\n";

struct options {
	const char *job, *extends, *name;
	bool is_help;
};

/* What the logs came to. */
struct proposal {
	const struct options *options;
	json_t *policy;  /* owned */
	json_t *refused; /* owned: messages of what no policy can allow, as keys */
	char *name;      /* owned: of the policy in force; NULL: not seen */
	size_t decision_cnt;
	bool is_incomplete;
};

static void proposal_clear(struct proposal *proposal)
{
	json_decref(proposal->policy);
	json_decref(proposal->refused);
	free(proposal->name);
}

static int usage_error(const char *what)
{
	if (what)
		fprintf(stderr, "jobcage policy: %s\n", what);
	fputs("Try 'jobcage policy propose --help'.\n", stderr);
	return STATUS_ERROR;
}

static int parse_options(int argc, char **argv, struct options *ret_options)
{
	static const struct option table[] = {
		{ "job", required_argument, NULL, 'J' },
		{ "extends", required_argument, NULL, 'e' },
		{ "name", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct options options = { 0 };
	int option;

	optind = 0; /* another command's options may have been parsed before */
	while ((option = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (option) {
		case 'J': options.job = optarg; break;
		case 'e': options.extends = optarg; break;
		case 'n': options.name = optarg; break;
		case 'h': options.is_help = true; break;
		default: return -EINVAL; /* getopt has said why */
		}
	}
	*ret_options = options;
	return 0;
}

/* --- events ----------------------------------------------------------------------------------- */

static const char *text_at(const json_t *object, const char *outer, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(object, outer), key));

	return text ? text : "";
}

static int add_decision(struct proposal *proposal, const json_t *event, const json_t *details)
{
	const json_t *advice = json_object_get(details, "advice");
	const char *message = json_string_value(json_object_get(event, "message"));

	if (!proposal->name)
		proposal->name = strdup(text_at(event, "policy", "name"));
	proposal->decision_cnt++;
	if (advice)
		return proposal_add(proposal->policy, advice);
	return json_object_set_new(proposal->refused,
				   message ? message : "(an event without a message)", json_null())
		       ? -ENOMEM
		       : 0;
}

static bool is_denial(const char *verdict)
{
	return !strcmp(verdict, "deny") || !strcmp(verdict, "would-deny");
}

static int add_event(struct proposal *proposal, const json_t *event)
{
	const json_t *details = json_object_get(json_object_get(event, "unmapped"), "jobcage");
	const json_t *verdict = json_object_get(details, "verdict");

	if (proposal->options->job &&
	    strcmp(text_at(event, "metadata", "correlation_uid"), proposal->options->job))
		return 0;
	if (json_is_false(json_object_get(details, "complete")))
		proposal->is_incomplete = true;
	if (!json_is_string(verdict) || !is_denial(json_string_value(verdict)))
		return 0;
	return add_decision(proposal, event, details);
}

static int add_log(struct proposal *proposal, const char *file)
{
	_cleanup_file_ FILE *log = fopen(file, "re");
	_cleanup_free_ char *line = NULL;
	unsigned long number = 0;
	size_t size = 0;
	int err = log ? 0 : -errno;

	while (!err && getline(&line, &size, log) != -1) {
		json_auto_t *event = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		number++;
		err = event ? add_event(proposal, event) : -EINVAL;
	}
	if (!err && ferror(log))
		err = -EIO;
	if (err == -EINVAL)
		fprintf(stderr, "%s:%lu: not an event of jobcage's\n", file, number);
	else if (err)
		fprintf(stderr, "jobcage policy propose: cannot read %s: %s\n", file,
			strerror(-err));
	return err;
}

/* --- the policy ------------------------------------------------------------------------------- */

/* What makes it a policy, before what was found. NULL, after a line that says why. */
static json_t *new_policy(const struct proposal *proposal)
{
	const char *name = proposal->options->name ? proposal->options->name : proposal->name;
	const char *extends = proposal->options->extends;
	_cleanup_free_ char *path = extends ? realpath(extends, NULL) : NULL;
	json_t *policy;

	if (extends && !path) {
		fprintf(stderr, "jobcage policy propose: %s: %s\n", extends, strerror(errno));
		return NULL;
	}
	if (!path)
		return json_object();
	policy = json_pack("{s:i, s:s, s:s, s:[s]}", "version", 1, "name", name, "mode", "enforce",
			   "extends", path);
	if (!policy)
		fputs("jobcage policy propose: the name or the path is not UTF-8\n", stderr);
	return policy;
}

static int print_policy(const struct proposal *proposal)
{
	json_auto_t *policy = new_policy(proposal);

	if (!policy)
		return STATUS_ERROR;
	if (json_object_update(policy, proposal->policy) ||
	    json_dumpf(policy, stdout, JSON_INDENT(2)) || putchar('\n') == EOF || fflush(stdout)) {
		fputs("jobcage policy propose: cannot write the policy\n", stderr);
		return STATUS_ERROR;
	}
	return STATUS_WHOLE;
}

static bool say_what_is_missing(const struct proposal *proposal)
{
	const char *message;
	json_t *value;

	json_object_foreach(proposal->refused, message, value)
		fprintf(stderr, "not in it: %s\n", message);
	if (proposal->is_incomplete)
		fputs("The record of a job is not complete, so the policy may not be either.\n",
		      stderr);
	return proposal->is_incomplete || json_object_size(proposal->refused);
}

static int propose(const struct options *options, char **logs)
{
	_cleanup_(proposal_clear) struct proposal proposal = { .options = options,
							       .policy = json_object(),
							       .refused = json_object() };

	if (!proposal.policy || !proposal.refused)
		return STATUS_ERROR;
	for (; *logs; logs++)
		if (add_log(&proposal, *logs))
			return STATUS_ERROR;
	if (!proposal.decision_cnt) {
		fputs("jobcage policy propose: the logs tell of nothing that was denied\n", stderr);
		return STATUS_ERROR;
	}
	if (print_policy(&proposal))
		return STATUS_ERROR;
	return say_what_is_missing(&proposal) ? STATUS_PART : STATUS_WHOLE;
}

int cmd_policy_propose(int argc, char **argv)
{
	struct options options;

	if (parse_options(argc, argv, &options))
		return usage_error(NULL);
	if (options.is_help) {
		fputs(usage_text, stdout);
		return STATUS_WHOLE;
	}
	if (optind == argc)
		return usage_error("no log given");
	return propose(&options, argv + optind);
}
