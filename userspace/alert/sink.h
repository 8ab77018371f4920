/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One place where events go. Lines wait in a bounded queue until it takes them; one that is full,
 * slow or gone is left alone for a while and tried again, and holds up nobody.
 *
 * docs/evidence.md says what each kind does.
 */
#ifndef JOBCAGE_ALERT_SINK_H
#define JOBCAGE_ALERT_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "alert/chain.h"
#include "alert/line.h"
#include "alert/queue.h"
#include "base/error.h"
#include "policy/outlets.h"

struct sink;

/* What one kind of sink does. None waits. */
struct sink_ops {
	/* Returns 0, -EINPROGRESS while it is connecting, or -errno. */
	int (*open)(struct sink *sink, struct error *err);
	/* Before lines are written; may be NULL. -EAGAIN: somebody else writes just now. */
	int (*begin)(struct sink *sink, struct error *err);
	/*
	 * Writes one line whole. -EAGAIN: not now, or only a part of it; it will be given again.
	 * -EMSGSIZE: it can never be written. Other errors: the sink is to be opened anew.
	 */
	int (*write)(struct sink *sink, const struct line *line, struct error *err);
	/* Instead of that: as many of the queue's first max lines as it likes, whole, or none. */
	int (*write_many)(struct sink *sink, size_t max, struct error *err, size_t *ret_cnt);
	void (*end)(struct sink *sink); /* after begin() that succeeded */
	void (*close)(struct sink *sink);
};

enum sink_state {
	SINK_CLOSED = 0,
	SINK_CONNECTING = 1,
	SINK_OPEN = 2,
};

struct sink_counts {
	uint64_t written, dropped;
	uint64_t opened; /* how often */
};

struct sink {
	struct sink *next;
	struct sink_config config; /* owned */
	const struct sink_ops *ops;
	unsigned int users; /* jobs whose record it holds */
	bool is_site;       /* named by the site file: gets every event */
	enum sink_state state;
	int fd;
	int epoll_fd;              /* of the set; borrowed */
	bool is_polled, wants_out; /* in it; for room to write */
	struct queue queue, sent;  /* sent: handed to the kernel, maybe not read yet */
	int64_t retry_ms;          /* CLOCK_MONOTONIC: when to try again; 0: at once */
	int64_t pause_ms;          /* of the last failure; grows */
	struct sink_counts counts;
	struct error trouble;     /* code 0: none */
	int64_t trouble_ms;       /* Unix time of its beginning */
	uint64_t trouble_dropped; /* counts.dropped at its beginning */
	int told_code;            /* of the trouble that sink_news() spoke of last */
	int64_t told_ms;          /* CLOCK_MONOTONIC: when; 0: never */

	/* a frame that is partly written: what a stream or pipe has of the first line */
	char *frame;
	size_t frame_len, frame_done;
	uint64_t stream_bytes; /* of this connection */
	bool is_dgram;         /* each line is one packet */
	bool is_torn;          /* a pipe whose last line was cut short */
	int std_fd;            /* SINK_STDOUT: as it was when the sink was made */

	/* a regular file */
	struct chain chain;
	uint64_t dev, ino;
	int64_t file_size, file_since_ms; /* Unix time of its first line */
	bool is_chained, is_line_open;
	char *batch; /* room for lines that are written in one go; owned */
	size_t batch_room;
};

/* Returns 0 and takes what config owns over, or -ENOMEM. It is not opened yet. */
int sink_new(const struct sink_config *config, struct sink **ret_sink);

/* Counts what still waits as dropped. */
void sink_free(struct sink *sink);

/* Opens it at once, to say what is wrong before anything relies on it. Returns 0 or -errno. */
int sink_try_open(struct sink *sink, struct error *err);

/* The same, but what is wrong becomes its trouble: it will be tried again. */
void sink_expect(struct sink *sink);

/* Queues a line, or counts it as dropped. */
void sink_put(struct sink *sink, struct line *line, bool is_record);

/* Has its descriptor watched for what it waits for. */
void sink_poll(struct sink *sink);

/* Opens what is due and writes what can be written now. */
void sink_pump(struct sink *sink);

/* What happens on its descriptor: events of epoll. */
void sink_ready(struct sink *sink, uint32_t events);

/* ms until it wants sink_pump() although nothing happens; -1: never. */
int64_t sink_timeout(const struct sink *sink, int64_t now_ms);

/*
 * Whether its trouble has begun, ended or become another one since this was asked last; says so at most every ten
 * seconds.
 */
bool sink_news(struct sink *sink, int64_t now_ms);

/* Whether nothing waits. */
bool sink_is_flushed(const struct sink *sink);

extern const struct sink_ops sink_file_ops, sink_pipe_ops, sink_socket_ops;

/* For the kinds: a frame that is written bit by bit. Returns as write() does. */
int sink_write_frame(struct sink *sink, struct error *err);

/* For files: what a path leads to decides which of the two it is. */
int sink_open_path(const char *path, struct error *err);

#endif
