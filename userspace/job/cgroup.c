// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A job's cgroup; see cgroup.h. */
#include "job/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "job/process.h"

#define PREFIX "jobcage-"

/* On a parent for whose children we switched on the process limit, so that it is undone. */
#define PIDS_MARK "trusted.jobcage.pids"

/* Somebody may switch it off again between our two steps, but not for ever. */
#define LIMIT_TRIES 3

/* How long a task may take to reach a point where it can be frozen. */
#define FREEZE_MS 10000

/* struct file_handle of a cgroup directory: 8 bytes, the cgroup id (fs/kernfs, FILEID_KERNFS). */
#define CGROUP_HANDLE_SIZE 8

static void cleanup_mntent(FILE **f)
{
	if (*f)
		endmntent(*f);
}

int cgroup_mount(struct error *err, char **ret_path)
{
	_cleanup_(cleanup_mntent) FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char buffer[8192];

	if (!mounts)
		return error_errno(err, -errno, "/proc/self/mounts");
	while (getmntent_r(mounts, &entry, buffer, sizeof(buffer))) {
		if (strcmp(entry.mnt_type, "cgroup2"))
			continue;
		*ret_path = strdup(entry.mnt_dir);
		return *ret_path ? 0 : error_errno(err, -ENOMEM, "cannot find cgroup v2");
	}
	return error_set(
		err, -ENOENT,
		"cgroup v2 is not mounted; mount it: mount -t cgroup2 none /sys/fs/cgroup");
}

/* The line "0::/path" of /proc/PID/cgroup. */
static int name_of_process(pid_t pid, struct error *err, char **ret_name)
{
	_cleanup_free_ char *text = NULL;
	char *line, *save, file[64];
	int r;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	r = file_read(file, 1 << 20, &text, NULL);
	if (r)
		return error_errno(err, r, "%s", file);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "0::/", 4))
			continue;
		if (!strncmp(line, "0::/..", 6))
			return error_set(
				err, -EXDEV,
				"process %d is in cgroup %s, outside what can be seen from "
				"here; run jobcage in the host's cgroup namespace",
				pid, line + 3);
		*ret_name = strdup(line + 3);
		return *ret_name ? 0 : error_errno(err, -ENOMEM, "%s", file);
	}
	return error_set(err, -ENOENT, "process %d is in no cgroup v2 cgroup", pid);
}

int cgroup_of(pid_t pid, struct error *err, char **ret_path)
{
	_cleanup_free_ char *mount = NULL, *name = NULL;
	int r = cgroup_mount(err, &mount);

	if (!r)
		r = name_of_process(pid, err, &name);
	if (r)
		return r;
	if (asprintf(ret_path, "%s%s", mount, name[1] ? name : "") < 0)
		return error_errno(err, -ENOMEM, "cannot name the cgroup of process %d", pid);
	return 0;
}

int cgroup_plan(pid_t pid, const char *job_id, struct error *err, char **ret_path)
{
	_cleanup_free_ char *parent = NULL;
	int r = cgroup_of(pid, err, &parent);

	if (r)
		return r;
	if (asprintf(ret_path, "%s/" PREFIX "%s", parent, job_id) < 0)
		return error_errno(err, -ENOMEM, "cannot name the job's cgroup");
	return 0;
}

static int read_id(int fd, uint64_t *ret_id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + CGROUP_HANDLE_SIZE];
	} u = { .handle.handle_bytes = CGROUP_HANDLE_SIZE };
	int mount_id;

	if (name_to_handle_at(fd, "", &u.handle, &mount_id, AT_EMPTY_PATH))
		return -errno;
	memcpy(ret_id, u.handle.f_handle, sizeof(*ret_id));
	return 0;
}

/* The name below the root: the path less the mount it is on. */
static int name_of(const char *path, struct error *err, char **ret_name)
{
	_cleanup_free_ char *mount = NULL;
	int r = cgroup_mount(err, &mount);

	if (r)
		return r;
	if (!path_is_in(path, mount))
		return error_set(err, -EINVAL, "%s is not below %s", path, mount);
	*ret_name = strdup(path + strlen(mount));
	return *ret_name ? 0 : error_errno(err, -ENOMEM, "%s", path);
}

int cgroup_open(const char *path, struct error *err, struct cgroup *ret_cgroup)
{
	_cleanup_(cgroup_close) struct cgroup cgroup = CGROUP_NONE;
	int r;

	cgroup.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (cgroup.fd < 0)
		return error_errno(err, -errno, "cannot open cgroup %s", path);
	cgroup.events_fd = openat(cgroup.fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (cgroup.events_fd < 0)
		return error_errno(err, -errno, "cannot watch cgroup %s", path);
	r = read_id(cgroup.fd, &cgroup.id);
	if (r)
		return error_errno(err, r, "cannot read the id of cgroup %s", path);
	cgroup.path = strdup(path);
	if (!cgroup.path)
		return error_errno(err, -ENOMEM, "cannot open cgroup %s", path);
	r = name_of(path, err, &cgroup.name);
	if (r)
		return r;
	*ret_cgroup = cgroup;
	cgroup = (struct cgroup)CGROUP_NONE;
	return 0;
}

/* A user to whom the cgroup above is delegated can put one of its own in the place of ours. */
static int check_own(const struct cgroup *cgroup, struct error *err)
{
	struct stat st;

	if (fstat(cgroup->fd, &st))
		return error_errno(err, -errno, "cannot look at cgroup %s", cgroup->path);
	if (st.st_uid != geteuid())
		return error_set(err, -EPERM, "cgroup %s was replaced by user %u while it was made",
				 cgroup->path, st.st_uid);
	return 0;
}

/* Of making one; EAGAIN means one thing only. */
static int refuse_create(const char *path, int code, struct error *err)
{
	if (code == -EAGAIN)
		return error_set(err, code,
				 "cannot make the job's cgroup %s: cgroup.max.descendants or "
				 "cgroup.max.depth of one above it does not let it be made",
				 path);
	return error_errno(err, code, "cannot make the job's cgroup %s", path);
}

int cgroup_create(const char *path, struct error *err, struct cgroup *ret_cgroup)
{
	_cleanup_(cgroup_close) struct cgroup cgroup = CGROUP_NONE;
	int r;

	if (mkdir(path, 0755))
		return refuse_create(path, -errno, err);
	r = cgroup_open(path, err, &cgroup);
	if (!r)
		r = check_own(&cgroup, err);
	if (r) {
		rmdir(path);
		return r;
	}
	*ret_cgroup = cgroup;
	cgroup = (struct cgroup)CGROUP_NONE;
	return 0;
}

static int open_parent(const struct cgroup *cgroup)
{
	int fd = openat(cgroup->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int move_process(int cgroup_fd, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return file_write_at(cgroup_fd, "cgroup.procs", text);
}

/*
 * The kernel moves a process by its number only. If the one that was meant died, a stranger may
 * have got the number and been moved in its place: it goes up to the parent, so that the job's end
 * does not kill it.
 */
static int check_entered(const struct cgroup *cgroup, pid_t pid, int pidfd)
{
	_cleanup_fd_ int parent = -1;
	int r = process_check(pid, pidfd);

	if (!r)
		return 0;
	parent = open_parent(cgroup);
	if (parent >= 0)
		move_process(parent, pid);
	return r;
}

int cgroup_enter(const struct cgroup *cgroup, pid_t pid, int pidfd, struct error *err)
{
	int r = process_check(pid, pidfd);

	if (!r)
		r = move_process(cgroup->fd, pid);
	if (!r)
		r = check_entered(cgroup, pid, pidfd);
	if (r)
		return error_errno(err, r, "cannot move process %d into cgroup %s", pid,
				   cgroup->path);
	return 0;
}

void cgroup_leave(const struct cgroup *cgroup, pid_t pid, int pidfd)
{
	_cleanup_fd_ int parent = open_parent(cgroup);

	if (parent >= 0 && !process_check(pid, pidfd))
		move_process(parent, pid);
}

/* Whether cgroup.events has this line. Returns 0 or -errno. */
static int read_event(int events_fd, const char *line, bool *ret_is)
{
	char text[256];
	ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	*ret_is = strstr(text, line) != NULL;
	return 0;
}

/*
 * Through the descriptor that is polled: reading is what tells the kernel that the news has
 * arrived.
 */
int cgroup_is_populated(const struct cgroup *cgroup, bool *ret_populated)
{
	return read_event(cgroup->events_fd, "populated 1", ret_populated);
}

int cgroup_kill(const struct cgroup *cgroup)
{
	return file_write_at(cgroup->fd, "cgroup.kill", "1");
}

/* --- freezing --------------------------------------------------------------------------------- */

static int wait_until_frozen(const struct cgroup *cgroup)
{
	/* Of our own: reading takes the news away from whoever polls the shared one. */
	_cleanup_fd_ int fd = openat(cgroup->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd news = { .fd = fd, .events = POLLPRI };
	int64_t deadline = clock_ms(CLOCK_MONOTONIC) + FREEZE_MS, left;
	bool is_frozen = false;
	int r;

	if (fd < 0)
		return -errno;
	for (;;) {
		r = read_event(fd, "frozen 1", &is_frozen);
		if (r || is_frozen)
			return r;
		left = deadline - clock_ms(CLOCK_MONOTONIC);
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&news, 1, left) < 0 && errno != EINTR)
			return -errno;
	}
}

int cgroup_freeze(const struct cgroup *cgroup, bool is_frozen, struct error *err)
{
	int r = file_write_at(cgroup->fd, "cgroup.freeze", is_frozen ? "1" : "0");

	if (!r && is_frozen)
		r = wait_until_frozen(cgroup);
	if (!r)
		return 0;
	if (is_frozen)
		file_write_at(cgroup->fd, "cgroup.freeze", "0");
	return error_errno(err, r, "cannot %s cgroup %s", is_frozen ? "freeze" : "thaw",
			   cgroup->path);
}

/* --- the limit on processes ------------------------------------------------------------------- */

/* Whether one of the words in a file of the cgroup is this one. */
static int has_word(int fd, const char *file, const char *word, bool *ret_found)
{
	_cleanup_free_ char *text = NULL;
	char *at, *save;
	bool found = false;
	int r = file_read_at(fd, file, 1 << 20, &text, NULL);

	if (r)
		return r;
	for (at = strtok_r(text, " \n", &save); at && !found; at = strtok_r(NULL, " \n", &save))
		found = !strcmp(at, word);
	*ret_found = found;
	return 0;
}

static int refuse_without_controller(const struct cgroup *cgroup, struct error *err)
{
	_cleanup_free_ char *mount = NULL;
	_cleanup_fd_ int root = -1;
	bool found = false;
	int r = cgroup_mount(err, &mount);

	if (r)
		return r;
	root = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0)
		has_word(root, "cgroup.controllers", "pids", &found);
	if (!found)
		return error_set(err, -EOPNOTSUPP,
				 "limits.processes cannot be enforced: this kernel has no pids "
				 "controller in cgroup v2 (a hybrid layout keeps it in v1); boot "
				 "with cgroup_no_v1=pids, or leave the limit out");
	return error_set(err, -EOPNOTSUPP,
			 "limits.processes cannot be enforced: no pids controller reaches the "
			 "cgroup above %s; let its owner pass it on (systemd: Delegate=pids), or "
			 "leave the limit out",
			 cgroup->path);
}

static int refuse_with_company(const struct cgroup *cgroup, struct error *err)
{
	return error_set(err, -EBUSY,
			 "limits.processes cannot be enforced: other processes are in the cgroup "
			 "above %s, and then the kernel limits none of its children; start the job "
			 "in a cgroup of its own (systemd-run --scope, a job step), or leave the "
			 "limit out",
			 cgroup->path);
}

/* The root of the hierarchy, and it alone, has no type, and may have processes and children. */
static bool is_root(int fd)
{
	return faccessat(fd, "cgroup.type", F_OK, 0) && errno == ENOENT;
}

/*
 * The kernel accepts this for a parent that has processes: pids is a threaded controller. But then
 * its children are 'domain invalid', and nothing can be moved into them. So such a parent is
 * refused. With the job in its cgroup already, the kernel refuses it as well, whoever arrives
 * meanwhile.
 */
static int pass_pids_on(const struct cgroup *cgroup, int parent, struct error *err)
{
	_cleanup_free_ char *procs = NULL;
	bool found = false;
	int r = has_word(parent, "cgroup.controllers", "pids", &found);

	if (!r && !found)
		return refuse_without_controller(cgroup, err);
	if (!r)
		r = file_read_at(parent, "cgroup.procs", 64 << 20, &procs, NULL);
	if (!r && *procs && !is_root(parent))
		return refuse_with_company(cgroup, err);
	if (!r && fsetxattr(parent, PIDS_MARK, "1", 1, 0))
		r = -errno;
	if (!r)
		r = file_write_at(parent, "cgroup.subtree_control", "+pids");
	if (r == -EBUSY || r == -EOPNOTSUPP)
		return refuse_with_company(cgroup, err);
	if (r)
		return error_errno(err, r, "cannot switch on the pids controller above %s",
				   cgroup->path);
	return 0;
}

int cgroup_limit_processes(const struct cgroup *cgroup, uint64_t max, struct error *err)
{
	_cleanup_fd_ int parent = open_parent(cgroup);
	char text[32];
	int r = -ENOENT, passed = 0;

	if (parent < 0)
		return error_errno(err, parent, "cannot open the cgroup above %s", cgroup->path);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)max);
	for (int i = 0; i < LIMIT_TRIES && r == -ENOENT; i++) {
		bool found = false;

		r = has_word(parent, "cgroup.subtree_control", "pids", &found);
		if (!r && !found)
			passed = pass_pids_on(cgroup, parent, err);
		if (passed)
			return passed;
		if (!r)
			r = file_write_at(cgroup->fd, "pids.max", text);
	}
	if (r)
		return error_errno(err, r, "cannot limit the processes of cgroup %s", cgroup->path);
	return 0;
}

/* --- removal ---------------------------------------------------------------------------------- */

/* Opens the directory that a descriptor names anew, so that it is read from its beginning. */
static int reopen_dir(int fd, DIR **ret_dir)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (copy < 0)
		return -errno;
	*ret_dir = fdopendir(copy);
	if (*ret_dir)
		return 0;
	close(copy);
	return -ENOMEM;
}

static bool is_child(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

/*
 * Removes the children that have none themselves and adds their number. Returns 0 if none is left;
 * 1 and a descriptor of one that could not be removed; or -errno.
 */
static int remove_children(int fd, size_t *removed, int *ret_child)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	int child, r = reopen_dir(fd, &dir);

	while (!r && (entry = readdir(dir))) {
		if (!is_child(entry))
			continue;
		if (!unlinkat(fd, entry->d_name, AT_REMOVEDIR)) {
			(*removed)++;
			continue;
		}
		if (errno == ENOENT)
			continue;
		if (errno != EBUSY)
			return -errno;
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child < 0)
			return -errno;
		*ret_child = child;
		return 1;
	}
	return r;
}

/*
 * Down to the first that cannot be removed, up when a level is empty: one descriptor and two looks
 * at each level, because the job may have nested as deep as it liked. One that cannot be removed,
 * but has no children either, has processes.
 */
static int remove_descendants(const struct cgroup *cgroup)
{
	_cleanup_fd_ int at = openat(cgroup->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_from_above = false;

	for (size_t depth = 0; at >= 0; depth += is_from_above ? 1 : -1) {
		size_t removed = 0;
		int next = -1, r = remove_children(at, &removed, &next);

		if (r < 0)
			return r;
		if (!r && is_from_above && !removed)
			return -EBUSY;
		if (!r && !depth)
			return 0;
		if (!r)
			next = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		is_from_above = r;
		close(at);
		at = next;
	}
	return -errno;
}

/* With the last child goes what pass_pids_on() did for it. */
static void take_pids_back(int parent)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	char mark;

	if (fgetxattr(parent, PIDS_MARK, &mark, sizeof(mark)) < 0 || reopen_dir(parent, &dir))
		return;
	while ((entry = readdir(dir)))
		if (is_child(entry))
			return;
	if (!file_write_at(parent, "cgroup.subtree_control", "-pids"))
		fremovexattr(parent, PIDS_MARK);
}

/* Somebody may have removed it, and made another one of its name. */
static bool is_named(const struct cgroup *cgroup)
{
	struct stat own, named;

	return !fstat(cgroup->fd, &own) && !lstat(cgroup->path, &named) &&
	       own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

int cgroup_remove(const struct cgroup *cgroup)
{
	_cleanup_fd_ int parent = open_parent(cgroup);
	int r = remove_descendants(cgroup);

	/* Whoever removed the cgroup before us may have removed those above it, too. */
	if (r == -ENOENT || r == -ENODEV)
		r = 0;
	if (!r && is_named(cgroup) && rmdir(cgroup->path) && errno != ENOENT)
		r = -errno;
	if (!r && parent >= 0)
		take_pids_back(parent);
	return r;
}

void cgroup_forget(const char *path)
{
	_cleanup_free_ char *above = strdup(path);
	_cleanup_fd_ int parent = -1;

	if (!above)
		return;
	*strrchr(above, '/') = '\0';
	parent = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (parent >= 0)
		take_pids_back(parent);
}

void cgroup_let_go(struct cgroup *cgroup)
{
	cleanup_fd(&cgroup->fd);
	cleanup_fd(&cgroup->events_fd);
	cgroup->fd = -1;
	cgroup->events_fd = -1;
}

void cgroup_close(struct cgroup *cgroup)
{
	cgroup_let_go(cgroup);
	free(cgroup->path);
	free(cgroup->name);
	*cgroup = (struct cgroup)CGROUP_NONE;
}
