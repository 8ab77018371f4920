// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A job's cgroup; see cgroup.h. */
#include "job/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PREFIX "jobcage-"

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

/* The line "0::/path" of /proc/self/cgroup. */
static int own_name(struct error *err, char **ret_name)
{
	_cleanup_free_ char *text = NULL;
	char *line, *save;
	int r;

	r = file_read("/proc/self/cgroup", 1 << 20, &text, NULL);
	if (r)
		return error_errno(err, r, "/proc/self/cgroup");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "0::/", 4))
			continue;
		*ret_name = strdup(line + 3);
		return *ret_name ? 0 : error_errno(err, -ENOMEM, "/proc/self/cgroup");
	}
	return error_set(err, -ENOENT, "this process is in no cgroup v2 cgroup");
}

int cgroup_plan(const char *job_id, struct error *err, char **ret_path)
{
	_cleanup_free_ char *mount = NULL, *name = NULL;
	int r;

	r = cgroup_mount(err, &mount);
	if (!r)
		r = own_name(err, &name);
	if (r)
		return r;
	if (asprintf(ret_path, "%s%s%s" PREFIX "%s", mount, name, name[1] ? "/" : "", job_id) < 0)
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
	if (strncmp(path, mount, strlen(mount)))
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

int cgroup_create(const char *path, struct error *err, struct cgroup *ret_cgroup)
{
	int r;

	if (mkdir(path, 0755))
		return error_errno(err, -errno, "cannot make the job's cgroup %s", path);
	r = cgroup_open(path, err, ret_cgroup);
	if (r)
		rmdir(path);
	return r;
}

int cgroup_enter(const struct cgroup *cgroup, pid_t pid, struct error *err)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", pid);
	r = file_write_at(cgroup->fd, "cgroup.procs", text);
	if (r)
		return error_errno(err, r, "cannot move process %d into cgroup %s", pid,
				   cgroup->path);
	return 0;
}

/*
 * Through the descriptor that is polled: reading is what tells the kernel that the news has
 * arrived.
 */
int cgroup_is_populated(const struct cgroup *cgroup, bool *ret_populated)
{
	char text[256];
	ssize_t n = pread(cgroup->events_fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	*ret_populated = strstr(text, "populated 1") != NULL;
	return 0;
}

int cgroup_kill(const struct cgroup *cgroup)
{
	return file_write_at(cgroup->fd, "cgroup.kill", "1");
}

/* Opens some child. Returns its descriptor with its name, -ENOENT if there is none, or -errno. */
static int open_child(int fd, char *ret_name, size_t size)
{
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *entry;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), child;

	if (copy < 0)
		return -errno;
	dir = fdopendir(copy);
	if (!dir) {
		close(copy);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		snprintf(ret_name, size, "%s", entry->d_name);
		child = openat(fd, ret_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		return child < 0 ? -errno : child;
	}
	return -ENOENT;
}

/* Removes one leaf below the directory. Returns 0, -ENOENT if it has no child, or -errno. */
static int remove_leaf(int fd)
{
	_cleanup_fd_ int parent = -1, at = -1;
	char name[256], below[256];
	int child = open_child(fd, name, sizeof(name));

	if (child < 0)
		return child;
	at = child;
	while ((child = open_child(at, below, sizeof(below))) >= 0) {
		cleanup_fd(&parent);
		parent = at;
		at = child;
		memcpy(name, below, sizeof(name));
	}
	if (child != -ENOENT)
		return child;
	return unlinkat(parent < 0 ? fd : parent, name, AT_REMOVEDIR) ? -errno : 0;
}

/* Leaf by leaf, with two descriptors, because the job may have nested as deep as it liked. */
int cgroup_remove(const struct cgroup *cgroup)
{
	int r;

	do
		r = remove_leaf(cgroup->fd);
	while (!r);
	if (r != -ENOENT)
		return r;
	return rmdir(cgroup->path) && errno != ENOENT ? -errno : 0;
}

void cgroup_close(struct cgroup *cgroup)
{
	cleanup_fd(&cgroup->fd);
	cleanup_fd(&cgroup->events_fd);
	free(cgroup->path);
	free(cgroup->name);
	*cgroup = (struct cgroup)CGROUP_NONE;
}
