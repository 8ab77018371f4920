// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* All sinks of one controller; see sinks.h. */
#include "alert/sinks.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "alert/ocsf_log.h"
#include "alert/text.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define TICK_MS 1000
#define LAST_FLUSH_MS 1000

/* --- who and where ---------------------------------------------------------------------------- */

static int fill_host(struct alert_job *host)
{
	struct utsname uts;

	if (uname(&uts))
		return -errno;
	host->host = strdup(uts.nodename);
	host->kernel = strdup(uts.release);
	host->machine_id = head_machine_id();
	return host->host && host->kernel ? 0 : -ENOMEM;
}

int sinks_new(struct error *err, struct sinks **ret_sinks)
{
	struct sinks *sinks = calloc(1, sizeof(*sinks));
	int r = sinks ? 0 : -ENOMEM;

	if (!r) {
		sinks->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		r = sinks->epoll_fd < 0 ? -errno : fill_host(&sinks->host);
	}
	if (r) {
		sinks_free(sinks);
		return error_errno(err, r, "cannot prepare for alerts");
	}
	*ret_sinks = sinks;
	return 0;
}

void sinks_name_host(const struct sinks *sinks, struct alert_job *about)
{
	about->host = sinks->host.host;
	about->machine_id = sinks->host.machine_id;
	about->kernel = sinks->host.kernel;
}

/* --- polling ---------------------------------------------------------------------------------- */

static void pump(struct sink *sink)
{
	sink_pump(sink);
	sink_poll(sink);
}

void sinks_ready(struct sinks *sinks)
{
	struct epoll_event events[16];
	int cnt = epoll_wait(sinks->epoll_fd, events, ARRAY_SIZE(events), 0);

	for (int i = 0; i < cnt; i++) {
		struct sink *sink = events[i].data.ptr;

		sink_ready(sink, events[i].events);
		sink_poll(sink);
	}
}

/* --- the set ---------------------------------------------------------------------------------- */

static void add(struct sinks *sinks, struct sink *sink)
{
	struct sink **at = &sinks->first;

	while (*at)
		at = &(*at)->next;
	*at = sink;
}

static void drop(struct sinks *sinks, struct sink *sink)
{
	struct sink **at = &sinks->first;

	while (*at != sink)
		at = &(*at)->next;
	*at = sink->next;
	sink_free(sink);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool is_same_place(const struct sink_config *a, const struct sink_config *b)
{
	return a->type == b->type && a->transport == b->transport && same_text(a->path, b->path) &&
	       a->addr_len == b->addr_len && !memcmp(&a->addr, &b->addr, a->addr_len);
}

static struct sink *find(const struct sinks *sinks, const struct sink_config *config)
{
	struct sink *sink = sinks->first;

	while (sink && !is_same_place(&sink->config, config))
		sink = sink->next;
	return sink;
}

/* Takes the copy's strings over if it succeeds. */
static int make(struct sinks *sinks, const struct sink_config *config, struct sink **ret_sink)
{
	struct sink_config copy = *config;
	struct sink *sink;

	copy.name = strdup(config->name);
	copy.path = config->path ? strdup(config->path) : NULL;
	if (!copy.name || (config->path && !copy.path) || sink_new(&copy, &sink)) {
		sink_config_clear(&copy);
		return -ENOMEM;
	}
	sink->epoll_fd = sinks->epoll_fd;
	add(sinks, sink);
	*ret_sink = sink;
	return 0;
}

/* The same place under other settings. */
static void change(struct sink *sink, const struct sink_config *config)
{
	char *name = strdup(config->name);

	if (name) {
		free(sink->config.name);
		sink->config.name = name;
	}
	sink->config.queue_bytes = config->queue_bytes;
	sink->config.max_bytes = config->max_bytes;
	sink->config.max_age_ms = config->max_age_ms;
	sink->config.keep = config->keep;
}

static void drop_unused(struct sinks *sinks)
{
	struct sink *next;

	for (struct sink *sink = sinks->first; sink; sink = next) {
		next = sink->next;
		if (!sink->is_site && !sink->users &&
		    (sink_is_flushed(sink) || sink->trouble.code))
			drop(sinks, sink);
	}
}

static int load_key(const struct site_audit *audit, struct error *err, struct head_key **ret_key)
{
	return audit->key ? head_key_load(audit->key, true, err, ret_key) : 0;
}

int sinks_set_site(struct sinks *sinks, const struct sink_config *configs, size_t cnt,
		   const struct site_audit *audit, bool has_stdout, struct error *err)
{
	struct head_key *key = NULL;
	int r = load_key(audit, err, &key);

	if (r)
		return r;
	head_key_free(sinks->key);
	sinks->key = key;
	sinks->interval_ms = audit->interval_ms;
	for (struct sink *sink = sinks->first; sink; sink = sink->next)
		sink->is_site = false;
	for (size_t i = 0; i < cnt; i++) {
		struct sink *sink = find(sinks, &configs[i]);

		if (configs[i].type == SINK_STDOUT && !has_stdout)
			continue;
		if (sink)
			change(sink, &configs[i]);
		else if (make(sinks, &configs[i], &sink))
			return error_errno(err, -ENOMEM, "cannot prepare sink %s", configs[i].name);
		sink->is_site = true;
	}
	drop_unused(sinks);
	return 0;
}

/* The sink of that name, which is made if there is none. */
static int find_or_make(struct sinks *sinks, const char *target, struct error *err,
			struct sink **ret_sink)
{
	bool is_stdout = !strcmp(target, "-");
	const struct sink_config config = {
		.type = is_stdout ? SINK_STDOUT : SINK_FILE,
		.name = is_stdout ? "stdout" : (char *)target,
		.path = is_stdout ? NULL : (char *)target,
		.queue_bytes = SINK_QUEUE_BYTES,
	};

	*ret_sink = find(sinks, &config);
	if (!*ret_sink && make(sinks, &config, ret_sink))
		return error_errno(err, -ENOMEM, "cannot open %s for alerts", target);
	return 0;
}

int sinks_expect(struct sinks *sinks, const char *target, struct error *err, struct sink **ret_sink)
{
	struct sink *sink;
	int r = find_or_make(sinks, target, err, &sink);

	if (r)
		return r;
	sink_expect(sink);
	sink->users++;
	*ret_sink = sink;
	return 0;
}

int sinks_use(struct sinks *sinks, const char *target, struct error *err, struct sink **ret_sink)
{
	struct sink *sink;
	int r = find_or_make(sinks, target, err, &sink);

	if (r)
		return r;
	r = sink_try_open(sink, err);
	if (r) {
		drop_unused(sinks);
		return r;
	}
	sink->users++;
	*ret_sink = sink;
	return 0;
}

void sinks_release(struct sinks *sinks, struct sink *sink)
{
	if (!sink)
		return;
	sink->users--;
	if (!sink->users && !sink->is_site && sink_is_flushed(sink))
		drop(sinks, sink);
}

/* --- events ----------------------------------------------------------------------------------- */

static bool wants(const struct sink *sink, const struct sink *record)
{
	return sink->is_site || sink == record || (!record && sink->ops == &sink_file_ops);
}

int sinks_put_line(struct sinks *sinks, struct sink *record, struct tally *tally, struct line *line)
{
	uint64_t dropped = tally ? tally->dropped : 0;

	line_set_tally(line, tally);
	for (struct sink *sink = sinks->first; sink; sink = sink->next)
		if (wants(sink, record))
			sink_put(sink, line, sink == record);
	line_unref(line);
	return tally && tally->dropped != dropped ? -ENOBUFS : 0;
}

void sinks_write(struct sink *record)
{
	pump(record);
}

int sinks_put(struct sinks *sinks, struct sink *record, struct tally *tally, json_t *event)
{
	struct line *line;
	int r = line_new(event, &line);

	if (r)
		return r;
	r = sinks_put_line(sinks, record, tally, line);
	if (record)
		pump(record);
	return r;
}

static void put_log_event(struct sinks *sinks, json_t *event)
{
	if (event)
		sinks_put(sinks, NULL, NULL, event);
	json_decref(event);
}

/* --- heads and news --------------------------------------------------------------------------- */

static void put_head(struct sinks *sinks, const struct sink *sink, const char *occasion)
{
	struct head head = { .sequence = sink->chain.sequence };

	if (sink->ops != &sink_file_ops || !head.sequence)
		return;
	strcpy(head.hash, sink->chain.hash);
	if (sinks->key)
		head_sign(sinks->key, &head);
	put_log_event(sinks, ocsf_log_head(&sinks->host, sink->config.path, &head, occasion,
					   clock_ms(CLOCK_REALTIME)));
}

/* A head that nobody else would hold, and nobody has signed, proves nothing. */
static bool wants_heads(const struct sinks *sinks)
{
	for (const struct sink *sink = sinks->first; sink; sink = sink->next)
		if (sink->is_site && sink->ops != &sink_file_ops)
			return true;
	return sinks->key;
}

static void put_heads(struct sinks *sinks, const char *occasion)
{
	if (!wants_heads(sinks))
		return;
	for (struct sink *sink = sinks->first; sink; sink = sink->next)
		put_head(sinks, sink, occasion);
}

static bool any_chain(const struct sinks *sinks)
{
	for (const struct sink *sink = sinks->first; sink; sink = sink->next)
		if (sink->chain.sequence)
			return true;
	return false;
}

static void put_due_heads(struct sinks *sinks, int64_t now)
{
	bool is_first = !sinks->head_ms;

	if (!sinks->interval_ms || now < sinks->head_ms || !any_chain(sinks))
		return;
	sinks->head_ms = now + sinks->interval_ms;
	put_heads(sinks, is_first ? "start" : "interval");
}

static void put_news(struct sinks *sinks, int64_t now)
{
	for (struct sink *sink = sinks->first; sink; sink = sink->next)
		if (sink_news(sink, now))
			put_log_event(sinks, ocsf_log_sink(&sinks->host, sink,
							   clock_ms(CLOCK_REALTIME)));
}

int sinks_tick(struct sinks *sinks)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC), soonest = TICK_MS;
	struct sink *next;

	put_due_heads(sinks, now);
	put_news(sinks, now);
	for (struct sink *sink = sinks->first; sink; sink = next) {
		int64_t timeout;

		next = sink->next;
		pump(sink);
		timeout = sink_timeout(sink, now);
		if (timeout >= 0 && timeout < soonest)
			soonest = timeout;
		if (!sink->users && !sink->is_site && sink_is_flushed(sink))
			drop(sinks, sink);
	}
	return soonest;
}

static bool all_flushed(const struct sinks *sinks)
{
	for (const struct sink *sink = sinks->first; sink; sink = sink->next)
		if (!sink_is_flushed(sink))
			return false;
	return true;
}

void sinks_flush(struct sinks *sinks, int64_t max_ms)
{
	int64_t deadline = clock_ms(CLOCK_MONOTONIC) + max_ms;

	while (!all_flushed(sinks) && clock_ms(CLOCK_MONOTONIC) < deadline) {
		struct pollfd poll_fd = { .fd = sinks->epoll_fd, .events = POLLIN };
		int wait = sinks_tick(sinks);

		if (all_flushed(sinks))
			break;
		poll(&poll_fd, 1, wait > 100 ? 100 : wait);
		sinks_ready(sinks);
	}
}

void sinks_free(struct sinks *sinks)
{
	if (!sinks)
		return;
	if (sinks->head_ms)
		put_heads(sinks, "end");
	sinks_flush(sinks, LAST_FLUSH_MS);
	while (sinks->first)
		drop(sinks, sinks->first);
	cleanup_fd(&sinks->epoll_fd);
	head_key_free(sinks->key);
	free((char *)sinks->host.host);
	free((char *)sinks->host.kernel);
	free((char *)sinks->host.machine_id);
	free(sinks);
}

/* --- report ----------------------------------------------------------------------------------- */

static json_t *report_one(const struct sink *sink)
{
	json_auto_t *report = json_pack(
		"{s:o, s:I, s:I, s:I, s:I, s:I, s:b}", "sink", text_json(sink->config.name),
		"written", (json_int_t)sink->counts.written, "dropped",
		(json_int_t)sink->counts.dropped, "waiting", (json_int_t)sink->queue.cnt,
		"waiting_bytes", (json_int_t)sink->queue.bytes, "opened",
		(json_int_t)sink->counts.opened, "ok", !sink->trouble.code);

	if (!report)
		return NULL;
	if (sink->trouble.code &&
	    (json_object_set_new(report, "trouble", text_json(sink->trouble.text)) ||
	     json_object_set_new(report, "since_ms", json_integer(sink->trouble_ms))))
		return NULL;
	if (sink->chain.sequence &&
	    json_object_set_new(report, "head",
				json_pack("{s:I, s:s}", "sequence",
					  (json_int_t)sink->chain.sequence, "hash",
					  sink->chain.hash)))
		return NULL;
	return json_incref(report);
}

json_t *sinks_report(const struct sinks *sinks)
{
	json_auto_t *list = json_array();

	for (const struct sink *sink = sinks->first; list && sink; sink = sink->next)
		if (json_array_append_new(list, report_one(sink)))
			return NULL;
	return list ? json_incref(list) : NULL;
}
