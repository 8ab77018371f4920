// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F17: a confused deputy: an outside process of the same user that copies on request. Won when the copy is there. */
#include "accomplice.h"
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PATIENCE 100 /* looks, of 20 ms each */

static int stolen(void)
{
	const char *path = in(out, "stolen");

	step("the accomplice");
	for (int i = 0; i < PATIENCE; i++) {
		if (!access(path, R_OK))
			return read_from(path);
		usleep(20000);
	}
	return -ETIMEDOUT;
}

static int ask(bool is_abstract)
{
	int sock = accomplice_ask("copy", is_abstract);

	return sock < 0 ? sock : stolen();
}

static int by_socket(void) { return ask(false); }
static int by_abstract_socket(void) { return ask(true); }
static int by_fifo(void) { return write_to(in(out, "accomplice.fifo"), O_WRONLY | O_NONBLOCK) ?: stolen(); }
static int by_folder(void) { return write_to(in(out, "request"), O_WRONLY | O_CREAT) ?: stolen(); }

const struct attempt attempts[] = {
	{ "socket", by_socket },
	{ "abstract-socket", by_abstract_socket },
	{ "fifo", by_fifo },
	{ "folder", by_folder },
	{ NULL, NULL },
};
