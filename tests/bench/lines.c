// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lines - from ring records to chained lines in a file: P6, the part that needs no kernel.
 *
 *	lines FOLDER [RECORDS]
 *
 * Prints, for each stage, microseconds of processor time per record and records per second and
 * core. A stage has all those before it in it: "count" looks at a record as a consumer that only
 * counts would, "decode" checks it, "event" makes the OCSF line of it, "file" also chains it and
 * appends it to FOLDER/lines.jsonl, TURN records at a time, as the controller does. But "hash" is the
 * hash of such a line alone. Processor time, because a machine that measures may have other work.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../ocsf/fixture.h"
#include "alert/chain.h"
#include "alert/line.h"
#include "alert/sinks.h"
#include "base/cleanup.h"

#define TURN 64

/* A job's usual trouble: a dataset opened for writing, a file made, a connection, a program. */
#define KINDS 4

struct record {
	size_t len;
	unsigned char data[FIXTURE_RECORD_MAX];
};

struct bench {
	struct record records[KINDS];
	struct sinks *sinks;
	struct sink *sink;
	struct tally *tally;
	struct line *line;
	uint64_t sequence, bytes, denied;
};

typedef void (*stage_fn)(struct bench *bench, const struct record *record);

static void make_records(struct bench *bench)
{
	static const char data[] = "/srv/datasets/digits/train/part-00017/images-0042.npy";
	static const char out[] = "/srv/results/digits/run-8/epoch-3/model.pt", python[] = "/usr/bin/python3.11";
	struct record *record = bench->records;

	record[0].len = fixture_record(record[0].data, by_rule(OP_OPEN_WRITE, FIXTURE_DIGITS), data, NULL, python);
	record[1].len = fixture_record(record[1].data, fixture_event(OP_CREATE), out, NULL, python);
	record[2].len = fixture_record(record[2].data, fixture_event(OP_CONNECT), NULL, NULL, python);
	record[3].len = fixture_record(record[3].data, fixture_event(OP_EXEC), "/usr/bin/curl", NULL, python);
}

static void must(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "lines: cannot %s: %s\n", what, strerror(-r));
	exit(1);
}

static void count(struct bench *bench, const struct record *record)
{
	const struct event *event = (const void *)record->data;

	bench->denied += event->verdict == VERDICT_DENY;
	bench->sequence++;
}

static void decode(struct bench *bench, const struct record *record)
{
	struct decoded_event decoded;

	must(decode_event(record->data, record->len, &decoded), "decode");
	bench->sequence++;
	decoded_event_free(&decoded);
}

static struct line *make_line(struct bench *bench, const struct record *record)
{
	struct decoded_event decoded;
	struct line *line;

	must(decode_event(record->data, record->len, &decoded), "decode");
	must(ocsf_decision(&fixture_job, &decoded, ++bench->sequence, FIXTURE_BOOT_MS, &line), "make an event");
	line_set_tally(line, bench->tally);
	bench->bytes += line->len;
	decoded_event_free(&decoded);
	return line;
}

static void make_event(struct bench *bench, const struct record *record)
{
	line_unref(make_line(bench, record));
}

static void hash(struct bench *bench, const struct record *record)
{
	char hex[CHAIN_HASH_SIZE];

	(void)record;
	if (!bench->line)
		bench->line = make_line(bench, &bench->records[0]);
	bench->bytes = 0;
	chain_hash(bench->line->text, bench->line->len, hex);
}

static void write_file(struct bench *bench, const struct record *record)
{
	struct line *line = make_line(bench, record);

	sink_put(bench->sink, line, true);
	line_unref(line);
	if (bench->sequence % TURN == 0)
		sink_pump(bench->sink);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void run(struct bench *bench, const char *name, stage_fn stage, unsigned long cnt)
{
	uint64_t start = cpu_ns();
	double ns;

	bench->sequence = bench->bytes = 0;
	for (unsigned long i = 0; i < cnt; i++)
		stage(bench, &bench->records[i % KINDS]);
	ns = (double)(cpu_ns() - start) / (double)cnt;
	printf("%-8s %8.3f us %12.0f /s", name, ns / 1000, 1e9 / ns);
	if (bench->bytes)
		printf("  %4lu bytes a line", (unsigned long)(bench->bytes / cnt));
	putchar('\n');
}

int main(int argc, char **argv)
{
	unsigned long cnt = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
	_cleanup_free_ char *path = NULL;
	struct error err = { 0 };
	struct bench *bench = calloc(1, sizeof(*bench));

	if (argc < 2 || argc > 3 || cnt < KINDS || !bench || asprintf(&path, "%s/lines.jsonl", argv[1]) < 0) {
		fputs("usage: lines FOLDER [RECORDS]\n", stderr);
		return 2;
	}
	unlink(path);
	make_records(bench);
	bench->tally = tally_new();
	must(sinks_new(&err, &bench->sinks), "prepare");
	must(sinks_use(bench->sinks, path, &err, &bench->sink), "open the file");
	run(bench, "count", count, cnt * 10);
	run(bench, "decode", decode, cnt);
	run(bench, "event", make_event, cnt);
	run(bench, "hash", hash, cnt);
	run(bench, "file", write_file, cnt);
	sinks_release(bench->sinks, bench->sink);
	sinks_flush(bench->sinks, 10000);
	must(bench->tally->written == cnt ? 0 : -EIO, "write all lines");
	sinks_free(bench->sinks);
	line_unref(bench->line);
	tally_unref(bench->tally);
	free(bench);
	return 0;
}
