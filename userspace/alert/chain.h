/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The chain of a log file: each line carries its number, the hash of the line before and its own.
 *
 *     {...,"unmapped":{...,"chain":{"sequence":7,"previous":"HEX","hash":"HEX"}}}
 *
 * hash is the SHA-256 of the line's bytes up to and including the quote that opens its value, so it
 * covers the event, the number and previous. The first line ever has number 1 and a previous of
 * zeros. A line that follows a fragment, which a writer left that died, has also "torn": the
 * SHA-256 of all that stands in between, without its last newline.
 */
#ifndef JOBCAGE_ALERT_CHAIN_H
#define JOBCAGE_ALERT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "alert/line.h"

#define CHAIN_HASH_SIZE 65 /* hex digits and NUL */

/* Where a file's chain stands. A zeroed one has sequence 0: nothing written yet. */
struct chain {
	uint64_t sequence;
	char hash[CHAIN_HASH_SIZE]; /* of the last line; "": none */
	char torn[CHAIN_HASH_SIZE]; /* of what the next line follows and is none; "": nothing */
};

/* One line's part of it. */
struct chain_link {
	uint64_t sequence;
	char previous[CHAIN_HASH_SIZE], torn[CHAIN_HASH_SIZE], hash[CHAIN_HASH_SIZE];
};

void chain_hash(const void *data, size_t len, char ret_hex[static CHAIN_HASH_SIZE]);

/* "000..." */
extern const char chain_zeros[CHAIN_HASH_SIZE];

/* What a line grows by at most when it becomes part of the chain. */
#define CHAIN_LINK_MAX 512

/*
 * Puts the line as the file gets it, with its newline, into room, which has line->len +
 * CHAIN_LINK_MAX bytes. Returns its length; chain becomes the state after it.
 */
size_t chain_add(struct chain *chain, const struct line *line, char *room);

/* Reads a line's link (without newline). False: it has none, or its hash is not that of the line. */
bool chain_read(const char *text, size_t len, struct chain_link *ret_link);

/*
 * Where the chain stands, from the file's end. *ret_is_open: the file ends within a line, which has
 * to be closed by a newline first. Returns 0 or -errno.
 */
int chain_recover(int fd, off_t size, struct chain *ret_chain, bool *ret_is_open);

#endif
