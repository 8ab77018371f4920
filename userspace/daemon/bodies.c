// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Room for bodies; see bodies.h. */
#include "daemon/bodies.h"

#include <errno.h>
#include <stdint.h>

#include "base/quota.h"

#define MIB ((size_t)1024 * 1024)

/* Well below the time that a client has. */
#define WAIT_MS 5000

static const struct quota_limits limits = {
	.of_user = 2 * MIB,
	.of_users = 8 * MIB,
	.of_all = SIZE_MAX,
};

static struct quota bodies = QUOTA_NONE;

int bodies_take(uid_t uid, size_t len, struct error *err)
{
	int r = uid ? quota_take(&bodies, uid, len, &limits, WAIT_MS) : 0;

	if (r == -EDQUOT)
		return error_set(err, -EBUSY,
				 "your requests under way have more than %zu MiB together; try again",
				 limits.of_user / MIB);
	if (r == -EBUSY)
		return error_set(err, r,
				 "all requests under way have more than %zu MiB together; try again",
				 limits.of_users / MIB);
	return r ? error_errno(err, r, "cannot take the request") : 0;
}

void bodies_return(uid_t uid, size_t len)
{
	if (uid)
		quota_return(&bodies, uid, len);
}
