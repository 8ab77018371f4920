// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The self-test's canary; see canary.h. */
#include "job/canary.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/launch.h"
#include "kern/jobs.h"

#define CHILD_STACK (64 * 1024)

/* The canary's exit status if it could not make its child. */
#define EXIT_CHILDLESS 2

/* How long a killed canary may take to be gone: one that waits for a dead server takes its time. */
#define REAP_TRIES 5000
#define REAP_PAUSE_NS (1000 * 1000)

enum canary_state {
	CANARY_GOES_ON = 0,
	CANARY_HAS_ENDED, /* also if it was killed */
	CANARY_IS_LATE,
};

/* The controller's side. */
struct canary {
	pid_t pid; /* also the process group of it and its child */
	int pidfd;
	int go_fd; /* a byte here lets it go on, and one comes back from outside the cgroup; closed, it ends */
	enum canary_state state;
};

/* --- in the canary ---------------------------------------------------------------------------- */

static bool is_done_at(const struct attempt *attempt, enum act_place place)
{
	return !attempt->is_left_out && attempt->act->place == place;
}

static bool has_attempts_at(const struct canary_plan *plan, enum act_place place)
{
	for (size_t i = 0; i < plan->cnt; i++)
		if (is_done_at(&plan->attempts[i], place))
			return true;
	return false;
}

static void attempt_all(const struct canary_plan *plan, enum act_place place)
{
	for (size_t i = 0; i < plan->cnt; i++) {
		const struct attempt *attempt = &plan->attempts[i];
		struct attempt_result *result = &plan->results[i];
		char comm[32]; /* the kernel keeps 15 characters */

		if (!is_done_at(attempt, place))
			continue;
		snprintf(comm, sizeof(comm), CANARY_COMM, i);
		prctl(PR_SET_NAME, comm);
		result->state = ATTEMPT_STARTED;
		result->error = attempt->act->run(attempt, result);
		if (result->state == ATTEMPT_STARTED)
			result->state = ATTEMPT_DONE;
	}
}

static int child_main(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	attempt_all(arg, ACT_BY_CHILD);
	_exit(0);
}

/*
 * The child borrows the memory, which saves copying it, and the canary sleeps until it has ended. It
 * is the controller's child, who can then wait for both.
 */
static void run_child(const struct canary_plan *plan)
{
	static char stack[CHILD_STACK] __attribute__((aligned(16)));

	if (clone(child_main, stack + sizeof(stack),
		  CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, (void *)plan) < 0)
		_exit(EXIT_CHILDLESS);
}

static void wait_to_go_on(int go_fd)
{
	char go;

	if (read(go_fd, &go, 1) != 1)
		_exit(1);
}

static void canary_main(const struct canary_plan *plan, int cgroup_fd, int go_fd)
{
	const int keep[] = { go_fd, cgroup_fd, plan->file_fd, plan->socket_fd };

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (launch_close_files(keep, ARRAY_SIZE(keep) - (plan->socket_fd < 0)) || chdir(plan->folder))
		_exit(1);
	wait_to_go_on(go_fd);
	if (has_attempts_at(plan, ACT_OUTSIDE)) {
		attempt_all(plan, ACT_OUTSIDE);
		if (write(go_fd, "", 1) != 1)
			_exit(1);
		wait_to_go_on(go_fd);
	}
	close(go_fd);
	attempt_all(plan, ACT_BY_PARENT);
	run_child(plan);
	_exit(0);
}

/* --- in the controller ------------------------------------------------------------------------ */

static int start(const struct canary_plan *plan, const struct cgroup *cgroup, struct error *err,
		 struct canary *ret_canary)
{
	struct canary canary = { .pidfd = -1 };
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)&canary.pidfd,
		.exit_signal = SIGCHLD,
	};
	int go[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go))
		return error_errno(err, -errno, "self-test: cannot start");
	canary.pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!canary.pid)
		canary_main(plan, cgroup->fd, go[0]);
	close(go[0]);
	canary.go_fd = go[1];
	if (canary.pid < 0) {
		close(go[1]);
		return error_errno(err, -errno, "self-test: cannot start a process");
	}
	setpgid(canary.pid, canary.pid);
	*ret_canary = canary;
	return 0;
}

/*
 * Ends both and waits until they are gone. Returns 0; the wait status of one that did not exit with
 * 0; or -EBUSY if one cannot be ended.
 */
static int reap(const struct canary *canary)
{
	const struct timespec pause = { .tv_nsec = REAP_PAUSE_NS };
	int worst = 0, tries = REAP_TRIES;

	for (;;) {
		int status;
		pid_t pid = waitpid(-canary->pid, &status, WNOHANG | __WALL);

		if (pid < 0 && errno == ECHILD)
			return worst;
		if (pid > 0 && status)
			worst = status;
		if (pid)
			continue;
		if (!tries--)
			return -EBUSY;
		kill(-canary->pid, SIGKILL);
		nanosleep(&pause, NULL);
	}
}

/* What it was doing last, for the sentence. */
static const char *last_act(const struct canary_plan *plan)
{
	for (size_t i = 0; i < plan->cnt; i++)
		if (plan->results[i].state == ATTEMPT_STARTED)
			return plan->attempts[i].act->what;
	return "nothing yet";
}

/* Fails only if it is dead, which the wait then finds. */
static void let_go_on(const struct canary *canary)
{
	send(canary->go_fd, "", 1, MSG_NOSIGNAL);
}

/* For a word of the canary's, or its end. Returns whether it came. */
static bool wait_at(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&poll_fd, 1, CANARY_PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static int judge_end(const struct canary_plan *plan, enum canary_state state, int status,
		     struct error *err)
{
	if (status < 0)
		return error_set(err, status,
				 "self-test: the canary cannot be ended; it was at: %s",
				 last_act(plan));
	if (state != CANARY_HAS_ENDED)
		return error_set(err, -ETIMEDOUT,
				 "self-test: the canary did not end within %d s; it was at: %s",
				 CANARY_PATIENCE_MS / 1000, last_act(plan));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CHILDLESS)
		return error_set(err, -EAGAIN,
				 "self-test: the canary could not make its child: pids.max of a "
				 "cgroup above the job's, or want of memory");
	for (size_t i = 0; i < plan->cnt; i++)
		if (!plan->attempts[i].is_left_out && plan->results[i].state <= ATTEMPT_STARTED)
			return error_set(
				err, -ECHILD,
				"self-test: the canary died (wait status %#x); it was at: %s",
				status, last_act(plan));
	return 0;
}

/*
 * It is not born into the cgroup (CLONE_INTO_CGROUP), because Debian 12's 6.1 kills whoever is born
 * into one that was killed before, if his parent's was not as often. Moved in, it must have the job's
 * label by now. It gets the label again as a launcher does, with what is lifted.
 */
static int put_under_policy(struct kern *kern, struct job_label label, const struct cgroup *cgroup,
			    const struct canary *canary, uint64_t lifted, struct error *err)
{
	struct job_label found = { 0 };
	int r = cgroup_enter(cgroup, canary->pid, canary->pidfd, err);

	if (r)
		return error_prefix(err, "self-test");
	r = job_of_pid(kern, canary->pidfd, &found);
	if (r || !job_label_equal(found, label))
		return error_set(
			err, -EKEYREJECTED,
			"self-test: cgroup_move_task did not label a task that was moved into "
			"the job's cgroup");
	r = job_label_canary(kern, canary->pidfd, label, lifted, err);
	return r ? error_prefix(err, "self-test") : 0;
}

/*
 * Under the job's label, but not in its cgroup: like a process that was moved out. The label is taken away again, or it
 * would not be known who put it on.
 */
static int attempt_outside(struct kern *kern, struct job_label label, struct canary *canary,
			   struct error *err)
{
	char word;
	int r = job_label_canary(kern, canary->pidfd, label, 0, err);

	if (r)
		return error_prefix(err, "self-test");
	let_go_on(canary);
	if (!wait_at(canary->go_fd))
		canary->state = CANARY_IS_LATE;
	else if (read(canary->go_fd, &word, 1) != 1)
		canary->state = CANARY_HAS_ENDED;
	r = job_unlabel_task(kern, canary->pidfd);
	if (r && canary->state == CANARY_GOES_ON)
		return error_errno(err, r, "self-test: cannot take the label from the canary");
	return 0;
}

static int attempt_inside(struct kern *kern, struct job_label label, const struct cgroup *cgroup,
			  uint64_t lifted, struct canary *canary, struct error *err)
{
	int r = put_under_policy(kern, label, cgroup, canary, lifted, err);

	if (r)
		return r;
	let_go_on(canary);
	canary->state = wait_at(canary->pidfd) ? CANARY_HAS_ENDED : CANARY_IS_LATE;
	return 0;
}

int canary_run(struct kern *kern, struct job_label label, const struct cgroup *cgroup,
	       const struct canary_plan *plan, struct error *err)
{
	struct canary canary = { .pidfd = -1, .go_fd = -1 };
	int r, status;

	r = start(plan, cgroup, err, &canary);
	if (r)
		return r;
	if (has_attempts_at(plan, ACT_OUTSIDE))
		r = attempt_outside(kern, label, &canary, err);
	if (!r && canary.state == CANARY_GOES_ON)
		r = attempt_inside(kern, label, cgroup, plan->lifted, &canary, err);
	close(canary.go_fd);
	if (canary.state != CANARY_HAS_ENDED)
		kill(-canary.pid, SIGKILL);
	status = reap(&canary);
	close(canary.pidfd);
	return r ? r : judge_end(plan, canary.state, status, err);
}
