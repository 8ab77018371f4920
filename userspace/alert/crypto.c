// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* libcrypto, when it is needed; see crypto.h. */
#include "alert/crypto.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#include "base/cleanup.h"

/* The one whose headers this was compiled with. */
#define LIBRARY "libcrypto.so.3"

#define CRYPTO_ENTRY(name) { #name, offsetof(struct crypto, name) },
static const struct {
	const char *name;
	size_t offset;
} functions[] = { CRYPTO_FUNCTIONS(CRYPTO_ENTRY) };
#undef CRYPTO_ENTRY

static int fail(struct error *err)
{
	return error_set(err, -ELIBACC, "cannot load " LIBRARY " (package libssl3): %s", dlerror());
}

const struct crypto *crypto_load(struct error *err)
{
	static struct crypto crypto;
	static void *library;

	if (library)
		return &crypto;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; library && i < ARRAY_SIZE(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function) {
			fail(err);
			dlclose(library);
			library = NULL;
			return NULL;
		}
		*(void **)((char *)&crypto + functions[i].offset) = function;
	}
	if (!library)
		fail(err);
	return library ? &crypto : NULL;
}
