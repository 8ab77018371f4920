// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Acts on files of our own, which every policy closes, and on processes and programs; see
 * attempt.h.
 *
 * Where an act is not refused, in audit mode or because its hook is gone, it is undone, so that the
 * next one finds what it needs.
 */
#include "job/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* since 6.3 */
#endif

/* Neither a program nor a script; printable, so that the kernel loads no module for its format. */
static const char no_program[] = "no program\n";

/* --- membership ------------------------------------------------------------------------------- */

/*
 * A child that is to be born into a cgroup, here the job's own, is refused by task_alloc whatever
 * the policy says; it would do no harm.
 */
static int clone_into_cgroup(const struct attempt *attempt, struct attempt_result *result)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = attempt->cgroup_fd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	int r = act_outcome(pid);

	(void)result;
	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return r;
}

/* --- files of our own ------------------------------------------------------------------------- */

static int open_file(const struct attempt *attempt, struct attempt_result *result)
{
	int fd = open(OWN_FILE, O_RDONLY | O_CLOEXEC), r = act_outcome(fd);

	(void)attempt, (void)result;
	if (fd >= 0)
		close(fd);
	return r;
}

static int make_node(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(mknod(OWN_NEW, S_IFREG | 0600, 0));

	(void)attempt, (void)result;
	if (!r)
		unlink(OWN_NEW);
	return r;
}

static int make_directory(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(mkdir(OWN_NEW, 0700));

	(void)attempt, (void)result;
	if (!r)
		rmdir(OWN_NEW);
	return r;
}

static int make_symlink(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(symlink(OWN_FILE, OWN_NEW));

	(void)attempt, (void)result;
	if (!r)
		unlink(OWN_NEW);
	return r;
}

static int make_link(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(link(OWN_FILE, OWN_NEW));

	(void)attempt, (void)result;
	if (!r)
		unlink(OWN_NEW);
	return r;
}

static int rename_file(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(rename(OWN_FILE, OWN_NEW));

	(void)attempt, (void)result;
	if (!r)
		rename(OWN_NEW, OWN_FILE);
	return r;
}

static int truncate_file(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(truncate(OWN_FILE, 0));
}

static int change_mode(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(chmod(OWN_FILE, 0600));
}

static int change_owner(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(chown(OWN_FILE, -1, -1));
}

static int remove_file(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(unlink(OWN_FILE));

	(void)attempt, (void)result;
	if (!r)
		mknod(OWN_FILE, S_IFREG | 0600, 0);
	return r;
}

static int remove_directory(const struct attempt *attempt, struct attempt_result *result)
{
	int r = act_outcome(rmdir(OWN_DIR));

	(void)attempt, (void)result;
	if (!r)
		mkdir(OWN_DIR, 0700);
	return r;
}

static int change_root(const struct attempt *attempt, struct attempt_result *result)
{
	(void)attempt, (void)result;
	return act_outcome(chroot(OWN_DIR));
}

/* --- programs --------------------------------------------------------------------------------- */

int act_map_code(int fd)
{
	size_t size = sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	if (page == MAP_FAILED)
		return -errno;
	munmap(page, size);
	return 0;
}

/* Returns a descriptor or -1. */
static int open_memory_file(void)
{
	_cleanup_fd_ int fd = memfd_create("canary", MFD_CLOEXEC | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("canary", MFD_CLOEXEC);
	if (fd < 0 || write(fd, no_program, sizeof(no_program)) != sizeof(no_program))
		return -1;
	return TAKE_FD(fd);
}

/*
 * Where vm.memfd_noexec forbids a memory file to be executable, shared anonymous memory is one all
 * the same, below /proc/self/map_files: a job could use that too.
 */
static int open_shared_memory(void)
{
	size_t size = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[64];

	if (map == MAP_FAILED)
		return -1;
	memcpy(map, no_program, sizeof(no_program));
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)map,
		 (unsigned long)map + size);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int open_nameless(void)
{
	int fd = open_memory_file();

	return fd < 0 ? open_shared_memory() : fd;
}

/* If it is not refused, the kernel finds that it is no program: ENOEXEC. */
static int execute_nameless(const struct attempt *attempt, struct attempt_result *result)
{
	static char *const argv[] = { (char *)"canary", NULL }, *const envp[] = { NULL };
	_cleanup_fd_ int fd = open_nameless();

	(void)attempt;
	if (fd < 0)
		return act_impossible(result, -errno);
	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	return -errno;
}

static int map_code(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = open_nameless();

	(void)attempt;
	return fd < 0 ? act_impossible(result, -errno) : act_map_code(fd);
}

/* What was mapped for reading becomes code. */
static int make_code(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = open_nameless();
	size_t size = sysconf(_SC_PAGESIZE);
	void *page;
	int r;

	(void)attempt;
	if (fd < 0)
		return act_impossible(result, -errno);
	page = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (page == MAP_FAILED)
		return act_impossible(result, -errno);
	r = act_outcome(mprotect(page, size, PROT_READ | PROT_EXEC));
	munmap(page, size);
	return r;
}

/* --- what must be allowed --------------------------------------------------------------------- */

static int open_nameless_again(const struct attempt *attempt, struct attempt_result *result)
{
	_cleanup_fd_ int fd = memfd_create("canary", MFD_CLOEXEC), again = -1;
	char path[64];

	(void)attempt;
	if (fd < 0)
		return act_impossible(result, -errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
	return act_outcome(again);
}

/* --- the tables ------------------------------------------------------------------------------- */

#define OWN_ACT(act_name, act_what, act_fn, act_op)                                  \
	{                                                                            \
		.name = act_name, .hook = act_name, .what = act_what, .run = act_fn, \
		.refusal = EACCES, .op = act_op, .reason = REASON_OWN                \
	}

const struct act hook_acts[] = {
	{
		.name = "file_open",
		.hook = "file_open",
		.what = "open() of a file of jobcage's own",
		.run = open_file,
		.refusal = EACCES,
		.op = OP_OPEN_READ,
		.reason = REASON_OWN,
		.place = ACT_BY_PARENT,
	},
	{
		.name = "task_alloc",
		.hook = "task_alloc",
		.what = "clone3() into a cgroup",
		.run = clone_into_cgroup,
		.refusal = EACCES,
		.proof = PROOF_FORK,
		.place = ACT_BY_PARENT,
	},
	{
		.name = "task_alloc inheritance",
		.hook = "task_alloc",
		.what = "open() of a file of jobcage's own by a child of the first process",
		.run = open_file,
		.refusal = EACCES,
		.op = OP_OPEN_READ,
		.reason = REASON_OWN,
	},
	OWN_ACT("path_mknod", "mknod() in jobcage's own folder", make_node, OP_CREATE),
	OWN_ACT("path_mkdir", "mkdir() in jobcage's own folder", make_directory, OP_MKDIR),
	OWN_ACT("path_symlink", "symlink() in jobcage's own folder", make_symlink, OP_SYMLINK),
	OWN_ACT("path_link", "link() of a file of jobcage's own", make_link, OP_LINK),
	OWN_ACT("path_truncate", "truncate() of a file of jobcage's own", truncate_file,
		OP_TRUNCATE),
	OWN_ACT("path_chmod", "chmod() of a file of jobcage's own", change_mode, OP_CHMOD),
	OWN_ACT("path_chown", "chown() of a file of jobcage's own", change_owner, OP_CHOWN),
	OWN_ACT("path_rename", "rename() of a file of jobcage's own", rename_file, OP_RENAME),
	OWN_ACT("path_unlink", "unlink() of a file of jobcage's own", remove_file, OP_UNLINK),
	OWN_ACT("path_rmdir", "rmdir() of a folder of jobcage's own", remove_directory, OP_RMDIR),
};
const size_t hook_act_cnt = ARRAY_SIZE(hook_acts);

const struct act chroot_act = {
	.name = "path_chroot",
	.hook = "path_chroot",
	.what = "chroot() into a folder of jobcage's own",
	.run = change_root,
	.refusal = EACCES,
	.op = OP_CHROOT,
	.reason = REASON_OWN,
	.capabilities = 1ULL << CAP_SYS_CHROOT,
};

const struct act exec_act = {
	.name = "bprm_check",
	.hook = "bprm_check_security",
	.what = "execveat() of a program without a name",
	.run = execute_nameless,
	.refusal = EACCES,
	.op = OP_EXEC,
	.reason = REASON_NAMELESS,
	/* For /proc/self/map_files; the kernel takes either. */
	.capabilities = 1ULL << CAP_CHECKPOINT_RESTORE | 1ULL << CAP_SYS_ADMIN,
};

#define NAMELESS_ACT(act_hook, act_what, act_fn)                                     \
	{                                                                            \
		.name = act_hook, .hook = act_hook, .what = act_what, .run = act_fn, \
		.refusal = EACCES, .op = OP_MAP_EXEC, .reason = REASON_NAMELESS,     \
		.capabilities = 1ULL << CAP_CHECKPOINT_RESTORE | 1ULL << CAP_SYS_ADMIN \
	}

const struct act map_acts[] = {
	NAMELESS_ACT("mmap_file", "mmap() of a file without a name as code", map_code),
	NAMELESS_ACT("file_mprotect", "mprotect() of a file without a name to code", make_code),
};
const size_t map_act_cnt = ARRAY_SIZE(map_acts);

const struct act allowed_nameless_act = {
	.name = "allowed nameless",
	.what = "open() of a memory file",
	.run = open_nameless_again,
};
