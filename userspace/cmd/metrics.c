// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage metrics: the daemon's counters in Prometheus' text format, to standard output or, for the
 * node exporter's textfile collector, to a file that is replaced as a whole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/ask.h"
#include "cmd/cmd.h"

struct metrics_options {
	const char *file;
};

static const struct option_row rows[] = {
	OPTION_WORD(struct metrics_options, file, 0, "file", "FILE",
		    "into FILE (whose name ends in .prom for the node exporter), replaced whole"),
	OPTION_END,
};

static const struct command command = {
	.name = "metrics",
	.synopsis = "[--file FILE]",
	.about = "Prints the daemon's counters in Prometheus' text format. For root.",
	.rows = rows,
	.notes =
		"Exit status: 0; 1 if the daemon cannot be asked, or FILE not be written; 2 for wrong usage.",
	.usage_status = EXIT_USAGE,
};

/* --- the format ------------------------------------------------------------------------------- */

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP jobcage_%s %s\n# TYPE jobcage_%s %s\n", name, help, name, type);
}

static void print_label(FILE *out, const char *key, const char *value, const char *before)
{
	fprintf(out, "%s%s=\"", before, key);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		fputs(*value == '\n' ? "\\n" : (char[]){ *value, '\0' }, out);
	}
	fputc('"', out);
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_job_labels(FILE *out, const json_t *job)
{
	print_label(out, "job_id", ask_text(job, "job"), "{");
	print_label(out, "policy", ask_text(job, "policy"), ",");
}

static void print_by_kind(FILE *out, const json_t *jobs, const char *metric, const char *member,
			  const char *help)
{
	static const char *const kinds[] = { "file", "exec", "network", "guard" };
	json_t *job;
	size_t i;

	print_head(out, metric, "counter", help);
	json_array_foreach(jobs, i, job)
	{
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			fprintf(out, "jobcage_%s", metric);
			print_job_labels(out, job);
			print_label(out, "kind", kinds[k], ",");
			fprintf(out, "} %lld\n", number(json_object_get(job, member), kinds[k]));
		}
	}
}

/* Each series of a family is one member of something that is listed: a job, a sink. */
struct family {
	const char *metric, *member, *type, *help;
};

typedef void print_labels(FILE *out, const json_t *item);

static long long number_or_bool(const json_t *value)
{
	return json_is_boolean(value) ? json_is_true(value) : (long long)json_integer_value(value);
}

static void print_family(FILE *out, const struct family *family, const json_t *items, const char *object,
			 print_labels *labels)
{
	json_t *item;
	size_t i;

	print_head(out, family->metric, family->type, family->help);
	json_array_foreach(items, i, item)
	{
		const json_t *holder = object ? json_object_get(item, object) : item;

		fprintf(out, "jobcage_%s", family->metric);
		labels(out, item);
		fprintf(out, "} %lld\n", number_or_bool(json_object_get(holder, family->member)));
	}
}

static const struct family record_families[] = {
	{ "record_decisions_total", "decisions", "counter", "Decisions that were to be recorded." },
	{ "record_delivered_total", "delivered", "counter", "Decisions that events tell of." },
	{ "record_folded_total", "folded", "counter",
	  "Repeats that were counted instead of recorded." },
	{ "record_lost_total", "lost", "counter", "Records that did not fit the job's ring." },
	{ "record_malformed_total", "malformed", "counter", "Records refused as malformed." },
	{ "record_write_failures_total", "write_failures", "counter",
	  "Events that could not be written." },
	{ "record_waiting", "waiting", "gauge", "Events that wait to be written." },
};

static void print_records(FILE *out, const json_t *jobs)
{
	for (size_t i = 0; i < ARRAY_SIZE(record_families); i++)
		print_family(out, &record_families[i], jobs, "record", print_job_labels);
}

static const struct family sink_families[] = {
	{ "sink_written_total", "written", "counter", "Events that the sink took." },
	{ "sink_dropped_total", "dropped", "counter", "Events that the sink did not get." },
	{ "sink_opened_total", "opened", "counter", "How often the sink was opened." },
	{ "sink_waiting", "waiting", "gauge", "Events that wait for the sink." },
	{ "sink_waiting_bytes", "waiting_bytes", "gauge", "Their size." },
	{ "sink_up", "ok", "gauge", "1: the sink takes events." },
};

static void print_sink_label(FILE *out, const json_t *sink)
{
	print_label(out, "sink", ask_text(sink, "sink"), "{");
}

static void print_sinks(FILE *out, const json_t *sinks)
{
	for (size_t i = 0; i < ARRAY_SIZE(sink_families); i++)
		print_family(out, &sink_families[i], sinks, NULL, print_sink_label);
}

static const struct family kernel_families[] = {
	{ "not_in_force_total", "not_in_force", "counter",
	  "Acts denied because the task's label named no published job." },
	{ "label_failures_total", "enter_failures", "counter",
	  "Tasks that entered a job's cgroup and could not be labelled at once." },
	{ "names_lost_total", "names_lost", "counter",
	  "Answers from resolvers that did not reach a job, or whose addresses did not fit." },
	{ "connections_cut_total", "connections_cut", "counter",
	  "TCP connections reset because one of their packets was refused." },
};

static void print_kernel(FILE *out, const json_t *kernel)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernel_families); i++) {
		const struct family *family = &kernel_families[i];

		print_head(out, family->metric, family->type, family->help);
		fprintf(out, "jobcage_%s %lld\n", family->metric, number(kernel, family->member));
	}
}

static int print_all(FILE *out, const json_t *answer)
{
	const json_t *jobs = json_object_get(answer, "jobs");

	print_head(out, "build_info", "gauge", "The daemon's version.");
	fputs("jobcage_build_info", out);
	print_label(out, "version", JOBCAGE_VERSION, "{");
	fputs("} 1\n", out);
	print_head(out, "jobs", "gauge", "Jobs that the daemon looks after.");
	fprintf(out, "jobcage_jobs %zu\n", json_array_size(jobs));
	print_by_kind(out, jobs, "denied_total", "denied", "Acts denied.");
	print_by_kind(out, jobs, "would_deny_total", "would_deny",
		      "Acts that enforce mode would have denied.");
	print_records(out, jobs);
	print_sinks(out, json_object_get(answer, "sinks"));
	print_kernel(out, json_object_get(answer, "kernel"));
	return ferror(out) ? -EIO : 0;
}

/* --- where to --------------------------------------------------------------------------------- */

/* Takes the descriptor. */
static int fill_file(int fd, const json_t *answer)
{
	FILE *out = fdopen(fd, "w");
	int r;

	if (!out) {
		close(fd);
		return -ENOMEM;
	}
	/* The collector is no root. */
	r = fchmod(fd, 0644) ? -errno : print_all(out, answer);
	return fclose(out) && !r ? -errno : r;
}

static int write_file(const char *path, const json_t *answer)
{
	_cleanup_free_ char *room = NULL;
	int fd, r;

	if (asprintf(&room, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkstemp(room);
	if (fd < 0)
		return -errno;
	r = fill_file(fd, answer);
	if (!r && rename(room, path))
		r = -errno;
	if (r)
		unlink(room);
	return r;
}

static int write_out(const char *file, const json_t *answer)
{
	int r;

	if (!file) {
		print_all(stdout, answer);
		return command_printed(&command) ? 0 : EXIT_REFUSED;
	}
	r = write_file(file, answer);
	if (r)
		command_error(&command, "cannot write %s: %s", file, strerror(-r));
	return r ? EXIT_REFUSED : 0;
}

int cmd_metrics(int argc, char **argv)
{
	struct metrics_options options = { 0 };
	json_auto_t *answer = NULL;
	char **words;
	int status = command_parse(&command, argc, argv, &options, &words);

	if (status < 0)
		status = ask(&command, "metrics", NULL, &answer);
	return status ? status : write_out(options.file, answer);
}
