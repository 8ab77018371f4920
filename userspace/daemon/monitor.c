// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A controller in a process of its own; see monitor.h. */
#include "daemon/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/controller.h"
#include "daemon/limits.h"
#include "daemon/tell.h"
#include "job/launch.h"
#include "job/outputs.h"

/*
 * Only standard error, for its warnings, and standard output if alerts go there stay open: whatever
 * else the caller had open, a pipe say, must not be held until the job's end.
 */
static void detach(const struct job_request *request, int sock)
{
	const int keep[] = { STDIN_FILENO, STDOUT_FILENO,  STDERR_FILENO,
			     sock,         request->pidfd, request->scratch_fd };
	int null;

	prctl(PR_SET_NAME, "jobcage-monitor");
	if (launch_close_files(keep, ARRAY_SIZE(keep) - (request->scratch_fd < 0)))
		_exit(1);
	signal(SIGPIPE, SIG_IGN);
	if (chdir("/"))
		_exit(1);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	if (strcmp(request->alerts, "-"))
		dup2(null, STDOUT_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

/* Its own job first; then it lets go of the caller's standard error, and stays for those it
 * adopted. */
static int look_after(struct controller *controller, struct error *err)
{
	int r = controller_run(controller, UNTIL_OWN_ENDED, err);

	if (r)
		return r;
	dup2(STDIN_FILENO, STDERR_FILENO);
	return controller_run(controller, UNTIL_ALL_ENDED, err);
}

/* The result, whatever was tried on the way. A caller that is gone does not hear it. */
static void answer(int sock, int r, struct error *err)
{
	if (!r)
		*err = (struct error){ 0 };
	else if (!err->code)
		error_errno(err, r, "cannot start the job");
	send(sock, err, sizeof(*err), MSG_NOSIGNAL);
	close(sock);
}

static int start(struct controller *controller, const struct job_request *request,
		 struct policy *policy, bool is_self_tested, struct error *err)
{
	const struct output_owner owner = { request->uid, request->gid };
	struct job_request own = *request;
	struct outputs *outputs;
	struct watch *watch;
	int r = outputs_make(policy, &owner, err, &outputs);

	if (r)
		return r;
	own.places = places_walk(policy, err);
	r = own.places ? controller_start(controller, &own, is_self_tested, err, &watch) : -ENOMEM;
	if (!r)
		outputs_keep(outputs);
	outputs_free(outputs);
	if (!r && request->is_told)
		watch->tell_fd = tell_open(request->pid, request->pidfd, 0);
	return r;
}

static void monitor_main(const struct job_request *request, struct policy *policy,
			 bool is_self_tested, int sock)
{
	struct controller *controller = NULL;
	struct error err = { 0 };
	int r;

	detach(request, sock);
	limits_lift();
	r = controller_new(false, &err, &controller);
	if (!r)
		r = controller_set_site(controller, request->site, &err);
	if (!r)
		r = start(controller, request, policy, is_self_tested, &err);
	/* The sink has a copy, which goes with the job: a pipeline must not wait for adopted ones. */
	dup2(STDIN_FILENO, STDOUT_FILENO);
	answer(sock, r, &err);
	if (controller && look_after(controller, &err))
		fprintf(stderr, "jobcage: %s\n", err.text);
	controller_free(controller);
	_exit(0);
}

/* The middle process ends at once, so that the monitor is nobody's child. */
static void fork_monitor(const struct job_request *request, struct policy *policy,
			 bool is_self_tested, int sock)
{
	setsid();
	switch (fork()) {
	case 0: monitor_main(request, policy, is_self_tested, sock); break;
	case -1: _exit(1);
	default: _exit(0);
	}
}

static int read_answer(int sock, struct error *err)
{
	struct error result;
	ssize_t n;

	do
		n = recv(sock, &result, sizeof(result), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(result))
		return error_set(err, -ECONNRESET,
				 "the monitor process died before the policy was in force");
	if (result.code)
		*err = result;
	return result.code;
}

int monitor_start(const struct job_request *request, struct policy *policy, bool is_self_tested,
		  struct error *err)
{
	_cleanup_fd_ int ours = -1;
	int sv[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return error_errno(err, -errno, "cannot start the monitor");
	ours = sv[0];
	pid = fork();
	if (pid == 0) {
		close(sv[0]);
		fork_monitor(request, policy, is_self_tested, sv[1]);
	}
	close(sv[1]);
	if (pid < 0)
		return error_errno(err, -errno, "cannot start the monitor");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return read_answer(ours, err);
}
