// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on what the policy's rules name; see attempt.h. A dataset is never changed, also where
 * nothing refuses: a regular file is opened for writing, without O_TRUNC, and closed. A program
 * never runs: it is stopped before its first instruction.
 */
#include "job/attempt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* How far a regular file is looked for: entries in all, and folders below the dataset's root. */
#define SEARCH_ENTRIES 256
#define SEARCH_DEPTH 8

/* A FIFO does not block, a terminal is not taken, a lease does not wait. */
#define OPEN_SAFELY (O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/*
 * A server may refuse root what it lets the owner do (NFS with root_squash), and then it is not
 * known what our hook would have said. access() asks the file system without passing that hook.
 */
static void become_owner(int fd, const char *name, int how)
{
	struct stat st;

	if (!faccessat(fd, name, how, AT_EACCESS) || errno != EACCES || fstatat(fd, name, &st, 0))
		return;
	setfsgid(st.st_gid);
	setfsuid(st.st_uid);
}

static void become_root(void)
{
	setfsuid(0);
	setfsgid(0);
}

static int open_and_close(const char *path, int flags, int how)
{
	int fd, r;

	become_owner(AT_FDCWD, path, how);
	fd = open(path, flags | OPEN_SAFELY);
	r = fd < 0 ? -errno : 0;
	become_root();
	if (fd >= 0)
		close(fd);
	return r;
}

static int open_ungranted(const struct attempt *attempt, struct attempt_result *result)
{
	(void)result;
	return open_and_close(attempt->rule->path, O_RDONLY, R_OK);
}

/* --- a file to try ---------------------------------------------------------------------------- */

struct search {
	int fd; /* O_PATH, of the regular file that was found; -1 */
	int entries;
	char *path; /* of the file, or of the folder that is listed */
	size_t room;
};

/* A name too long for the record is cut; the file is tried all the same. */
static void add_name(struct search *search, const char *name)
{
	size_t len = strlen(search->path);

	snprintf(search->path + len, search->room - len, "/%s", name);
}

/* Opens it without touching it: no hook is asked, nothing blocks. Returns -1 for what is no use. */
static int open_untouched(int dir_fd, const char *name, int flags, mode_t *ret_type)
{
	_cleanup_fd_ int fd = openat(dir_fd, name, O_PATH | O_CLOEXEC | flags);
	struct stat st;

	*ret_type = 0;
	if (fd < 0 || fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return -1;
	*ret_type = st.st_mode & S_IFMT;
	return TAKE_FD(fd);
}

/*
 * Looks at one entry. Returns true if it ends the search. The first folder met is left in
 * *ret_below, with its name, to go on with.
 */
static bool search_entry(struct search *search, int dir_fd, const char *name, int *ret_below,
			 char *ret_name)
{
	mode_t type;
	int fd;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	fd = open_untouched(dir_fd, name, O_NOFOLLOW, &type);
	if (type == S_IFREG) {
		add_name(search, name);
		search->fd = fd;
		return true;
	}
	if (type == S_IFDIR && *ret_below < 0) {
		snprintf(ret_name, NAME_MAX + 1, "%s", name);
		*ret_below = fd;
	} else if (fd >= 0) {
		close(fd);
	}
	return false;
}

/* Not by readdir(), whose buffer costs more than the whole attempt. */
static void search_folder(struct search *search, int dir_fd, int *ret_below, char *ret_name)
{
	char buffer[2048] __attribute__((aligned(8)));
	_cleanup_fd_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = getdents64(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)&buffer[at];

			at += entry->d_reclen;
			if (search->entries-- <= 0 ||
			    search_entry(search, dir_fd, entry->d_name, ret_below, ret_name))
				return;
		}
	}
}

/* From the root down, one folder of each level: most datasets have a file on that way. */
static void search_tree(struct search *search, int root_fd)
{
	_cleanup_fd_ int at = root_fd;

	for (int depth = 0; depth < SEARCH_DEPTH && at >= 0; depth++) {
		char name[NAME_MAX + 1];
		int below = -1;

		search_folder(search, at, &below, name);
		close(at);
		at = below;
		if (search->fd >= 0)
			return;
		if (at >= 0)
			add_name(search, name);
	}
}

/* What was found, or how far the search came, is named in the result. */
static struct search find_file(const char *path, struct attempt_result *result)
{
	struct search search = {
		.fd = -1,
		.entries = SEARCH_ENTRIES,
		.path = result->target,
		.room = sizeof(result->target),
	};
	mode_t type;
	int fd = open_untouched(AT_FDCWD, path, 0, &type);

	snprintf(search.path, search.room, "%s", path);
	if (type == S_IFDIR)
		search_tree(&search, fd);
	else
		search.fd = fd;
	return search;
}

/* Through the descriptor, so that it is the file that was looked at. */
static int open_to_write(const struct attempt *attempt, struct attempt_result *result)
{
	struct search search = find_file(attempt->rule->path, result);
	char link[64];
	int r;

	if (search.fd < 0)
		return act_impossible(result, -ENOENT);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", search.fd);
	r = open_and_close(link, O_WRONLY, W_OK);
	close(search.fd);
	return r;
}

/* --- programs --------------------------------------------------------------------------------- */

/* In a child that shares our memory; stops where the program would begin. */
static int try_program(int fd)
{
	static char *const argv[] = { (char *)"canary", NULL }, *const envp[] = { NULL };
	int status;
	pid_t pid = vfork();

	if (!pid) {
		if (!ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

/* A file that is no program has been let through as well: the format comes after the hook. */
static int execute_denied(const struct attempt *attempt, struct attempt_result *result)
{
	struct search search = find_file(attempt->rule->path, result);
	int r;

	if (search.fd < 0)
		return act_impossible(result, -ENOENT);
	r = try_program(search.fd);
	close(search.fd);
	return r == -ENOEXEC ? 0 : r;
}

static int map_denied(const struct attempt *attempt, struct attempt_result *result)
{
	struct search search = find_file(attempt->rule->path, result);
	_cleanup_fd_ int fd = -1;
	char link[64];

	if (search.fd < 0)
		return act_impossible(result, -ENOENT);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", search.fd);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	close(search.fd);
	return fd < 0 ? act_impossible(result, -errno) : act_map_code(fd);
}

/* --- what must be allowed --------------------------------------------------------------------- */

static int open_place(const struct attempt *attempt, struct attempt_result *result)
{
	const char *path = attempt->rule ? attempt->rule->path : attempt->path;
	struct stat st;

	if (stat(path, &st) || (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
		return act_impossible(result, -ENOENT);
	return open_and_close(path, O_RDONLY, R_OK);
}

/* The canary is root, and the files are somebody else's. */
#define DAC_CAPABILITIES \
	(1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_SETUID | \
	 1ULL << CAP_SETGID)

/* --- the table -------------------------------------------------------------------------------- */

const struct act dataset_write_act = {
	.name = "dataset write",
	.hook = "file_open",
	.what = "open() for writing of a file in a dataset granted for reading",
	.run = open_to_write,
	.refusal = EACCES,
	.op = OP_OPEN_WRITE,
	.capabilities = DAC_CAPABILITIES,
};

const struct act dataset_read_act = {
	.name = "dataset read",
	.hook = "file_open",
	.what = "open() of a dataset that is not granted",
	.run = open_ungranted,
	.refusal = EACCES,
	.op = OP_OPEN_READ,
	.capabilities = DAC_CAPABILITIES,
};

const struct act exec_rule_act = {
	.name = "exec rule",
	.hook = "bprm_check_security",
	.what = "execveat() of a program that a rule denies",
	.run = execute_denied,
	.refusal = EACCES,
	.op = OP_EXEC,
	.capabilities = DAC_CAPABILITIES,
};

const struct act map_rule_act = {
	.name = "map rule",
	.hook = "mmap_file",
	.what = "mmap() as code of a program that a rule denies",
	.run = map_denied,
	.refusal = EACCES,
	.op = OP_MAP_EXEC,
	.capabilities = DAC_CAPABILITIES,
};

const struct act allowed_place_act = {
	.name = "allowed place",
	.what = "open() of a place that the policy opens for reading",
	.run = open_place,
};
