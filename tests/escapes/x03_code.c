// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * X3: running code of an unlisted file without running the file: by the loader, as a library, by mapping it. OUT/tool is the program,
 * OUT/library the library, OUT/code has one function.
 */
#include "escape.h"
#include "program.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define ANSWER 42

/* EXTRA/loader is a link to the machine's. */
static int by_loader(void)
{
	step("execve of the loader");
	execl(in(extra, "loader"), "loader", in(out, "tool"), NULL);
	return -errno;
}

static int child_loader(void) { return in_quiet_child(by_loader); }

static int open_library(const char *path)
{
	step("dlopen");
	return dlopen(path, RTLD_NOW | RTLD_LOCAL) ? 0 : -EACCES;
}

static int library(void) { return open_library(in(out, "library")); }
static int listed_library(void) { return open_library(in(extra, "library")); }

static int memfd_library(void)
{
	char path[32];
	int fd = memfd_of(in(out, "library"));

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open_library(path);
}

/* The loader goes on without what it cannot load: has the program the library? */
static int preload(void)
{
	char *words, line[512];
	bool is_there = false;
	FILE *maps;

	if (asprintf(&words, "LD_PRELOAD=%s exec cat /proc/self/maps 2>/dev/null", in(out, "library")) < 0)
		return -errno;
	maps = popen(words, "re");
	if (step("popen") && !maps)
		return -errno;
	while (fgets(line, sizeof(line), maps))
		is_there |= strstr(line, "r-xp") && strstr(line, in(out, "library"));
	pclose(maps);
	step("LD_PRELOAD");
	return is_there ? 0 : -EACCES;
}

static int call(const void *code)
{
	int (*function)(void);

	step("the call");
	memcpy(&function, &code, sizeof(function));
	return function() == ANSWER ? 0 : -EPROTO;
}

/* Maps the file and calls what is at its beginning. Takes fd. */
static int run_mapped(int fd, int prot, int flags)
{
	void *code;

	if (fd < 0)
		return -errno;
	step("mmap");
	code = mmap(NULL, PAGE, prot, flags, fd, 0);
	close(fd);
	return code == MAP_FAILED ? -errno : call(code);
}

static int code_file(int flags) { return open(in(out, "code"), flags | O_CLOEXEC); }
static int map_private(void) { return run_mapped(code_file(O_RDONLY), PROT_READ | PROT_EXEC, MAP_PRIVATE); }
static int map_shared(void) { return run_mapped(code_file(O_RDONLY), PROT_READ | PROT_EXEC, MAP_SHARED); }
static int map_exec_only(void) { return run_mapped(code_file(O_RDONLY), PROT_EXEC, MAP_PRIVATE); }

static int map_writable(void)
{
	return run_mapped(code_file(O_RDWR), PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED);
}

static int map_memfd(void)
{
	return run_mapped(memfd_of(in(out, "code")), PROT_READ | PROT_EXEC, MAP_SHARED);
}

static int map_dev_shm(void)
{
	static const char path[] = "/dev/shm/jobcage-x3";
	int r = copy_to(path, in(out, "code"));

	r = r ?: run_mapped(open(path, O_RDONLY | O_CLOEXEC), PROT_READ | PROT_EXEC, MAP_SHARED);
	unlink(path);
	return r;
}

static void *readable(int flags)
{
	int fd = code_file(O_RDWR);

	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static int late(int flags)
{
	void *code = readable(flags);

	if (step("mmap") && code == MAP_FAILED)
		return -errno;
	step("mprotect");
	return mprotect(code, PAGE, PROT_READ | PROT_EXEC) ? -errno : call(code);
}

static int late_private(void) { return late(MAP_PRIVATE); }
static int late_shared(void) { return late(MAP_SHARED); }

/* A copy of the page is memory of the process's own, but still a file's mapping. */
static int late_copied(void)
{
	char *code = readable(MAP_PRIVATE);

	if (step("mmap") && code == MAP_FAILED)
		return -errno;
	*(volatile char *)code = *code;
	step("mprotect");
	return mprotect(code, PAGE, PROT_READ | PROT_EXEC) ? -errno : call(code);
}

static int late_by_key(void)
{
	void *code = readable(MAP_PRIVATE);

	if (step("mmap") && code == MAP_FAILED)
		return -errno;
	step("pkey_mprotect");
	return syscall(SYS_pkey_mprotect, code, PAGE, PROT_READ | PROT_EXEC, -1) ? -errno : call(code);
}

static int old_personality(void)
{
	if (step("personality") && personality(READ_IMPLIES_EXEC) < 0)
		return -errno;
	return run_mapped(code_file(O_RDONLY), PROT_READ, MAP_PRIVATE);
}

static int old_personality_late(void)
{
	void *code = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE, code_file(O_RDONLY), 0);

	if (step("mmap") && code == MAP_FAILED)
		return -errno;
	if (step("personality") && personality(READ_IMPLIES_EXEC) < 0)
		return -errno;
	step("mprotect");
	return mprotect(code, PAGE, PROT_READ) ? -errno : call(code);
}

static int copy_code(char *page)
{
	int fd = code_file(O_RDONLY), r = fd < 0 || read(fd, page, PAGE) < 0 ? -errno : 0;

	close(fd);
	return r;
}

/* System V shared memory is a file that the kernel has to itself. */
static int shared_segment(void)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700), r;
	char *code = shmat(id, NULL, SHM_EXEC);

	r = code == (char *)-1 ? -errno : 0;
	shmctl(id, IPC_RMID, NULL);
	step("shmat");
	return r ?: copy_code(code) ?: call(code);
}

/* What compilers at run time do. */
static int memory(void)
{
	char *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r = code == MAP_FAILED ? -errno : copy_code(code);

	return r ?: mprotect(code, PAGE, PROT_READ | PROT_EXEC) ? -errno : call(code);
}

static int child_personality(void) { return in_quiet_child(old_personality); }
static int child_personality_late(void) { return in_quiet_child(old_personality_late); }
static int child_listed_library(void) { return in_quiet_child(listed_library); }

const struct attempt attempts[] = {
	{ "loader", child_loader },
	{ "dlopen", library },
	{ "dlopen-memfd", memfd_library },
	{ "dlopen-listed", child_listed_library },
	{ "preload", preload },
	{ "mmap", map_private },
	{ "mmap-shared", map_shared },
	{ "mmap-exec-only", map_exec_only },
	{ "mmap-writable", map_writable },
	{ "mmap-memfd", map_memfd },
	{ "mmap-dev-shm", map_dev_shm },
	{ "mprotect", late_private },
	{ "mprotect-shared", late_shared },
	{ "mprotect-copied", late_copied },
	{ "pkey-mprotect", late_by_key },
	{ "personality", child_personality },
	{ "personality-mprotect", child_personality_late },
	{ "shmat", shared_segment },
	{ "memory", memory },
	{ NULL, NULL },
};
