// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* F2: renames within, into and out of a dataset, of its root and of the root's parents. */
#include "escape.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int move(const char *from, const char *to, unsigned int flags)
{
	return outcome(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

static const char *parent(void)
{
	return dirname(strdup(ds));
}

static int within(void) { return move(in(ds, "f"), in(ds, "new"), 0); }
static int into(void) { return move(in(out, "f"), in(ds, "new"), 0); }
static int over(void) { return move(in(out, "f"), in(ds, "f"), 0); }
static int out_of(void) { return move(in(ds, "f"), in(out, "new"), 0); }
static int folder_out(void) { return move(in(ds, "d"), in(out, "new"), 0); }
static int exchange_within(void) { return move(in(ds, "f"), in(ds, "g"), RENAME_EXCHANGE); }
static int exchange_into(void) { return move(in(out, "f"), in(ds, "f"), RENAME_EXCHANGE); }
static int exchange_out(void) { return move(in(ds, "f"), in(out, "f"), RENAME_EXCHANGE); }
static int whiteout(void) { return move(in(ds, "f"), in(ds, "new"), RENAME_WHITEOUT); }
static int whiteout_out(void) { return move(in(ds, "f"), in(out, "new"), RENAME_WHITEOUT); }
static int root(void) { return move(ds, in(parent(), "elsewhere"), 0); }
static int root_out(void) { return move(ds, in(out, "new"), 0); }
static int root_exchange(void) { return move(in(out, "folder"), ds, RENAME_EXCHANGE); }
static int root_parent(void) { return move(parent(), in(dirname(strdup(parent())), "elsewhere"), 0); }
static int parent_exchange(void) { return move(in(out, "folder"), parent(), RENAME_EXCHANGE); }

const struct attempt attempts[] = {
	{ "within", within },
	{ "into", into },
	{ "over", over },
	{ "out", out_of },
	{ "folder-out", folder_out },
	{ "exchange-within", exchange_within },
	{ "exchange-into", exchange_into },
	{ "exchange-out", exchange_out },
	{ "whiteout", whiteout },
	{ "whiteout-out", whiteout_out },
	{ "root", root },
	{ "root-out", root_out },
	{ "root-exchange", root_exchange },
	{ "parent", root_parent },
	{ "parent-exchange", parent_exchange },
	{ NULL, NULL },
};
