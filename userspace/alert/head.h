/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Heads: where a file's chain stood at some time, said in places that whoever can change the file
 * cannot change; signed if the site has a key.
 *
 * What is signed, with Ed25519, are the bytes "jobcage-head-1\nSEQUENCE\nHASH\n".
 */
#ifndef JOBCAGE_ALERT_HEAD_H
#define JOBCAGE_ALERT_HEAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "alert/chain.h"
#include "base/error.h"

#define HEAD_SIGNATURE_SIZE 129 /* hex digits and NUL */

#define HEAD_OF_SIZE 512

struct head {
	uint64_t sequence;
	char hash[CHAIN_HASH_SIZE];
	char signature[HEAD_SIGNATURE_SIZE]; /* "": not signed */
	char of[HEAD_OF_SIZE]; /* "FILE of machine ID", any text; "": not known. Not signed */
};

struct head_key;

/* An Ed25519 key in PEM: a private one to sign with, or a public one to verify. -EINVAL: no such. */
int head_key_load(const char *path, bool is_private, struct error *err, struct head_key **ret_key);
void head_key_free(struct head_key *key);

/* Fills head->signature. Returns 0 or -EIO. */
int head_sign(const struct head_key *key, struct head *head);
bool head_verify(const struct head_key *key, const struct head *head);

/* /etc/machine-id: a new string, or NULL. */
char *head_machine_id(void);

/* What heads of that file on that machine (NULL: not known, by its name as a host) have in of. */
void head_name(const char *file, const char *machine, const char *host,
	       char ret_of[static HEAD_OF_SIZE]);

/* From an event: false if it is none of a head, or a malformed one. */
bool head_read(const json_t *event, struct head *ret_head);

#endif
