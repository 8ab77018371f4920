// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One need; see need.h. */
#include "kern/need.h"

#include <stdarg.h>
#include <stdio.h>

void need_init(struct need *need, const char *name, const char *lost)
{
	*need = (struct need){ .lost = lost, .is_required = true, .detail = "not tested" };
	snprintf(need->name, sizeof(need->name), "%s", name);
}

static void settle(struct need *need, enum need_state state, const char *fmt, va_list ap)
{
	need->state = state;
	vsnprintf(need->detail, sizeof(need->detail), fmt, ap);
}

void need_found(struct need *need, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	settle(need, NEED_FOUND, fmt, ap);
	va_end(ap);
}

void need_missing(struct need *need, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	settle(need, NEED_MISSING, fmt, ap);
	va_end(ap);
}

void need_untested(struct need *need, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	settle(need, NEED_UNTESTED, fmt, ap);
	va_end(ap);
}

void need_advise(struct need *need, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(need->advice, sizeof(need->advice), fmt, ap);
	va_end(ap);
}
