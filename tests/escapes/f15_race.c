// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * F15: a name that leads to the adversary's own file and to the dataset by turns, as fast as the machine can, while another
 * thread opens it for writing (or the closed dataset for reading). Won as soon as one open came through to the wrong file,
 * as the opened file itself tells. EXTRA: seconds. Says on standard error how often it tried.
 */
#include "escape.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_bool is_over;

struct race {
	void *(*stir)(void *race);
	const char *slot, *other; /* exchanged all the time */
	const char *name;         /* opened all the time */
	const char *prize;        /* the file it must never be */
	int flags;
	unsigned long opened, refused;
};

static void *swap(void *arg)
{
	const struct race *race = arg;

	while (!is_over)
		renameat2(AT_FDCWD, race->slot, AT_FDCWD, race->other, RENAME_EXCHANGE);
	return NULL;
}

/* A name of the dataset's file comes and goes, and one of the adversary's own: when a file has only one name left, which is it? */
static void come_and_go(const struct race *race, bool is_replaced)
{
	int fd = open(in(out, "old-link"), O_RDONLY | O_CLOEXEC);
	const char *own = is_replaced ? race->other : race->slot;
	char way[32];

	snprintf(way, sizeof(way), "/proc/self/fd/%d", fd);
	unlink(in(out, "old-link"));
	while (!is_over) {
		linkat(AT_FDCWD, way, AT_FDCWD, race->slot, AT_SYMLINK_FOLLOW);
		if (!is_replaced)
			unlink(race->slot);
		close(open(own, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
		if (is_replaced)
			rename(own, race->slot);
		unlink(race->slot);
	}
}

static void *remove_name(void *arg)
{
	come_and_go(arg, false);
	return NULL;
}

static void *replace_name(void *arg)
{
	come_and_go(arg, true);
	return NULL;
}

static bool is_prize(int fd, const struct stat *prize)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == prize->st_ino && st.st_dev == prize->st_dev;
}

/* True if won. */
static bool try_once(struct race *race, const struct stat *prize)
{
	int fd = open(race->name, race->flags | O_CLOEXEC);
	bool is_won;

	if (fd < 0) {
		race->refused += errno == EACCES || errno == EPERM;
		return false;
	}
	race->opened++;
	is_won = is_prize(fd, prize);
	close(fd);
	return is_won;
}

static int run(struct race *race)
{
	time_t end = time(NULL) + atoi(extra ?: "1");
	struct stat prize;
	pthread_t thread;
	bool is_won = false;

	if (step("stat") && stat(race->prize, &prize))
		return -errno;
	errno = pthread_create(&thread, NULL, race->stir ?: swap, race);
	if (step("pthread_create") && errno)
		return -errno;
	while (!is_won && time(NULL) < end)
		is_won = try_once(race, &prize);
	is_over = true;
	pthread_join(thread, NULL);
	fprintf(stderr, "race: %lu opened, %lu refused\n", race->opened, race->refused);
	step("race");
	/* Where neither happened, nothing was raced. */
	if (is_won)
		return 0;
	return race->opened && race->refused ? -EACCES : -ECHILD;
}

/* OUT/slot is a link to OUT/f, OUT/via one to DS/f. */
static int swap_link(void)
{
	return run(&(struct race){ .slot = in(out, "slot"), .other = in(out, "via"), .name = in(out, "slot"),
				   .prize = in(ds, "f"), .flags = O_WRONLY });
}

/* A folder on the way. */
static int swap_folder(void)
{
	return run(&(struct race){ .slot = in(out, "folder"), .other = in(out, "via-ds"), .name = in(out, "folder/f"),
				   .prize = in(ds, "f"), .flags = O_RDWR });
}

static int swap_closed(void)
{
	return run(&(struct race){ .slot = in(out, "folder"), .other = in(out, "via-closed-folder"), .name = in(out, "folder/p"),
				   .prize = in(closed, "p"), .flags = O_RDONLY });
}

static int race_for_name(void *(*stir)(void *race))
{
	return run(&(struct race){ .stir = stir, .slot = in(out, "new"), .other = in(out, "other-new"), .name = in(out, "new"),
				   .prize = in(ds, "f"), .flags = O_WRONLY });
}

static int unlinked(void) { return race_for_name(remove_name); }
static int replaced(void) { return race_for_name(replace_name); }

const struct attempt attempts[] = {
	{ "link", swap_link },
	{ "folder", swap_folder },
	{ "closed", swap_closed },
	{ "unlinked", unlinked },
	{ "replaced", replaced },
	{ NULL, NULL },
};
