// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Users take turns; see turns.h. */
#include "daemon/turns.h"

static size_t find(const struct turns *turns, uid_t uid)
{
	size_t i = 0;

	while (i < TURNS_USERS_MAX && !(turns->served[i].number && turns->served[i].uid == uid))
		i++;
	return i;
}

uint64_t turns_first(const struct turns *turns, uid_t uid)
{
	size_t i = find(turns, uid);
	uint64_t first = turns->now ? turns->now : 1;

	if (i < TURNS_USERS_MAX && turns->served[i].number >= first)
		first = turns->served[i].number + 1;
	return first;
}

void turns_serve(struct turns *turns, uid_t uid, uint64_t number)
{
	size_t i = find(turns, uid);

	if (i == TURNS_USERS_MAX)
		i = turns->served_next++ % TURNS_USERS_MAX;
	turns->served[i] = (struct turn){ uid, number };
	turns->now = number;
}
