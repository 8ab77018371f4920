// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Launchers that ask the controller for more than they may have; see driver.c. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "driver.h"
#include "job/environment.h"

static int map(const struct options *options, const struct actor *actor, int pidfd)
{
	struct error err = { 0 };

	if (environment_map_ids(actor->pid, pidfd, options->uid, options->gids[0], options->gids,
				options->gid_cnt, &err))
		fail(&err);
	else
		fputs("mapped\n", stderr);
	return err.code;
}

static void make_space(const struct options *options, int sock)
{
	become(options);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		die("unshare");
	pause_act(sock);
}

static void make_none(const struct options *options, int sock)
{
	become(options);
	pause_act(sock);
}

static void map_itself(const struct options *options, uid_t inside)
{
	char text[32];

	snprintf(text, sizeof(text), "%u %u 1\n", inside, options->uid);
	if (unshare(CLONE_NEWUSER) || file_write_at(AT_FDCWD, "/proc/self/uid_map", text))
		die("uid_map");
	snprintf(text, sizeof(text), "%u %u 1\n", options->gids[0], options->gids[0]);
	if (file_write_at(AT_FDCWD, "/proc/self/setgroups", "deny") ||
	    file_write_at(AT_FDCWD, "/proc/self/gid_map", text))
		die("gid_map");
}

static void make_mapped(const struct options *options, int sock)
{
	become(options);
	map_itself(options, 0);
	pause_act(sock);
}

/* The outer one must be mapped, or the kernel makes no second. */
static void make_nested(const struct options *options, int sock)
{
	become(options);
	map_itself(options, options->uid);
	if (unshare(CLONE_NEWUSER))
		die("unshare");
	pause_act(sock);
}

static const char *outcome(int failed)
{
	return failed ? strerrorname_np(errno) : "OK";
}

static void say_outcomes(const struct options *options)
{
	gid_t none[1] = { options->gids[0] };

	printf("setuid0=%s ", outcome(setresuid(0, 0, 0)));
	printf("setuid1=%s ", outcome(setresuid(1, 1, 1)));
	printf("setgid0=%s ", outcome(setresgid(0, 0, 0)));
	printf("setgroups=%s ", outcome(setgroups(1, none)));
	printf("dropgroups=%s\n", outcome(setgroups(0, NULL)));
	fflush(stdout);
}

/* With all capabilities in its namespace and its ids mapped, what can it become? */
static void try_ids(const struct options *options, int sock)
{
	make_space(options, sock);
	say_outcomes(options);
}

/* Enters the namespace of another: its pid is in the environment. */
static void share_space(const struct options *options, int sock)
{
	char path[64];
	int fd;

	become(options);
	snprintf(path, sizeof(path), "/proc/%s/ns/user", getenv("OTHER"));
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWUSER))
		die("setns");
	pause_act(sock);
	say_outcomes(options);
}

/* Is put into a namespace that another user made, as only root's carelessness could. */
static void strange_space(const struct options *options, int sock)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/user", getenv("OTHER"));
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWUSER))
		die("setns");
	pause_act(sock);
	(void)options;
}

static int hostile_shared(const struct options *options, act_fn *act, const struct options *maker)
{
	struct actor other = start_actor(maker, try_ids), actor;
	char text[16];

	snprintf(text, sizeof(text), "%d", other.pid);
	setenv("OTHER", text, 1);
	actor = start_actor(options, act);
	map(options, &actor, actor.pidfd);
	finish_actor(&actor);
	return finish_actor(&other);
}

static int hostile_wrong_pidfd(const struct options *options)
{
	struct actor victim = start_actor(options, make_space);
	struct actor actor = start_actor(options, make_space);

	map(options, &victim, actor.pidfd);
	finish_actor(&actor);
	map(options, &actor, actor.pidfd);
	return finish_actor(&victim);
}

static int hostile_twice(const struct options *options)
{
	struct actor actor = start_actor(options, try_ids);

	map(options, &actor, actor.pidfd);
	map(options, &actor, actor.pidfd);
	return finish_actor(&actor);
}

static int hostile_once(const struct options *options, act_fn *act)
{
	struct actor actor = start_actor(options, act);

	map(options, &actor, actor.pidfd);
	return finish_actor(&actor);
}

/* What could be sent as a scratch: the path is the command's first word. */
static int hostile_scratch(const struct options *options)
{
	_cleanup_fd_ int fd = open(options->command[0], O_PATH);
	struct error err = { 0 };
	dev_t dev;

	if (environment_check_scratch(fd, options->uid, &err, &dev))
		return fail(&err);
	fputs("accepted\n", stderr);
	return 0;
}

int cmd_hostile(const char *act, struct options *options)
{
	struct options other = *options;

	other.uid++;
	if (!strcmp(act, "pidfd"))
		return hostile_wrong_pidfd(options);
	if (!strcmp(act, "twice"))
		return hostile_twice(options);
	if (!strcmp(act, "none"))
		return hostile_once(options, make_none);
	if (!strcmp(act, "nested"))
		return hostile_once(options, make_nested);
	if (!strcmp(act, "self-mapped"))
		return hostile_once(options, make_mapped);
	if (!strcmp(act, "shared"))
		return hostile_shared(options, share_space, options);
	if (!strcmp(act, "strange"))
		return hostile_shared(options, strange_space, &other);
	if (!strcmp(act, "scratch"))
		return hostile_scratch(options);
	return 2;
}
