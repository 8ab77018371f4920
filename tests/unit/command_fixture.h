/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of commands share: a command's function called in this process, and what it printed.
 * A header alone, so that a test stays one file; include it after cmocka.h. The working directory is
 * to be the test's own.
 */
#ifndef JOBCAGE_TESTS_COMMAND_FIXTURE_H
#define JOBCAGE_TESTS_COMMAND_FIXTURE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"

struct outcome {
	int status;
	char *out;
	char *err;
};

static int redirect(int fd, const char *file)
{
	int saved = dup(fd), target = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && target >= 0);
	assert_true(dup2(target, fd) >= 0);
	close(target);
	return saved;
}

static void restore(int fd, int saved)
{
	assert_true(dup2(saved, fd) >= 0);
	close(saved);
}

/* words: the command's last name and what follows; the last one NULL. */
static struct outcome run_command(int (*run)(int argc, char **argv), const char *const *words)
{
	struct outcome outcome = { 0 };
	int argc = 0, out, err;
	char *argv[32];

	for (; words[argc]; argc++)
		argv[argc] = (char *)words[argc];
	argv[argc] = NULL;
	fflush(stdout);
	fflush(stderr);
	out = redirect(STDOUT_FILENO, "out.txt");
	err = redirect(STDERR_FILENO, "err.txt");
	outcome.status = run(argc, argv);
	fflush(stdout);
	fflush(stderr);
	restore(STDOUT_FILENO, out);
	restore(STDERR_FILENO, err);
	assert_int_equal(file_read("out.txt", 1 << 20, &outcome.out, NULL), 0);
	assert_int_equal(file_read("err.txt", 1 << 20, &outcome.err, NULL), 0);
	return outcome;
}

static void expect(struct outcome outcome, int status, const char *out, const char *err)
{
	assert_string_equal(outcome.out, out);
	assert_string_equal(outcome.err, err);
	assert_int_equal(outcome.status, status);
	free(outcome.out);
	free(outcome.err);
}

#endif
