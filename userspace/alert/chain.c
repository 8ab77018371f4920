// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The chain of a log file; see chain.h. */
#include "alert/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "base/cleanup.h"
#include "base/file.h"

/* Longer than any line: two paths and a command line, all escaped, stay far below. */
#define LINE_MAX_BYTES (1 << 20)

#define OPENING "\"chain\":{\"sequence\":"
#define HASH_KEY "\"hash\":\""
#define ENDING "\"}}}"

const char chain_zeros[CHAIN_HASH_SIZE] =
	"0000000000000000000000000000000000000000000000000000000000000000";

void chain_hash(const void *data, size_t len, char ret_hex[static CHAIN_HASH_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[SHA256_DIGEST_LENGTH];
	SHA256_CTX context;

	/* SHA256() would look for providers each time. */
	SHA256_Init(&context);
	SHA256_Update(&context, data, len);
	SHA256_Final(hash, &context);
	for (size_t i = 0; i < sizeof(hash); i++) {
		ret_hex[2 * i] = digits[hash[i] >> 4];
		ret_hex[2 * i + 1] = digits[hash[i] & 15];
	}
	ret_hex[2 * sizeof(hash)] = '\0';
}

/* What the line's "}}" makes room for. A line's unmapped may be empty. */
static char *put_link(char *at, const struct chain *chain, const struct line *line)
{
	if (line->text[line->len - 3] != '{')
		*at++ = ',';
	at += sprintf(at, OPENING "%" PRIu64, chain->sequence + 1);
	at = stpcpy(at, ",\"previous\":\"");
	at = stpcpy(at, *chain->hash ? chain->hash : chain_zeros);
	at = stpcpy(at, "\",");
	if (*chain->torn) {
		at = stpcpy(at, "\"torn\":\"");
		at = stpcpy(at, chain->torn);
		at = stpcpy(at, "\",");
	}
	return stpcpy(at, HASH_KEY);
}

size_t chain_add(struct chain *chain, const struct line *line, char *room)
{
	char *at = mempcpy(room, line->text, line->len - 2);

	at = put_link(at, chain, line);
	*chain = (struct chain){ .sequence = chain->sequence + 1 };
	chain_hash(room, at - room, chain->hash);
	at = stpcpy(at, chain->hash);
	return stpcpy(at, ENDING "\n") - room;
}

static bool take(const char **at, const char *expected)
{
	size_t len = strlen(expected);

	if (strncmp(*at, expected, len))
		return false;
	*at += len;
	return true;
}

static bool take_hash(const char **at, char ret_hex[static CHAIN_HASH_SIZE])
{
	if (strspn(*at, "0123456789abcdef") != CHAIN_HASH_SIZE - 1)
		return false;
	memcpy(ret_hex, *at, CHAIN_HASH_SIZE - 1);
	ret_hex[CHAIN_HASH_SIZE - 1] = '\0';
	*at += CHAIN_HASH_SIZE - 1;
	return true;
}

static bool take_number(const char **at, uint64_t *ret_number)
{
	char *end;

	if (**at < '1' || **at > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(*at, &end, 10);
	*at = end;
	return !errno;
}

/* Exactly what put_link() puts there, and nothing behind it. */
static bool parse_link(const char *at, struct chain_link *link)
{
	*link = (struct chain_link){ 0 };
	if (!take(&at, OPENING) || !take_number(&at, &link->sequence) ||
	    !take(&at, ",\"previous\":\"") || !take_hash(&at, link->previous) || !take(&at, "\","))
		return false;
	if (take(&at, "\"torn\":\"") && (!take_hash(&at, link->torn) || !take(&at, "\",")))
		return false;
	return take(&at, HASH_KEY) && take_hash(&at, link->hash) && !strcmp(at, ENDING);
}

/* The last place in text that may be a link's opening; NULL: none. No string of JSON holds it: its
 * quotes would be escaped. */
static const char *find_link(const char *text, size_t len)
{
	const char *from = len > CHAIN_LINK_MAX ? text + len - CHAIN_LINK_MAX : text, *found = NULL;

	while ((from = strstr(from, OPENING)))
		found = from++;
	return found;
}

bool chain_read(const char *text, size_t len, struct chain_link *ret_link)
{
	const size_t tail_len = CHAIN_HASH_SIZE - 1 + strlen(ENDING);
	char hash[CHAIN_HASH_SIZE];
	struct chain_link link;
	const char *at;

	if (len < tail_len || memchr(text, '\0', len))
		return false;
	at = find_link(text, len);
	if (!at || !parse_link(at, &link))
		return false;
	chain_hash(text, len - tail_len, hash);
	if (strcmp(hash, link.hash))
		return false;
	*ret_link = link;
	return true;
}

/* --- from a file's end ------------------------------------------------------------------------ */

/* The last line of the chain in text. Moves *end, its newline's place, to it. */
static bool find_last(char *text, size_t *end, struct chain_link *ret_link)
{
	char *line;

	while ((line = text_line_before(text, end))) {
		bool is_link;

		text[*end] = '\0';
		is_link = chain_read(line, text + *end - line, ret_link);
		text[*end] = '\n';
		if (is_link)
			return true;
	}
	return false;
}

int chain_recover(int fd, off_t size, struct chain *ret_chain, bool *ret_is_open)
{
	_cleanup_free_ char *text = NULL;
	struct chain chain = { 0 };
	struct chain_link link;
	size_t len = 0, end, rest;
	int r = fd_read_end(fd, size, 2 * LINE_MAX_BYTES, &text, &len);

	if (r)
		return r;
	end = len;
	rest = 0;
	if (find_last(text, &end, &link)) {
		chain.sequence = link.sequence;
		memcpy(chain.hash, link.hash, sizeof(chain.hash));
		rest = end + 1;
	}
	*ret_is_open = len && text[len - 1] != '\n';
	/* A whole line that is none of the chain was put there by somebody else. */
	if (rest < len && *ret_is_open)
		chain_hash(text + rest, len - rest, chain.torn);
	*ret_chain = chain;
	return 0;
}
