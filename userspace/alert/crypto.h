/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of libcrypto signs and verifies. It is loaded when the first key is, and not linked in: its
 * tables are most of what the loader would have to do for every start of this program, and only a
 * controller with a key and `jobcage audit` need them.
 */
#ifndef JOBCAGE_ALERT_CRYPTO_H
#define JOBCAGE_ALERT_CRYPTO_H

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/error.h"

#define CRYPTO_FUNCTIONS(X)       \
	X(PEM_read_PrivateKey)    \
	X(PEM_read_PUBKEY)        \
	X(EVP_PKEY_get_id)        \
	X(EVP_PKEY_free)          \
	X(EVP_MD_CTX_new)         \
	X(EVP_MD_CTX_free)        \
	X(EVP_DigestSignInit)     \
	X(EVP_DigestSign)         \
	X(EVP_DigestVerifyInit)   \
	X(EVP_DigestVerify)

struct crypto {
#define CRYPTO_MEMBER(name) __typeof__(&name) name;
	CRYPTO_FUNCTIONS(CRYPTO_MEMBER)
#undef CRYPTO_MEMBER
};

/* Stays loaded. NULL: there is no such library. */
const struct crypto *crypto_load(struct error *err);

#endif
