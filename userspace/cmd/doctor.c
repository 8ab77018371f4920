// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jobcage doctor: can jobcage enforce on this machine, by what, and if not, what to do?
 *
 * The needs of the kernel come from kern/features.h; what concerns the place where a job's cgroup
 * would be made is added here. Every need is one line; nothing that was loaded or attached to find
 * out is left.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "cmd/command.h"
#include "job/cgroup.h"
#include "job/launch.h"
#include "kern/features.h"

#define STATUS_CAN_ENFORCE 0
#define STATUS_CANNOT_ENFORCE 1

/* Where the text under a need begins. */
#define INDENT "     "
#define NAME_WIDTH 24

struct doctor_options {
	bool json;
};

static const struct option_row rows[] = {
	OPTION_FLAG(struct doctor_options, json, 'j', "json", "print one JSON document"),
	OPTION_END,
};

static const struct command command = {
	.name = "doctor",
	.synopsis = "[--json]",
	.about =
		"Says what this machine's kernel can enforce: each need, found or not, what is lost\n"
		"without it, and what to do. Run it as root: the tests load and attach small programs,\n"
		"and leave nothing attached.",
	.rows = rows,
	.notes = "Exit status:\n"
		 "  0    jobcage can enforce here\n"
		 "  1    it cannot\n"
		 "  125  wrong usage, or the report could not be made or written",
	.usage_status = EXIT_LAUNCHER,
};

static int fail(const char *text)
{
	command_error(&command, "%s", text);
	return EXIT_LAUNCHER;
}

static const char *kernel_release(void)
{
	static struct utsname uts;

	return uname(&uts) ? "unknown" : uts.release;
}

/* --- the place of a job's cgroup -------------------------------------------------------------- */

/* The caller's own cgroup, of which a job's becomes a child. Free the result. */
static int parent_cgroup(struct error *err, char **ret_path)
{
	char *job;
	int r = cgroup_plan(getpid(), "doctor", err, &job);

	if (r)
		return r;
	*strrchr(job, '/') = '\0';
	*ret_path = job;
	return 0;
}

static void check_parent(struct need *need)
{
	_cleanup_free_ char *parent = NULL;
	struct error err = { 0 };

	if (parent_cgroup(&err, &parent)) {
		need_missing(need, "%s", err.text);
		need_advise(need, "start jobcage from a cgroup v2 cgroup, as service managers and "
				  "schedulers do");
	} else if (!access(parent, W_OK)) {
		need_found(need, "jobs started from here go below %s", parent);
	} else if (geteuid()) {
		need_untested(need,
			      "mounted; whether a cgroup can be made in %s needs root to be tested",
			      parent);
	} else {
		need_missing(need, "a job's cgroup cannot be made in %s: %s", parent,
			     strerror(errno));
		need_advise(need, "make it writable; in a container, run jobcage on the host");
	}
}

static void check_cgroup(struct need *need)
{
	_cleanup_free_ char *mount = NULL;
	struct error err = { 0 };

	if (cgroup_mount(&err, &mount)) {
		need_missing(need, "%s", err.code == -ENOENT ? "not mounted" : err.text);
		need_advise(need, "mount it: mount -t cgroup2 none /sys/fs/cgroup");
	} else {
		check_parent(need);
	}
}

static int add_cgroup(struct features *features)
{
	struct need *need =
		features_add(features, "cgroup v2", "telling jobs apart, and ending them");

	if (!need)
		return -ENOMEM;
	check_cgroup(need);
	return 0;
}

/* --- for people ------------------------------------------------------------------------------- */

struct mark {
	const char *word;
	const char *colour;
};

static struct mark mark_of(const struct need *need)
{
	if (need->state == NEED_FOUND)
		return (struct mark){ "ok", "\033[32m" };
	if (need->state == NEED_UNTESTED)
		return (struct mark){ "?", "\033[33m" };
	return need->is_required ? (struct mark){ "MISS", "\033[1;31m" }
				 : (struct mark){ "none", "\033[33m" };
}

static void print_need(const struct need *need, bool is_coloured)
{
	struct mark mark = mark_of(need);

	printf("%s%-4s%s %-*s %s\n", is_coloured ? mark.colour : "", mark.word,
	       is_coloured ? "\033[0m" : "", NAME_WIDTH, need->name, need->detail);
	if (need->state != NEED_MISSING || !need->is_required)
		return;
	printf(INDENT "lost without it: %s\n", need->lost);
	if (*need->advice)
		printf(INDENT "→ %s\n", need->advice);
}

static size_t count_untested(const struct features *features)
{
	size_t cnt = 0;

	for (size_t i = 0; i < features->cnt; i++)
		cnt += features->needs[i].state == NEED_UNTESTED;
	return cnt;
}

static void print_conclusion(const struct features *features)
{
	size_t missing = features_missing(features), untested = count_untested(features);

	if (features_can_enforce(features)) {
		printf("jobcage can enforce here, by %s\n", backend_name(features->backend));
		return;
	}
	if (geteuid())
		printf("%zu needs could not be tested as an ordinary user: run 'jobcage doctor' "
		       "as root\n",
		       untested);
	printf("jobcage cannot enforce here: %zu need%s missing\n", missing,
	       missing == 1 ? " is" : "s are");
}

static void print_text(const struct features *features)
{
	bool is_coloured = command_has_colour();

	for (size_t i = 0; i < features->cnt; i++)
		print_need(&features->needs[i], is_coloured);
	print_conclusion(features);
}

/* --- for programs ----------------------------------------------------------------------------- */

static json_t *found_json(enum need_state state)
{
	return state == NEED_UNTESTED ? json_null() : json_boolean(state == NEED_FOUND);
}

static json_t *need_json(const struct need *need)
{
	bool has_advice = need->state == NEED_MISSING && *need->advice;

	return json_pack("{s:s, s:o, s:b, s:s, s:s, s:s?}", "name", need->name, "found",
			 found_json(need->state), "required", need->is_required, "detail",
			 need->detail, "lost", need->lost, "advice",
			 has_advice ? need->advice : NULL);
}

static json_t *features_json(const struct features *features)
{
	json_t *needs = json_array();

	for (size_t i = 0; i < features->cnt; i++)
		if (json_array_append_new(needs, need_json(&features->needs[i]))) {
			json_decref(needs);
			return NULL;
		}
	return json_pack("{s:b, s:s?, s:s, s:o}", "can_enforce", features_can_enforce(features),
			 "backend", features->backend ? backend_name(features->backend) : NULL,
			 "kernel", kernel_release(), "needs", needs);
}

/* Returns 0, or -1 without memory. */
static int print_json(const struct features *features)
{
	json_t *document = features_json(features);
	int r = document ? json_dumpf(document, stdout, JSON_INDENT(2)) : -1;

	json_decref(document);
	putchar('\n');
	return r;
}

/* --- the command ------------------------------------------------------------------------------ */

int cmd_doctor(int argc, char **argv)
{
	_cleanup_(features_free) struct features features = { 0 };
	struct doctor_options options = { 0 };
	char **words;
	int status = command_parse(&command, argc, argv, &options, &words);

	if (status >= 0)
		return status;
	if (features_probe(&features) || add_cgroup(&features))
		return fail("out of memory");
	if (!options.json)
		print_text(&features);
	else if (print_json(&features))
		return fail("cannot make the report");
	if (!command_printed(&command))
		return EXIT_LAUNCHER;
	return features_can_enforce(&features) ? STATUS_CAN_ENFORCE : STATUS_CANNOT_ENFORCE;
}
