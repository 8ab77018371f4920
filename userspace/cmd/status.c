// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* jobcage status: one job in full. */
#include <stdio.h>
#include <time.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"

struct status_options {
	bool json;
};

static const struct option_row rows[] = {
	OPTION_FLAG(struct status_options, json, 'j', "json", "as a JSON object"),
	OPTION_END,
};

static const struct command command = {
	.name = "status",
	.synopsis = "[--json] JOB",
	.about =
		"Shows one job: what it obeys, what was denied, whether its record is complete, and what its\n"
		"self-test found.",
	.rows = rows,
	.notes =
		"Exit status: 0; 1 if there is no such job, or the daemon cannot be asked; 2 for wrong usage.",
	.words_min = 1,
	.words_max = 1,
	.usage_status = EXIT_USAGE,
};

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_counts(const char *label, const json_t *counts)
{
	printf("%-12s file %lld, exec %lld, network %lld, guard %lld\n", label, number(counts, "file"),
	       number(counts, "exec"), number(counts, "network"),
	       number(counts, "guard"));
}

static void print_record(const json_t *record)
{
	long long missing = number(record, "lost") + number(record, "malformed") +
			    number(record, "write_failures") + number(record, "waiting");

	printf("%-12s %lld decisions, %lld delivered; %s", "record", number(record, "decisions"),
	       number(record, "delivered"), missing ? "INCOMPLETE: " : "complete so far\n");
	if (missing)
		printf("%lld lost, %lld malformed, %lld not written, %lld wait\n",
		       number(record, "lost"), number(record, "malformed"),
		       number(record, "write_failures"), number(record, "waiting"));
}

static void print_budgets(const json_t *budgets)
{
	json_t *budget;
	size_t i;

	json_array_foreach(budgets, i, budget)
	{
		printf("%-12s %s: %lld bytes sent", i ? "" : "budgets", ask_text(budget, "id"),
		       number(budget, "bytes"));
		if (json_is_integer(json_object_get(budget, "max_bytes")))
			printf(" of %lld", number(budget, "max_bytes"));
		printf(", %lld packets refused\n", number(budget, "refused"));
	}
}

static void print_names(const json_t *names, long long lost)
{
	const json_t *list = json_object_get(names, "learned");
	long long more = number(names, "addresses") - (long long)json_array_size(list);
	json_t *lead;
	size_t i;

	json_array_foreach(list, i, lead)
	{
		const json_t *domain = json_object_get(lead, "domain");

		printf("%-12s %s by %s, %lld s more\n", i ? "" : "names", ask_text(lead, "ip"),
		       json_is_string(domain) ? ask_text(lead, "domain") : "a rule that is gone",
		       number(lead, "seconds"));
	}
	if (more > 0)
		printf("%-12s and %lld addresses more\n", "", more);
	if (lost)
		printf("%-12s %lld answers or addresses LOST: no room, or not read\n", "", lost);
}

/* What to ask the admin for stands in the sentences. */
static void print_kinds(const json_t *kinds)
{
	json_t *kind;
	size_t i;

	json_array_foreach(kinds, i, kind)
	{
		const json_t *message = json_object_get(kind, "message");

		printf("%-12s %lld x %s\n", i ? "" : "what", number(kind, "count"),
		       message ? ask_text(kind, "message") : "of other kinds");
	}
}

/* Only what does not work: everything else is as it should be. */
static void print_sinks(const json_t *sinks)
{
	json_t *sink;
	size_t i;

	json_array_foreach(sinks, i, sink)
	{
		if (json_is_true(json_object_get(sink, "ok")) && !number(sink, "dropped"))
			continue;
		printf("%-12s %s: %s; %lld wait, %lld dropped\n", "sink", ask_text(sink, "sink"),
		       json_is_true(json_object_get(sink, "ok")) ? "works again"
								 : ask_text(sink, "trouble"),
		       number(sink, "waiting"), number(sink, "dropped"));
	}
}

static void print_start(const json_t *job)
{
	time_t start = number(job, "start_ms") / 1000;
	struct tm tm;
	char text[64];

	localtime_r(&start, &tm);
	strftime(text, sizeof(text), "%F %T %z", &tm);
	printf("%-12s %s, pid %lld\n", "started", text, number(job, "pid"));
}

static void print_self_test(const json_t *self_test)
{
	if (!json_is_object(self_test)) {
		printf("%-12s none: it was switched off\n", "self-test");
		return;
	}
	printf("%-12s %s: %lld acts refused, %lld allowed, as they must be, in %.1f ms\n",
	       "self-test",
	       json_is_true(json_object_get(self_test, "passed")) ? "passed" : "FAILED",
	       number(self_test, "refused"), number(self_test, "allowed"),
	       number(self_test, "duration_us") / 1000.0);
}

static void print_status(const json_t *job)
{
	printf("%-12s %s%s\n", "job", ask_text(job, "job"),
	       json_is_true(json_object_get(job, "attached")) ? " (attached cgroup)" : "");
	printf("%-12s %s (%.12s), %s mode, %lld rules\n", "policy", ask_text(job, "policy"),
	       ask_text(job, "digest"), ask_text(job, "mode"), number(job, "rules"));
	printf("%-12s %s\n", "from", ask_text(job, "source"));
	printf("%-12s %s\n", "command", ask_text(job, "command"));
	printf("%-12s %s (%lld), asked for by %lld\n", "user", ask_text(job, "user"),
	       number(job, "uid"), number(job, "asked_by"));
	print_start(job);
	printf("%-12s %s\n", "cgroup", ask_text(job, "cgroup"));
	printf("%-12s %s\n", "backend", ask_text(job, "backend"));
	printf("%-12s %s\n", "alerts", ask_text(job, "alerts"));
	print_counts("denied", json_object_get(job, "denied"));
	print_counts("would deny", json_object_get(job, "would_deny"));
	print_budgets(json_object_get(job, "budgets"));
	print_names(json_object_get(job, "names"), number(job, "names_lost"));
	if (number(job, "connections_cut"))
		printf("%-12s TCP connections: %lld\n", "reset", number(job, "connections_cut"));
	print_kinds(json_object_get(job, "kinds"));
	print_record(json_object_get(job, "record"));
	print_sinks(json_object_get(job, "sinks"));
	print_self_test(json_object_get(job, "self_test"));
}

int cmd_status(int argc, char **argv)
{
	struct status_options options = { 0 };
	char **words;
	int status = command_parse(&command, argc, argv, &options, &words);
	json_auto_t *answer = NULL;
	const json_t *job;

	if (status >= 0)
		return status;
	status = ask_about(&command, "status", *words, &answer);
	if (status)
		return status;
	job = json_object_get(answer, "job");
	if (options.json)
		return ask_print_json(&command, job);
	print_status(job);
	return command_printed(&command) ? 0 : EXIT_REFUSED;
}
