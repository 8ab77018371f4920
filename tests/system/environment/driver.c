// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * driver - a launcher and a controller that do nothing but the environment and the cgroup of a job.
 *
 *   driver run [OPTION...] -- COMMAND...     an environment, then the command in it
 *   driver hostile ACT [--as IDS]            a launcher that asks for more than it may have
 *   driver cgroup ACT [OPTION...] -- COMMAND...
 *
 * This process is the controller and must be root; its child is the launcher. Options:
 *
 *   --as UID:GID[:GID...]   the launcher is this ordinary user
 *   --user NAME             the launcher is root, the command this user's
 *   --private P, --scratch P, --hide P, --read DATASET, --write PATH    the policy's paths
 *   --read-only             datasets are mounted read-only
 *   --bytes N               size of the scratch
 *   --keep NAME, --set NAME=VALUE, --directory D
 *   --parent CGROUP         the launcher is in this cgroup
 *   --max N                 processes
 *
 * Failures are one line on standard error, 'ERRNO-NAME: sentence', and status 125; else the
 * status is the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "job/cgroup.h"
#include "job/environment.h"
#include "job/launch.h"
#include "driver.h"

/* What the launcher tells the controller. A descriptor may come with it. */
enum word { WORD_FAILED, WORD_ASK_IDS, WORD_MADE };

struct message {
	enum word word;
	struct error err;
};

int fail(const struct error *err)
{
	fprintf(stderr, "%s: %s\n", strerrorname_np(-err->code), err->text);
	return EXIT_LAUNCHER;
}

void die(const char *what)
{
	perror(what);
	_exit(EXIT_LAUNCHER);
}

static int open_pidfd(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

/* --- options ---------------------------------------------------------------------------------- */

static void add_path(struct options *options, char *path, enum env_path_kind kind)
{
	struct environment *environment = &options->policy.environment;

	environment->paths = options->paths;
	environment->paths[environment->path_cnt++] = (struct env_path){ path, kind, { 0 } };
}

static void add_rule(struct options *options, char *path, enum rule_class class, uint8_t access)
{
	struct policy *policy = &options->policy;

	policy->rules = options->rules;
	policy->rules[policy->rule_cnt++] =
		(struct rule){ .path = path, .class = class, .access = access };
}

static void set_ids(struct options *options, char *text)
{
	char *save, *part = strtok_r(text, ":", &save);

	options->is_ordinary = true;
	options->uid = strtoul(part, NULL, 10);
	while ((part = strtok_r(NULL, ":", &save)))
		options->gids[options->gid_cnt++] = strtoul(part, NULL, 10);
}

static void add_variable(struct options *options, char *text)
{
	struct environment *environment = &options->policy.environment;
	char *value = strchr(text, '=');

	*value++ = '\0';
	environment->set = options->set;
	environment->set[environment->set_cnt++] = (struct env_variable){ text, value };
}

static void add_keep(struct options *options, char *pattern)
{
	struct environment *environment = &options->policy.environment;

	environment->is_filtered = true;
	environment->keep = options->keep;
	environment->keep[environment->keep_cnt++] = pattern;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longopts[] = {
		{ "as", 1, NULL, 'a' },      { "user", 1, NULL, 'u' },
		{ "private", 1, NULL, 'p' }, { "scratch", 1, NULL, 's' },
		{ "hide", 1, NULL, 'h' },    { "read", 1, NULL, 'r' },
		{ "write", 1, NULL, 'w' },   { "read-only", 0, NULL, 'o' },
		{ "bytes", 1, NULL, 'b' },   { "keep", 1, NULL, 'k' },
		{ "set", 1, NULL, 'v' },     { "directory", 1, NULL, 'd' },
		{ "parent", 1, NULL, 'c' },  { "max", 1, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	struct environment *environment = &options->policy.environment;
	int c;

	environment->is_present = true;
	while ((c = getopt_long(argc, argv, "+", longopts, NULL)) != -1) {
		switch (c) {
		case 'a': set_ids(options, optarg); break;
		case 'u': options->user = optarg; break;
		case 'p': add_path(options, optarg, ENV_PRIVATE); break;
		case 's': add_path(options, optarg, ENV_SCRATCH); break;
		case 'h': add_path(options, optarg, ENV_HIDDEN); break;
		case 'r': add_rule(options, optarg, RULE_DATASET, ACCESS_READ); break;
		case 'w': add_rule(options, optarg, RULE_FILESYSTEM, ACCESS_WRITE); break;
		case 'o': environment->are_datasets_read_only = true; break;
		case 'b': options->policy.limits.scratch_bytes = strtoull(optarg, NULL, 10); break;
		case 'k': add_keep(options, optarg); break;
		case 'v': add_variable(options, optarg); break;
		case 'd': environment->directory = optarg; break;
		case 'c': options->parent = optarg; break;
		case 'm': options->max = strtoull(optarg, NULL, 10); break;
		default: exit(2);
		}
	}
	options->command = argv + optind;
}

/* --- between the two -------------------------------------------------------------------------- */

static void send_message(int sock, enum word word, const struct error *err, int fd)
{
	struct message message = { .word = word, .err = *err };
	struct iovec iov = { &message, sizeof(message) };
	char room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = room;
		msg.msg_controllen = sizeof(room);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		die("sendmsg");
}

/* False when the other end is closed. */
static bool receive_message(int sock, struct message *message, int *fd)
{
	struct iovec iov = { message, sizeof(*message) };
	char room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = room,
			      .msg_controllen = sizeof(room) };
	struct cmsghdr *cmsg;

	*fd = -1;
	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(*message))
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return true;
}

void become(const struct options *options)
{
	if (!options->is_ordinary)
		return;
	if (setgroups(options->gid_cnt, options->gids) ||
	    setresgid(options->gids[0], options->gids[0], options->gids[0]) ||
	    setresuid(options->uid, options->uid, options->uid))
		die("become the user");
	/* As a process that logged in: it may write to its own files in /proc. */
	prctl(PR_SET_DUMPABLE, 1);
}

int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- run -------------------------------------------------------------------------------------- */

static int ask_ids(void *arg, struct error *err)
{
	int sock = *(int *)arg, fd;
	struct message answer;

	send_message(sock, WORD_ASK_IDS, err, -1);
	if (!receive_message(sock, &answer, &fd))
		return error_set(err, -ECONNRESET, "the controller is gone");
	*err = answer.err;
	return err->code;
}

static void launcher_fails(int sock, const struct error *err)
{
	send_message(sock, WORD_FAILED, err, -1);
	_exit(EXIT_LAUNCHER);
}

static void launcher_main(struct options *options, int sock)
{
	_cleanup_(launch_user_free) struct launch_user user = { 0 };
	struct launch_user *job_user = options->user ? &user : NULL;
	struct error err = { 0 };
	int scratch = -1, fd;
	struct message answer;

	become(options);
	if (options->user && launch_find_user(options->user, &err, &user))
		launcher_fails(sock, &err);
	if (environment_make(&options->policy, job_user, ask_ids, &sock, &err, &scratch))
		launcher_fails(sock, &err);
	send_message(sock, WORD_MADE, &err, scratch);
	if (!receive_message(sock, &answer, &fd) || answer.err.code)
		_exit(EXIT_LAUNCHER);
	if (environment_variables(&options->policy, &err))
		launcher_fails(sock, &err);
	if (job_user && launch_become_user(job_user, &err))
		launcher_fails(sock, &err);
	if (environment_enter_directory(&options->policy, &err))
		launcher_fails(sock, &err);
	launch_exec(options->command, &err);
	launcher_fails(sock, &err);
}

static int take_scratch(const struct options *options, int fd, struct error *err)
{
	dev_t dev;

	if (fd < 0) {
		fputs("scratch none\n", stderr);
		return 0;
	}
	if (environment_check_scratch(fd, options->uid, err, &dev))
		return err->code;
	fprintf(stderr, "scratch %u:%u\n", major(dev), minor(dev));
	return 0;
}

static int control(const struct options *options, pid_t pid, int pidfd, int sock)
{
	struct message message;
	int fd;

	while (receive_message(sock, &message, &fd)) {
		struct error err = { 0 };

		if (message.word == WORD_FAILED)
			return fail(&message.err);
		if (message.word == WORD_ASK_IDS)
			environment_map_ids(pid, pidfd, options->uid, options->gids[0],
					    options->gids, options->gid_cnt, &err);
		else if (take_scratch(options, fd, &err))
			fail(&err);
		cleanup_fd(&fd);
		send_message(sock, WORD_MADE, &err, -1);
	}
	return 0;
}

static int cmd_run(struct options *options)
{
	int sv[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		die("socketpair");
	pid = fork();
	if (!pid) {
		close(sv[0]);
		launcher_main(options, sv[1]);
	}
	close(sv[1]);
	status = control(options, pid, open_pidfd(pid), sv[0]);
	close(sv[0]);
	return status ? (wait_for(pid), status) : wait_for(pid);
}

/* --- actors ---------------------------------------------------------------------------------- */

struct actor start_actor(const struct options *options, act_fn *act)
{
	struct actor actor;
	int sv[2];
	char ready;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		die("socketpair");
	actor.pid = fork();
	if (!actor.pid) {
		close(sv[0]);
		act(options, sv[1]);
		_exit(0);
	}
	close(sv[1]);
	actor.sock = sv[0];
	actor.pidfd = open_pidfd(actor.pid);
	if (read(actor.sock, &ready, 1) != 1)
		die("the actor");
	return actor;
}

void pause_act(int sock)
{
	char go = '.';

	if (write(sock, &go, 1) != 1 || read(sock, &go, 1) != 1)
		_exit(1);
}

int finish_actor(struct actor *actor)
{
	if (write(actor->sock, ".", 1) != 1)
		perror("the actor is gone");
	close(actor->sock);
	return wait_for(actor->pid);
}

/* --- cgroup ----------------------------------------------------------------------------------- */

static void wait_then_exec(const struct options *options, int sock)
{
	struct error err = { 0 };
	char text[16];

	snprintf(text, sizeof(text), "%d", getpid());
	if (options->parent) {
		_cleanup_fd_ int dir = open(options->parent, O_RDONLY | O_DIRECTORY);

		if (file_write_at(dir, "cgroup.procs", text))
			die(options->parent);
	}
	pause_act(sock);
	_exit(launch_exec(options->command, &err));
}

static int with_cgroup(const struct options *options, const char *act, const struct actor *actor,
		       const struct cgroup *cgroup, struct error *err)
{
	int self = open_pidfd(getpid());

	if (!strcmp(act, "pidfd"))
		return cgroup_enter(cgroup, actor->pid, self, err);
	if (!strcmp(act, "early") && cgroup_limit_processes(cgroup, options->max, err))
		return err->code;
	if (cgroup_enter(cgroup, actor->pid, actor->pidfd, err))
		return err->code;
	if (!strcmp(act, "limit") && cgroup_limit_processes(cgroup, options->max, err))
		return err->code;
	return 0;
}

/* Frozen, the command must not get on; thawed, it must. */
static int freeze_and_thaw(const struct cgroup *cgroup, struct error *err)
{
	struct stat before, after;
	const char *file = getenv("GROWING");

	if (cgroup_freeze(cgroup, true, err))
		return err->code;
	stat(file, &before);
	usleep(300 * 1000);
	stat(file, &after);
	fprintf(stderr, "frozen: %s\n", before.st_size == after.st_size ? "still" : "moving");
	if (cgroup_freeze(cgroup, false, err))
		return err->code;
	usleep(500 * 1000);
	stat(file, &after);
	fprintf(stderr, "thawed: %s\n", before.st_size == after.st_size ? "still" : "moving");
	return 0;
}

static int remove_cgroup(const struct cgroup *cgroup, struct error *err)
{
	int r = -EBUSY;

	for (int i = 0; i < 500 && r == -EBUSY; i++) {
		cgroup_kill(cgroup);
		r = cgroup_remove(cgroup);
		if (r == -EBUSY)
			usleep(20 * 1000);
	}
	return r ? error_errno(err, r, "cannot remove %s", cgroup->path) : 0;
}

static int cmd_cgroup(const char *act, struct options *options)
{
	_cleanup_(cgroup_close) struct cgroup cgroup = CGROUP_NONE;
	struct actor actor = start_actor(options, wait_then_exec);
	_cleanup_free_ char *path = NULL;
	struct error err = { 0 };
	int r, status;

	if (cgroup_plan(actor.pid, "test", &err, &path) || cgroup_create(path, &err, &cgroup))
		return fail(&err);
	r = with_cgroup(options, act, &actor, &cgroup, &err);
	if (r) {
		kill(actor.pid, SIGKILL);
		wait_for(actor.pid);
		status = fail(&err);
	} else if (!strcmp(act, "freeze")) {
		if (write(actor.sock, ".", 1) != 1 || usleep(500 * 1000) ||
		    freeze_and_thaw(&cgroup, &err))
			fail(&err);
		kill(actor.pid, SIGKILL);
		status = wait_for(actor.pid);
	} else {
		status = finish_actor(&actor);
	}
	return remove_cgroup(&cgroup, &err) ? fail(&err) : status;
}

int main(int argc, char **argv)
{
	bool has_act = argc > 2 && strcmp(argv[1], "run");
	struct options options = { 0 };

	if (argc < 3)
		return 2;
	parse_options(argc - 1 - has_act, argv + 1 + has_act, &options);
	if (!has_act)
		return cmd_run(&options);
	return !strcmp(argv[1], "cgroup") ? cmd_cgroup(argv[2], &options)
					  : cmd_hostile(argv[2], &options);
}
