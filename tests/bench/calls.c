// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * calls COUNT FOLDER: a run that lives on system calls, as installers, archivers and data loaders do.
 *
 * Each turn makes a file in FOLDER, writes it, closes it, looks at it, opens it again, reads it, maps it, gives it another name
 * and removes it; a byte goes through a pipe. Prints nothing.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int is_good, const char *call)
{
	if (is_good)
		return;
	perror(call);
	exit(1);
}

static void make_file(const char *name, const char *content, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0, "open for writing");
	must(write(fd, content, len) == (ssize_t)len, "write");
	must(!close(fd), "close");
}

static void use_file(const char *name, size_t len)
{
	char content[4096];
	struct stat st;
	void *mapped;
	int fd;

	must(!stat(name, &st) && (size_t)st.st_size == len, "stat");
	fd = open(name, O_RDONLY | O_CLOEXEC);
	must(fd >= 0, "open");
	must(read(fd, content, sizeof(content)) == (ssize_t)len, "read");
	mapped = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	must(mapped != MAP_FAILED && !munmap(mapped, len), "mmap");
	must(!close(fd), "close");
}

static void turn(int *pipe_ends)
{
	static const char content[1024] = "content";
	char byte = 1;

	make_file("new", content, sizeof(content));
	use_file("new", sizeof(content));
	must(!rename("new", "other"), "rename");
	must(!unlink("other"), "unlink");
	must(write(pipe_ends[1], &byte, 1) == 1 && read(pipe_ends[0], &byte, 1) == 1, "pipe");
}

int main(int argc, char **argv)
{
	int ends[2];

	if (argc != 3) {
		fputs("usage: calls COUNT FOLDER\n", stderr);
		return 2;
	}
	must(!chdir(argv[2]), "chdir");
	must(!pipe(ends), "pipe");
	for (int i = atoi(argv[1]); i > 0; i--)
		turn(ends);
	return 0;
}
