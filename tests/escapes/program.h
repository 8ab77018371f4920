/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs to run: OUT/tool, which no policy lists, is what the adversary wants to run; EXTRA is a folder of listed ones. */
#ifndef JOBCAGE_TESTS_PROGRAM_H
#define JOBCAGE_TESTS_PROGRAM_H

/* Becomes the program at path, without arguments; -errno if not. */
int become(const char *path);

/* The same in a child: 0 if it ran, and said so by its status. What it prints goes nowhere. */
int run_path(const char *path);

/* As in_child(), for a child that becomes a program: what it says goes nowhere. A program that fails makes this fail, too. */
int in_quiet_child(int (*act)(void));

/* Copies the file at path into fd. 0 or -errno. */
int copy_into(int fd, const char *path);

/* Makes an executable copy. 0 or -errno. */
int copy_to(const char *copy, const char *path);

/* A memory file with a copy in it, or -errno. */
int memfd_of(const char *path);

/* Takes fd: its file opened anew, for reading only, or -errno. */
int reopened(int fd);

#endif
