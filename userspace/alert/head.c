// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Heads of chains; see head.h. */
#include "alert/head.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/file.h"

#define SIGNATURE_LEN 64
#define MESSAGE_MAX 128

struct head_key {
	EVP_PKEY *pkey;
};

int head_key_load(const char *path, bool is_private, struct error *err, struct head_key **ret_key)
{
	_cleanup_file_ FILE *in = fopen(path, "re");
	struct head_key *key;
	EVP_PKEY *pkey;

	if (!in)
		return error_errno(err, -errno, "cannot read the key %s", path);
	pkey = is_private ? PEM_read_PrivateKey(in, NULL, NULL, "") :
			    PEM_read_PUBKEY(in, NULL, NULL, NULL);
	if (!pkey || EVP_PKEY_id(pkey) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(pkey);
		return error_set(err, -EINVAL, "%s is no %s Ed25519 key in PEM without a passphrase",
				 path, is_private ? "private" : "public");
	}
	key = malloc(sizeof(*key));
	if (!key) {
		EVP_PKEY_free(pkey);
		return error_errno(err, -ENOMEM, "cannot read the key %s", path);
	}
	key->pkey = pkey;
	*ret_key = key;
	return 0;
}

void head_key_free(struct head_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

static int print_message(const struct head *head, char room[static MESSAGE_MAX])
{
	return snprintf(room, MESSAGE_MAX, "jobcage-head-1\n%" PRIu64 "\n%s\n", head->sequence,
			head->hash);
}

int head_sign(const struct head_key *key, struct head *head)
{
	unsigned char signature[SIGNATURE_LEN];
	size_t len = sizeof(signature);
	char message[MESSAGE_MAX];
	int message_len = print_message(head, message), ok;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	     EVP_DigestSign(ctx, signature, &len, (unsigned char *)message, message_len) == 1 &&
	     len == sizeof(signature);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -EIO;
	for (size_t i = 0; i < len; i++)
		sprintf(head->signature + 2 * i, "%02x", signature[i]);
	return 0;
}

static bool hex_to_bytes(const char *hex, unsigned char *bytes, size_t len)
{
	if (strlen(hex) != 2 * len || strspn(hex, "0123456789abcdef") != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned int value;

		sscanf(hex + 2 * i, "%2x", &value);
		bytes[i] = value;
	}
	return true;
}

bool head_verify(const struct head_key *key, const struct head *head)
{
	unsigned char signature[SIGNATURE_LEN];
	char message[MESSAGE_MAX];
	int message_len = print_message(head, message);
	EVP_MD_CTX *ctx;
	bool ok;

	if (!hex_to_bytes(head->signature, signature, sizeof(signature)))
		return false;
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
	     EVP_DigestVerify(ctx, signature, sizeof(signature), (unsigned char *)message,
			      message_len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

char *head_machine_id(void)
{
	char *text;

	if (file_read("/etc/machine-id", 4096, &text, NULL))
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* A host may be renamed, its machine's id stays. */
void head_name(const char *file, const char *machine, const char *host,
	       char ret_of[static HEAD_OF_SIZE])
{
	snprintf(ret_of, HEAD_OF_SIZE, "%.320s of %s %.128s", file, machine ? "machine" : "host",
		 machine ? machine : host);
}

static void read_name(const json_t *event, const json_t *head, struct head *ret_head)
{
	const json_t *device = json_object_get(event, "device");
	const char *file = json_string_value(json_object_get(head, "file")),
		   *machine = json_string_value(json_object_get(device, "uid")),
		   *host = json_string_value(json_object_get(device, "hostname"));

	*ret_head->of = '\0';
	if (file && (machine || host))
		head_name(file, machine, host, ret_head->of);
}

bool head_read(const json_t *event, struct head *ret_head)
{
	const json_t *own = json_object_get(json_object_get(event, "unmapped"), "jobcage");
	const json_t *head = json_object_get(own, "head");
	const char *hash = json_string_value(json_object_get(head, "hash"));
	const char *signature = json_string_value(json_object_get(head, "signature"));
	json_int_t sequence = json_integer_value(json_object_get(head, "sequence"));

	if (!hash || strlen(hash) != CHAIN_HASH_SIZE - 1 || sequence <= 0 ||
	    (signature && strlen(signature) != HEAD_SIGNATURE_SIZE - 1))
		return false;
	ret_head->sequence = sequence;
	strcpy(ret_head->hash, hash);
	strcpy(ret_head->signature, signature ? signature : "");
	read_name(event, head, ret_head);
	return true;
}
