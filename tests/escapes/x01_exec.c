// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* X1: running a program that no rule lists: by names that lead to it, under a listed name, as what runs another file. */
#include "escape.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES 20

static const char *tool(void) { return in(out, "tool"); }
static int listed(void) { return run_path(in(extra, "tool")); }
static int unlisted(void) { return run_path(tool()); }
static int by_proc_root(void) { return run_path(in("/proc/self/root", tool())); }

static int exec_at(int folder, const char *name, int flags)
{
	char *argv[] = { "program", NULL };

	if (step("open O_PATH") && folder < 0)
		return -errno;
	step("execveat");
	return outcome(syscall(SYS_execveat, folder, name, argv, argv + 1, flags));
}

static int at_folder(void) { return exec_at(open(out, O_PATH | O_DIRECTORY | O_CLOEXEC), "tool", 0); }
static int at_file(void) { return exec_at(open(tool(), O_PATH | O_CLOEXEC), "", AT_EMPTY_PATH); }
static int child_at_folder(void) { return in_quiet_child(at_folder); }
static int child_at_file(void) { return in_quiet_child(at_file); }

/* As OUT/bin/true, for a policy that might know programs by their names. */
static int under_listed_name(int (*make)(const char *path))
{
	const char *folder = in(out, "bin"), *path = in(folder, "true");
	int r;

	if (step("mkdir") && mkdir(folder, 0700))
		return -errno;
	r = make(path) ?: run_path(path);
	unlink(path);
	rmdir(folder);
	return r;
}

static int make_symlink(const char *path) { return outcome(symlink(tool(), path)); }
static int make_link(const char *path) { return outcome(link(tool(), path)); }
static int make_copy(const char *path) { return copy_to(path, in(extra, "tool")); }
static int by_symlink(void) { return under_listed_name(make_symlink); }
static int by_link(void) { return under_listed_name(make_link); }
static int by_copy(void) { return under_listed_name(make_copy); }

/* A listed interpreter runs it; the listed ones are run by the tool, at once or by another script. */
static int own_script(void) { return run_path(in(out, "script")); }
static int interpreter(void) { return run_path(in(extra, "script")); }
static int interpreter_chain(void) { return run_path(in(extra, "chain")); }

/* The machine has a handler for such names, which is the tool; the second was opened when it was registered. */
static int handled(void) { return run_path(in(extra, "program.jobcage-x1")); }
static int handled_by_open_one(void) { return run_path(in(extra, "program.jobcage-x1f")); }

static atomic_bool is_over;

static void *swap(void *slot)
{
	while (!is_over)
		renameat2(AT_FDCWD, slot, AT_FDCWD, tool(), RENAME_EXCHANGE);
	return NULL;
}

/* By turns one name leads to a listed program, which fails, and to the tool, which does not. Won if that one runs. */
static int race(const char *slot)
{
	int r = -EACCES, refused = 0, ran = 0;

	for (int i = 0; r && i < TRIES; i++) {
		r = run_path(slot);
		refused += r == -EACCES;
		ran += r == -EPERM;
	}
	/* Where neither happened, nothing was raced. */
	return !r ? 0 : refused && ran ? -EACCES : -ECHILD;
}

static int replaced(void)
{
	char *slot = (char *)in(out, "slot"), target[1];
	pthread_t thread;
	int r;

	unlink(slot);
	if (step("symlink") && symlink("/usr/bin/false", slot))
		return -errno;
	errno = pthread_create(&thread, NULL, swap, slot);
	if (step("pthread_create") && errno)
		return -errno;
	r = race(slot);
	is_over = true;
	pthread_join(thread, NULL);
	if (readlink(slot, target, sizeof(target)) < 0)
		renameat2(AT_FDCWD, slot, AT_FDCWD, tool(), RENAME_EXCHANGE);
	step("race");
	return r;
}

const struct attempt attempts[] = {
	{ "listed", listed },
	{ "execve", unlisted },
	{ "execveat", child_at_folder },
	{ "execveat-fd", child_at_file },
	{ "proc-root", by_proc_root },
	{ "symlink", by_symlink },
	{ "hard-link", by_link },
	{ "copy", by_copy },
	{ "replaced", replaced },
	{ "script", own_script },
	{ "interpreter", interpreter },
	{ "interpreter-chain", interpreter_chain },
	{ "binfmt-misc", handled },
	{ "binfmt-misc-open", handled_by_open_one },
	{ NULL, NULL },
};
