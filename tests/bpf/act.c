// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * act - does one thing after the other, and says of each whether the kernel let it.
 *
 * The hook tests run this inside a job, in audit mode, and outside any job, on the same list. One process does them all, so
 * that a job's counters can be compared with the list. Reads lines
 *
 *	NAME CONTEXT ACT [ARGUMENT...]
 *
 * from a file or standard input, and answers each at once with "NAME RESULT STEP": OK or the errno's name, and the system call
 * that gave it. CONTEXT is the kind of task that does it: this one, a child, a thread, one that has left the cgroup, ...
 */
#include "act.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_SIZE (4 * PATH_MAX)
#define STACK_SIZE (256 * 1024)
#define CGROUP_MOUNT "/sys/fs/cgroup"

/* One attempt and what came of it. Crosses a pipe when a child makes it. */
struct attempt {
	const struct act *act;
	char **argv;
	int result;
	char step[32];
};

static char current_step[32];

int step(const char *call)
{
	snprintf(current_step, sizeof(current_step), "%s", call);
	return 1;
}

int outcome(long result)
{
	return result < 0 ? -errno : 0;
}

int close_outcome(int fd)
{
	int r = outcome(fd);

	if (fd >= 0)
		close(fd);
	return r;
}

int wait_outcome(int pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static void attempt_here(struct attempt *a)
{
	step(a->act->name);
	a->result = a->act->run(a->argv);
	memcpy(a->step, current_step, sizeof(a->step));
}

static void *no_act(const char *kind, const char *name)
{
	fprintf(stderr, "act: no such %s: %s\n", kind, name);
	exit(2);
}

/* --- contexts -------------------------------------------------------------------------------------- */

static void fail(struct attempt *a, const char *call)
{
	a->result = -errno;
	snprintf(a->step, sizeof(a->step), "%s", call);
}

/* before: what the child does first, or NULL; returns the name of what failed, or NULL. */
static void attempt_in_child(struct attempt *a, const char *(*before)(void))
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return fail(a, "pipe2");
	pid = fork();
	if (!pid) {
		const char *failed = before ? before() : NULL;

		if (failed)
			fail(a, failed);
		else
			attempt_here(a);
		_exit(write(ends[1], a, sizeof(*a)) != sizeof(*a));
	}
	close(ends[1]);
	if (pid < 0 || read(ends[0], a, sizeof(*a)) != sizeof(*a))
		fail(a, "fork");
	close(ends[0]);
	if (pid > 0)
		wait_outcome(pid);
}

static void in_fork(struct attempt *a)
{
	attempt_in_child(a, NULL);
}

/* A daemon's way: a session of its own, its parent gone. The parent waits for nobody, the pipe tells when it is done. */
static const char *daemonise(void)
{
	pid_t pid;

	if (setsid() < 0)
		return "setsid";
	pid = fork();
	if (pid > 0)
		_exit(0);
	return pid < 0 ? "fork" : NULL;
}

static void in_daemon(struct attempt *a)
{
	attempt_in_child(a, daemonise);
}

/* Writes this process into the parent of its cgroup. */
static const char *leave_cgroup(void)
{
	char text[PATH_MAX] = "", path[2 * PATH_MAX], *name, *slash;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return "/proc/self/cgroup";
	close(fd);
	text[strcspn(text, "\n")] = '\0';
	name = strchr(text, '/');
	slash = strrchr(text, '/');
	if (!name || slash[1] == '\0')
		return "leave_cgroup: in the root already";
	*slash = '\0';
	snprintf(path, sizeof(path), CGROUP_MOUNT "%s/cgroup.procs", slash > name ? name : "");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		return "cgroup.procs";
	close(fd);
	return NULL;
}

static void in_left(struct attempt *a)
{
	attempt_in_child(a, leave_cgroup);
}

static void *thread_main(void *arg)
{
	attempt_here(arg);
	return NULL;
}

static void in_thread(struct attempt *a)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, thread_main, a);
	if (errno)
		fail(a, "pthread_create");
	else
		pthread_join(thread, NULL);
}

static int clone_main(void *arg)
{
	attempt_here(arg);
	_exit(0);
}

/* A child in this very memory: CLONE_VFORK as posix_spawn() does it, or running beside its parent. */
static void attempt_by_clone(struct attempt *a, int flags)
{
	char *stack = malloc(STACK_SIZE);
	pid_t pid = stack ? clone(clone_main, stack + STACK_SIZE, flags | CLONE_VM | SIGCHLD, a) : -1;

	if (pid < 0)
		fail(a, "clone");
	else
		wait_outcome(pid);
	free(stack);
}

static void in_vfork(struct attempt *a)
{
	attempt_by_clone(a, CLONE_VFORK);
}

static void in_clonevm(struct attempt *a)
{
	attempt_by_clone(a, 0);
}

/* --- contexts that need a past ---------------------------------------------------------------------- */

/* Threads that live on from the first line that uses them: so they are older than a move of the process. */
#define CREW 4

static struct {
	pthread_barrier_t before, after;
	struct attempt attempts[CREW];
	int cnt; /* 0: not started */
} crew;

static void *crew_main(void *arg)
{
	struct attempt *a = arg;

	for (;;) {
		pthread_barrier_wait(&crew.before);
		a->result = a->act->run(a->argv);
		pthread_barrier_wait(&crew.after);
	}
	return NULL;
}

static void start_crew(void)
{
	pthread_t thread;

	pthread_barrier_init(&crew.before, NULL, CREW + 1);
	pthread_barrier_init(&crew.after, NULL, CREW + 1);
	for (crew.cnt = 0; crew.cnt < CREW; crew.cnt++)
		if (pthread_create(&thread, NULL, crew_main, &crew.attempts[crew.cnt]))
			no_act("thread", "crew");
}

/* The same by all; ENOTUNIQ if not all of them got the same answer. */
static void in_crew(struct attempt *a)
{
	if (!crew.cnt)
		start_crew();
	for (int i = 0; i < CREW; i++)
		crew.attempts[i] = *a;
	pthread_barrier_wait(&crew.before);
	pthread_barrier_wait(&crew.after);
	a->result = crew.attempts[0].result;
	for (int i = 1; i < CREW; i++)
		if (crew.attempts[i].result != a->result)
			a->result = -ENOTUNIQ;
	step("crew");
	memcpy(a->step, current_step, sizeof(a->step));
}

/* A child that is born in the cgroup that $ACT_CGROUP names, by a parent that is elsewhere. */
static void in_cgroup(struct attempt *a)
{
	const char *path = getenv("ACT_CGROUP");
	int cgroup = open(path ? path : "", O_PATH | O_DIRECTORY | O_CLOEXEC), ends[2];
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = cgroup };
	pid_t pid;

	if (cgroup < 0 || pipe2(ends, O_CLOEXEC))
		return fail(a, "cgroup");
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid) {
		attempt_here(a);
		_exit(write(ends[1], a, sizeof(*a)) != sizeof(*a));
	}
	close(cgroup);
	close(ends[1]);
	if (pid < 0 || read(ends[0], a, sizeof(*a)) != sizeof(*a))
		fail(a, "clone3");
	close(ends[0]);
	if (pid > 0)
		wait_outcome(pid);
}

static const struct context {
	const char *name;
	void (*attempt)(struct attempt *a);
} contexts[] = {
	{ "here", attempt_here }, { "fork", in_fork },     { "thread", in_thread },   { "daemon", in_daemon },
	{ "left", in_left },      { "vfork", in_vfork },   { "clonevm", in_clonevm }, { "crew", in_crew },
	{ "born", in_cgroup },    { NULL, NULL },
};

/* --- lines ----------------------------------------------------------------------------------------- */

static const struct act *find_act(const char *name)
{
	static const struct act *const tables[] = { file_acts, attr_acts, exec_acts, guard_acts, object_acts, net_acts, uring_acts };

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct act *act = tables[i]; act->name; act++)
			if (!strcmp(act->name, name))
				return act;
	return no_act("act", name);
}

static const struct context *find_context(const char *name)
{
	for (const struct context *context = contexts; context->name; context++)
		if (!strcmp(context->name, name))
			return context;
	return no_act("context", name);
}

static int split(char *line, char **words, int max)
{
	char *save;
	int cnt = 0;

	for (char *word = strtok_r(line, " \n", &save); word && cnt < max; word = strtok_r(NULL, " \n", &save))
		words[cnt++] = word;
	return cnt;
}

static void run_line(char *line)
{
	char *words[3 + ARGS_MAX + 1] = { NULL };
	int cnt = split(line, words, 3 + ARGS_MAX);
	const struct context *context;
	struct attempt a = { .argv = words + 3 };

	if (!cnt)
		return;
	if (cnt < 3)
		no_act("line", words[0]);
	context = find_context(words[1]);
	a.act = find_act(words[2]);
	if (cnt - 3 != a.act->argc)
		no_act("number of arguments of", words[2]);
	context->attempt(&a);
	printf("%s %s %s\n", words[0], a.result ? strerrorname_np(-a.result) : "OK", a.step);
}

int main(int argc, char **argv)
{
	static char line[LINE_SIZE];
	FILE *in = stdin;

	if (argc == 3 && !strcmp(argv[1], "--list"))
		in = fopen(argv[2], "re");
	if ((argc != 1 && argc != 3) || !in) {
		fprintf(stderr, "Usage: act [--list FILE]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), in))
		run_line(line);
	return 0;
}
