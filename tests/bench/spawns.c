// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * spawns COUNT PAUSE_MS [COMMAND ARGUMENT...]: what one run of COMMAND costs, from fork to the end of
 * everything it left behind.
 *
 * Runs COMMAND twice to warm up, then COUNT times, with a pause after each in which whatever it left
 * behind (another process, the kernel's deferred work) is done too. Prints three numbers, each a
 * mean in nanoseconds:
 *
 *   instructions  the time in which the processor worked, pauses included
 *   latency       from fork to the end of the process, what it waited included
 *   waits         of the latency, the time in which the processor had nothing to do
 *
 * Without a COMMAND only the pauses are timed: what the machine does of itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

/* Where the output of COMMAND goes. */
static int null_fd;

static void run(char **argv)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		dup2(null_fd, STDOUT_FILENO);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "spawns: %s failed\n", argv[0]);
		exit(1);
	}
}

static void pause_ms(int ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

struct sums {
	uint64_t elapsed, idle; /* over all, pauses included */
	uint64_t latency, waits;
};

/* Reading idle_ns() costs more than a fork. So the waits have a pass of their own. */
static void time_latency(char **argv, int cnt, int ms, struct sums *sums)
{
	for (int i = 0; i < cnt; i++) {
		uint64_t idle = idle_ns(), start = now_ns();

		run(argv);
		sums->latency += now_ns() - start;
		sums->waits += idle_ns() - idle;
		pause_ms(ms);
	}
}

static void time_all(char **argv, int cnt, int ms, struct sums *sums)
{
	uint64_t idle = idle_ns(), start = now_ns();

	for (int i = 0; i < cnt; i++) {
		if (*argv)
			run(argv);
		pause_ms(ms);
	}
	sums->elapsed = now_ns() - start;
	sums->idle = idle_ns() - idle;
}

int main(int argc, char **argv)
{
	int cnt = argc >= 3 ? atoi(argv[1]) : 0, ms = argc >= 3 ? atoi(argv[2]) : 0;
	char **command = argv + 3;
	struct sums sums = { 0 };

	if (cnt <= 0) {
		fputs("usage: spawns COUNT PAUSE_MS [COMMAND ARGUMENT...]\n", stderr);
		return 2;
	}
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (int i = 0; i < 2 && *command; i++) {
		run(command);
		pause_ms(ms);
	}
	time_all(command, cnt, ms, &sums);
	if (*command)
		time_latency(command, cnt, ms, &sums);
	printf("%lu %lu %lu\n", (sums.elapsed - sums.idle) / cnt, sums.latency / cnt, sums.waits / cnt);
	return 0;
}
