/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of sinks share: a set of sinks, a directory for what they lead to, and what is read
 * there. Include it after cmocka.h.
 */
#ifndef JOBCAGE_TESTS_SINK_FIXTURE_H
#define JOBCAGE_TESTS_SINK_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alert/sinks.h"
#include "base/cleanup.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A directory of its own for each test; the name of a target in it; a set of sinks. */
struct place {
	char dir[64];
	char file[96];
	struct sinks *sinks;
	struct tally *tally;
};

static inline int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	strcpy(place->dir, "/tmp/jobcage-sink-XXXXXX");
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->file, sizeof(place->file), "%s/alerts.jsonl", place->dir);
	place->tally = tally_new();
	*state = place;
	return sinks_new(NULL, &place->sinks);
}

static inline int teardown(void **state)
{
	struct place *place = *state;
	char command[128];

	sinks_free(place->sinks);
	tally_unref(place->tally);
	snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	free(place);
	return system(command);
}

static inline struct sink *must_use(struct place *place, const char *target)
{
	struct error err = { 0 };
	struct sink *sink = NULL;

	if (sinks_use(place->sinks, target, &err, &sink))
		fail_msg("%s", err.text);
	return sink;
}

static inline int put_text(struct place *place, struct sink *record, const char *text)
{
	json_t *event = json_pack("{s:I, s:s}", "time", (json_int_t)1000, "text", text);
	int r = sinks_put(place->sinks, record, place->tally, event);

	json_decref(event);
	return r;
}

/* The texts of a file's lines, each with a comma behind it; but for what is said of sinks. */
static inline void read_texts(const char *file, char *texts, size_t size)
{
	_cleanup_file_ FILE *in = fopen(file, "re");
	static char line[300000];

	*texts = '\0';
	while (in && fgets(line, sizeof(line), in)) {
		json_auto_t *event = json_loads(line, 0, NULL);
		const char *text = json_string_value(json_object_get(event, "text"));

		if (json_object_get(event, "metadata"))
			continue;
		strncat(texts, text ? text : "?", size - strlen(texts) - 1);
		strncat(texts, ",", size - strlen(texts) - 1);
	}
}

static inline void expect_texts(const char *file, const char *expected)
{
	char texts[4096];

	read_texts(file, texts, sizeof(texts));
	assert_string_equal(texts, expected);
}

static inline void expect_tally(const struct place *place, uint64_t written, uint64_t dropped,
				uint64_t waiting)
{
	assert_int_equal(place->tally->written, written);
	assert_int_equal(place->tally->dropped, dropped);
	assert_int_equal(place->tally->waiting, waiting);
}

#endif
