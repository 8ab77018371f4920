// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F7: names at the edge: deep, long, wide, in no encoding, and with bytes that could forge or break an alert. */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Names of the dataset, as the runner makes them. EXTRA is one, or a path of many. */
static int write_name(void) { return write_to(in(ds, extra), O_WRONLY); }
static int remove_name(void) { return outcome(unlink(in(ds, extra))); }

/* A path may be longer than any one call takes. */
static int write_step_by_step(void)
{
	if (step("chdir") && chdir(in(ds, extra)))
		return -errno;
	return write_to("f", O_WRONLY);
}

const struct attempt attempts[] = {
	{ "write", write_name },
	{ "unlink", remove_name },
	{ "write-relative", write_step_by_step },
	{ NULL, NULL },
};
