// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Proving a log; see audit.h.
 *
 * One pass over the lines. The hash of every line is kept (64 bytes each), because a head may speak
 * of any line before it.
 */
#include "alert/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/chain.h"
#include "base/cleanup.h"

struct audit {
	const struct head_key *key;
	struct audit_result *result;
	const char *file;
	uint64_t line;
	/* What stands between two lines of the chain and is none: their text so far, and where it
	 * began. */
	char *odd;
	size_t odd_len;
	const char *odd_file;
	uint64_t odd_line;
	bool odd_has_link; /* a part of it looks like a line that was changed */
	char (*hashes)[CHAIN_HASH_SIZE];
	size_t hash_cnt, hash_room;
	struct audit_heads inner; /* heads in the log itself */
};

/* --- heads ------------------------------------------------------------------------------------ */

static int add_head(struct audit_heads *heads, const struct head *head)
{
	struct head *items = realloc(heads->items, (heads->cnt + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	heads->items = items;
	items[heads->cnt++] = *head;
	return 0;
}

/* A line of a log or of another sink: the event begins at the first brace. False: no head. */
static bool find_head(const char *text, struct head *ret_head)
{
	json_auto_t *event = NULL;

	if (!strstr(text, "\"event_code\":\"log_head\""))
		return false;
	text = strchr(text, '{');
	event = text ? json_loads(text, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	return head_read(event, ret_head);
}

static int add_heads_of_file(struct audit_heads *heads, const char *path, struct error *err)
{
	_cleanup_file_ FILE *in = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t room = 0, before = heads->cnt;
	struct head head;

	if (!in)
		return error_errno(err, -errno, "cannot read %s", path);
	while (getline(&text, &room, in) > 0)
		if (find_head(text, &head) && add_head(heads, &head))
			return error_errno(err, -ENOMEM, "cannot read %s", path);
	if (heads->cnt == before)
		return error_set(err, -ENODATA, "%s holds no head", path);
	return 0;
}

int audit_heads_add(struct audit_heads *heads, const char *text, struct error *err)
{
	struct head head = { 0 };
	int end = 0;

	if (sscanf(text, "%" SCNu64 ":%64[0-9a-f]%n", &head.sequence, head.hash, &end) == 2 &&
	    !text[end] && strlen(head.hash) == CHAIN_HASH_SIZE - 1)
		return add_head(heads, &head) ? error_errno(err, -ENOMEM, "cannot take a head") : 0;
	return add_heads_of_file(heads, text, err);
}

bool audit_heads_are_of(const struct audit_heads *heads, const char *name)
{
	for (size_t i = 0; i < heads->cnt; i++)
		if (!strcmp(heads->items[i].of, name))
			return true;
	return false;
}

const char *audit_heads_other(const struct audit_heads *heads, const char *name)
{
	for (size_t i = 0; i < heads->cnt; i++)
		if (*heads->items[i].of && strcmp(heads->items[i].of, name))
			return heads->items[i].of;
	return NULL;
}

void audit_heads_free(struct audit_heads *heads)
{
	free(heads->items);
	*heads = (struct audit_heads){ 0 };
}

/* --- faults ----------------------------------------------------------------------------------- */

static int fault_at(struct audit *audit, const char *file, uint64_t line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Only the first one counts. Returns 1, which ends the pass. */
static int fault_at(struct audit *audit, const char *file, uint64_t line, const char *fmt, ...)
{
	struct audit_result *result = audit->result;
	va_list ap;

	if (!result->is_sound)
		return 1;
	result->is_sound = false;
	result->file = file ? strdup(file) : NULL;
	result->line = line;
	va_start(ap, fmt);
	vsnprintf(result->fault, sizeof(result->fault), fmt, ap);
	va_end(ap);
	return 1;
}

static int odd_fault(struct audit *audit)
{
	return fault_at(audit, audit->odd_file, audit->odd_line, "%s",
			audit->odd_has_link ?
				"the line was changed, or is none of the chain" :
				"the line was cut short, or is none of the chain");
}

/* --- lines ------------------------------------------------------------------------------------ */

static int keep_odd(struct audit *audit, const char *text, size_t len, bool has_newline)
{
	char *odd = realloc(audit->odd, audit->odd_len + len + 2);

	if (!odd)
		return -ENOMEM;
	if (!audit->odd) {
		audit->odd_file = audit->file;
		audit->odd_line = audit->line;
	} else {
		odd[audit->odd_len++] = '\n';
	}
	memcpy(odd + audit->odd_len, text, len);
	audit->odd = odd;
	audit->odd_len += len;
	/* Cut short by a writer that died, it has no end. */
	audit->odd_has_link |= has_newline && len > 4 && !memcmp(text + len - 4, "\"}}}", 4);
	return 0;
}

/* What stands before this line is accounted for by it, or there is nothing. Returns 0 or 1. */
static int check_odd(struct audit *audit, const struct chain_link *link)
{
	char hash[CHAIN_HASH_SIZE];

	if (!audit->odd)
		return *link->torn ? fault_at(audit, audit->file, audit->line,
					      "a fragment that stood before it is gone") :
				     0;
	chain_hash(audit->odd, audit->odd_len, hash);
	if (audit->odd_has_link || strcmp(hash, link->torn))
		return odd_fault(audit);
	audit->result->torn++;
	free(audit->odd);
	audit->odd = NULL;
	audit->odd_len = 0;
	return 0;
}

static int check_first(struct audit *audit, const struct chain_link *link)
{
	if (link->sequence == 1 && strcmp(link->previous, chain_zeros))
		return fault_at(audit, audit->file, audit->line,
				"line 1 of a chain that follows another line");
	audit->result->first = link->sequence;
	return 0;
}

static int check_place(struct audit *audit, const struct chain_link *link)
{
	uint64_t expected = audit->result->last + 1;

	if (!audit->result->lines)
		return check_first(audit, link);
	if (link->sequence > expected)
		return fault_at(audit, audit->file, audit->line,
				"lines %" PRIu64 " to %" PRIu64 " are missing before it", expected,
				link->sequence - 1);
	if (link->sequence < expected)
		return fault_at(audit, audit->file, audit->line,
				"line %" PRIu64 " is repeated or out of its place", link->sequence);
	if (strcmp(link->previous, audit->result->hash))
		return fault_at(audit, audit->file, audit->line,
				"it does not follow the line before, which was replaced");
	return 0;
}

static int keep_hash(struct audit *audit, const char *hash)
{
	if (audit->hash_cnt == audit->hash_room) {
		size_t room = audit->hash_room ? audit->hash_room * 2 : 1024;
		void *grown = realloc(audit->hashes, room * sizeof(*audit->hashes));

		if (!grown)
			return -ENOMEM;
		audit->hashes = grown;
		audit->hash_room = room;
	}
	strcpy(audit->hashes[audit->hash_cnt++], hash);
	return 0;
}

static int take_line(struct audit *audit, const char *text, const struct chain_link *link)
{
	struct audit_result *result = audit->result;
	struct head head;
	int r;

	if (check_odd(audit, link) || check_place(audit, link))
		return 1;
	r = result->lines ? 0 : keep_hash(audit, link->previous);
	result->lines++;
	result->last = link->sequence;
	strcpy(result->hash, link->hash);
	if (!r)
		r = keep_hash(audit, link->hash);
	if (!r && find_head(text, &head))
		r = add_head(&audit->inner, &head);
	return r;
}

/* Returns 0, 1 when a fault was found, or -errno. */
static int verify_file(struct audit *audit, const char *path, struct error *err)
{
	_cleanup_file_ FILE *in = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	struct chain_link link;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	if (!in)
		return error_errno(err, -errno, "cannot read %s", path);
	audit->file = path;
	audit->line = 0;
	while (!r && (len = getline(&text, &room, in)) > 0) {
		bool has_newline = text[len - 1] == '\n';

		audit->line++;
		if (has_newline)
			text[--len] = '\0';
		if (has_newline && chain_read(text, len, &link))
			r = take_line(audit, text, &link);
		else
			r = keep_odd(audit, text, len, has_newline);
	}
	if (!r && ferror(in))
		return error_errno(err, -EIO, "cannot read %s", path);
	return r < 0 ? error_errno(err, r, "cannot verify %s", path) : r;
}

/* --- heads against lines ---------------------------------------------------------------------- */

/* The first line tells the hash of the one before. */
static bool is_here(const struct audit_result *result, const struct head *head)
{
	return head->sequence && head->sequence + 1 >= result->first &&
	       head->sequence <= result->last;
}

static bool agrees(const struct audit *audit, const struct head *head)
{
	return !strcmp(audit->hashes[head->sequence + 1 - audit->result->first], head->hash);
}

static int check_signature(struct audit *audit, const struct head *head)
{
	struct audit_result *result = audit->result;

	if (!audit->key || !*head->signature)
		return 0;
	if (!head_verify(audit->key, head))
		return fault_at(audit, NULL, 0,
				"the signature of the head of line %" PRIu64 " is not by this key",
				head->sequence);
	result->signatures++;
	if (result->signed_to < head->sequence)
		result->signed_to = head->sequence;
	return 0;
}

static int check_head(struct audit *audit, const struct head *head)
{
	struct audit_result *result = audit->result;

	if (head->sequence > result->last)
		return fault_at(audit, NULL, 0,
				"a head speaks of line %" PRIu64 ", but the log ends with line %" PRIu64
				": its end was cut off",
				head->sequence, result->last);
	if (!is_here(result, head))
		return 0;
	if (check_signature(audit, head))
		return 1;
	result->heads++;
	if (!agrees(audit, head))
		return fault_at(audit, NULL, 0,
				"line %" PRIu64 " is not the one that a head speaks of: the log was "
				"written anew from there or before",
				head->sequence);
	return 0;
}

static bool is_own(const struct audit *audit, const struct head *head)
{
	return *head->of && is_here(audit->result, head) && agrees(audit, head);
}

/* More than one only where logs have been the same so far. */
#define NAMES_MAX 8

struct names {
	const char *items[NAMES_MAX];
	size_t cnt;
};

static bool has_name(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->cnt; i++)
		if (!strcmp(names->items[i], name))
			return true;
	return false;
}

/*
 * What the last head that agrees with the log calls it. Earlier ones may be another's: two files that
 * were begun together have the same lines, until one of them misses some.
 */
static struct names own_names(const struct audit *audit, const struct audit_heads *heads)
{
	struct names names = { 0 };
	uint64_t last = 0;

	for (size_t i = 0; i < heads->cnt; i++)
		if (heads->items[i].sequence > last && is_own(audit, &heads->items[i]))
			last = heads->items[i].sequence;
	for (size_t i = 0; last && i < heads->cnt && names.cnt < NAMES_MAX; i++) {
		const struct head *head = &heads->items[i];

		if (head->sequence == last && is_own(audit, head) && !has_name(&names, head->of))
			names.items[names.cnt++] = head->of;
	}
	return names;
}

/*
 * A file has the heads of its controller's other files, too. They are passed over, but not where no
 * head agrees: then any may be its own.
 */
static int check_inner(struct audit *audit)
{
	const struct audit_heads *heads = &audit->inner;
	const struct names own = own_names(audit, heads);
	int r = 0;

	if (own.cnt)
		strcpy(audit->result->of, own.items[0]);
	for (size_t i = 0; !r && i < heads->cnt; i++) {
		const struct head *head = &heads->items[i];

		if (own.cnt && *head->of && !has_name(&own, head->of))
			audit->result->others++;
		else
			r = check_head(audit, head);
	}
	return r;
}

/* Whoever can write to a receiver can add heads there, so that some agree says nothing of others. */
static int check_heads(struct audit *audit, const struct audit_heads *heads)
{
	int r = 0;

	for (size_t i = 0; !r && i < heads->cnt; i++) {
		const struct head *head = &heads->items[i];

		if (heads->of && *head->of && strcmp(head->of, heads->of))
			audit->result->others++;
		else
			r = check_head(audit, head);
	}
	return r;
}

/* Whoever has a key wants to know it from its owner, not from whoever left the heads out. */
static int check_signed(struct audit *audit)
{
	if (!audit->key || audit->result->signatures)
		return 0;
	return fault_at(audit, NULL, 0, "no line of it has a head that is signed by this key");
}

/* --- files ------------------------------------------------------------------------------------ */

struct ordered {
	const char *path;
	uint64_t first;
	size_t given;
};

/* The number of its first line of a chain; the last place for a file without one. */
static int find_first(const char *path, struct error *err, uint64_t *ret_first)
{
	_cleanup_file_ FILE *in = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	struct chain_link link;
	size_t room = 0;
	ssize_t len;

	if (!in)
		return error_errno(err, -errno, "cannot read %s", path);
	*ret_first = UINT64_MAX;
	while (*ret_first == UINT64_MAX && (len = getline(&text, &room, in)) > 0) {
		if (text[len - 1] == '\n')
			text[--len] = '\0';
		if (chain_read(text, len, &link))
			*ret_first = link.sequence;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->given < y->given ? -1 : x->given > y->given;
}

static int verify_all(struct audit *audit, const struct ordered *files, size_t cnt,
		      const struct audit_heads *heads, struct error *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < cnt; i++)
		r = verify_file(audit, files[i].path, err);
	if (!r && audit->odd)
		r = odd_fault(audit);
	if (!r && !audit->result->lines && heads && heads->cnt)
		r = fault_at(audit, NULL, 0, "the log is empty, but there are heads of it");
	if (!r && audit->result->lines && heads)
		r = check_heads(audit, heads);
	if (!r)
		r = check_inner(audit);
	if (!r)
		r = check_signed(audit);
	return r;
}

int audit_verify(char *const *files, size_t cnt, const struct audit_heads *heads,
		 const struct head_key *key, struct error *err, struct audit_result *ret_result)
{
	_cleanup_free_ struct ordered *ordered = calloc(cnt + 1, sizeof(*ordered));
	struct audit_result result = { .is_sound = true };
	struct audit audit = { .key = key, .result = &result };
	int r = ordered ? 0 : error_errno(err, -ENOMEM, "cannot verify");

	for (size_t i = 0; !r && i < cnt; i++) {
		ordered[i] = (struct ordered){ .path = files[i], .given = i };
		r = find_first(files[i], err, &ordered[i].first);
	}
	if (!r) {
		qsort(ordered, cnt, sizeof(*ordered), compare);
		r = verify_all(&audit, ordered, cnt, heads, err);
	}
	free(audit.odd);
	free(audit.hashes);
	audit_heads_free(&audit.inner);
	if (r < 0) {
		audit_result_free(&result);
		return r;
	}
	*ret_result = result;
	return 0;
}

void audit_result_free(struct audit_result *result)
{
	free(result->file);
}
