// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is known of jobs outside any process; see state.h. */
#include "job/state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define JOBS STATE_ROOT "/jobs"
#define SUFFIX ".json"
#define PROGRESS_SUFFIX ".progress"
#define POLICY_SUFFIX ".policy"
#define NEXT_SUFFIX ".policy-next"
#define SELF_TEST_SUFFIX ".self-test"
#define UPDATE_SUFFIX ".update"

/* Bytes of a canonical policy, of what its self-test came to, and of a job's own file. */
#define POLICY_MAX (256UL << 20)
#define SELF_TEST_MAX POLICY_MAX
#define CONTENT_MAX (1UL << 20)

/* All of a job's files, the one that says that there is a job last. */
static const char *const suffixes[] = { UPDATE_SUFFIX,   NEXT_SUFFIX,   SELF_TEST_SUFFIX,
					PROGRESS_SUFFIX, POLICY_SUFFIX, SUFFIX };

static const char *const policy_suffixes[] = {
	[JOB_POLICY] = POLICY_SUFFIX,
	[JOB_POLICY_NEXT] = NEXT_SUFFIX,
};

static int make_folders(struct error *err)
{
	int r = make_dir(STATE_ROOT, 0755);

	if (!r)
		r = make_dir(JOBS, 0700);
	if (r)
		return error_errno(err, r, "cannot make " JOBS);
	return 0;
}

int state_lock(struct error *err)
{
	_cleanup_fd_ int fd = -1;
	int r = make_folders(err);

	if (r)
		return r;
	fd = open(STATE_ROOT "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_errno(err, -errno, "cannot open " STATE_ROOT "/lock");
	while (flock(fd, LOCK_EX))
		if (errno != EINTR)
			return error_errno(err, -errno, "cannot lock " STATE_ROOT "/lock");
	return TAKE_FD(fd);
}

int job_id_check(const char *id, struct error *err)
{
	size_t len = strlen(id);

	if (!len || len > JOB_ID_MAX || *id == '.')
		return error_set(err, -EINVAL,
				 "job id \"%s\": 1 to %d characters, not beginning with a dot", id,
				 JOB_ID_MAX);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr("._-", id[i]))
			return error_set(err, -EINVAL,
					 "job id \"%s\": only letters, digits, '.', '_' and '-'",
					 id);
	return 0;
}

int job_id_make(const char *policy_name, struct error *err, char ret_id[static JOB_ID_MAX + 1])
{
	unsigned int random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_errno(err, -errno, "cannot make a job id");
	snprintf(ret_id, JOB_ID_MAX + 1, "%.48s-%08x", policy_name, random);
	return 0;
}

static void file_of(const char *id, const char *suffix, char *ret_path, size_t size)
{
	snprintf(ret_path, size, JOBS "/%s%s", id, suffix);
}

static int map_progress(struct job_state *state, int flags, struct error *err)
{
	_cleanup_fd_ int fd = -1;
	char path[256];
	int r;
	void *map;

	file_of(state->id, PROGRESS_SUFFIX, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (fd < 0)
		return error_errno(err, -errno, "cannot create %s", path);
	/* With its space: a full disk must be found out now, not by a fault later. */
	r = posix_fallocate(fd, 0, sizeof(*state->progress));
	if (r)
		return error_errno(err, -r, "cannot write %s", path);
	map = mmap(NULL, sizeof(*state->progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return error_errno(err, -errno, "cannot map %s", path);
	state->progress = map;
	return 0;
}

/* The job's own file goes first: what is left then is cleared away by the next search. */
static void remove_files(const char *id)
{
	char path[256];

	for (size_t i = ARRAY_SIZE(suffixes); i > 0; i--) {
		file_of(id, suffixes[i - 1], path, sizeof(path));
		unlink(path);
	}
}

static int new_file(struct error *err)
{
	int fd = open(JOBS, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	return fd < 0 ? error_errno(err, -errno, "cannot create a file in " JOBS) : fd;
}

/* Gives a nameless file a name. */
static int name_file(int fd, const char *id, const char *suffix, struct error *err)
{
	char from[64], to[256];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	file_of(id, suffix, to, sizeof(to));
	if (!linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW))
		return 0;
	if (errno == EEXIST)
		return error_set(err, -EEXIST, "a job with id \"%s\" is running", id);
	return error_errno(err, -errno, "cannot create %s", to);
}

static int move_file(const char *id, const char *from_suffix, const char *to_suffix,
		     struct error *err)
{
	char from[256], to[256];

	file_of(id, from_suffix, from, sizeof(from));
	file_of(id, to_suffix, to, sizeof(to));
	return rename(from, to) ? error_errno(err, -errno, "cannot replace %s", to) : 0;
}

/* Nameless and whole. Returns a descriptor or -errno. */
static int write_text(const char *text, const char *what, struct error *err)
{
	_cleanup_fd_ int fd = new_file(err);
	int r;

	if (fd < 0)
		return fd;
	r = fd_write_all(fd, text, strlen(text));
	if (r)
		return error_errno(err, r, "cannot write the job's %s", what);
	return TAKE_FD(fd);
}

/* The same. */
static int write_json(const json_t *json, struct error *err)
{
	_cleanup_free_ char *text = json_dumps(json, JSON_INDENT(1));

	return text ? write_text(text, "state", err)
		    : error_errno(err, -ENOMEM, "cannot write the job's state");
}

/* --- the policy ------------------------------------------------------------------------------- */

int state_make_policy(const char *canonical, struct error *err)
{
	int r = make_folders(err);

	return r ? r : write_text(canonical, "policy", err);
}

int job_state_put_policy(struct job_state *state, enum job_policy which, int policy_fd,
			 struct error *err)
{
	char path[256];

	/* What a replacement left that failed or whose controller died. */
	if (which == JOB_POLICY_NEXT) {
		file_of(state->id, NEXT_SUFFIX, path, sizeof(path));
		unlink(path);
	}
	return name_file(policy_fd, state->id, policy_suffixes[which], err);
}

int job_state_get_policy(const struct job_state *state, enum job_policy which, struct error *err,
			 char **ret_canonical)
{
	char path[256];
	int r;

	file_of(state->id, policy_suffixes[which], path, sizeof(path));
	r = file_read(path, POLICY_MAX, ret_canonical, NULL);
	return r ? error_errno(err, r, "%s", path) : 0;
}

int job_state_settle_policy(struct job_state *state, struct error *err)
{
	return move_file(state->id, NEXT_SUFFIX, POLICY_SUFFIX, err);
}

/* --- the self-test's result ------------------------------------------------------------------- */

int job_state_put_self_test(struct job_state *state, const json_t *self_test, struct error *err)
{
	_cleanup_fd_ int fd = write_json(self_test, err);

	return fd < 0 ? fd : name_file(fd, state->id, SELF_TEST_SUFFIX, err);
}

json_t *job_state_get_self_test(const struct job_state *state)
{
	_cleanup_free_ char *text = NULL;
	char path[256];

	file_of(state->id, SELF_TEST_SUFFIX, path, sizeof(path));
	return file_read(path, SELF_TEST_MAX, &text, NULL) ? NULL : json_loads(text, 0, NULL);
}

/* --- the job's own file ----------------------------------------------------------------------- */

/* Nameless, locked and whole. Returns a descriptor or -errno. */
static int write_content(const json_t *content, struct error *err)
{
	_cleanup_fd_ int fd = write_json(content, err);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
		return error_errno(err, -errno, "cannot lock the job's state");
	return TAKE_FD(fd);
}

int job_state_create(const char *id, const json_t *content, int policy_fd, struct error *err,
		     struct job_state *ret_state)
{
	_cleanup_(job_state_close) struct job_state state = JOB_STATE_NONE;
	int r;

	state.id = strdup(id);
	if (!state.id)
		return error_errno(err, -ENOMEM, "cannot write the job's state");
	state.fd = write_content(content, err);
	if (state.fd < 0)
		return state.fd;
	r = job_state_put_policy(&state, JOB_POLICY, policy_fd, err);
	if (r)
		return r;
	r = map_progress(&state, O_TRUNC, err);
	if (!r)
		r = name_file(state.fd, id, SUFFIX, err);
	if (r) {
		remove_files(id);
		return r;
	}
	*ret_state = state;
	state = (struct job_state)JOB_STATE_NONE;
	return 0;
}

/* The new file is locked before it has the name, so the job is never without a holder. */
int job_state_update(struct job_state *state, const json_t *content, struct error *err)
{
	_cleanup_fd_ int fd = write_content(content, err);
	char path[256];
	int r;

	if (fd < 0)
		return fd;
	file_of(state->id, UPDATE_SUFFIX, path, sizeof(path));
	unlink(path);
	r = name_file(fd, state->id, UPDATE_SUFFIX, err);
	if (!r)
		r = move_file(state->id, UPDATE_SUFFIX, SUFFIX, err);
	if (r)
		return r;
	close(state->fd);
	state->fd = TAKE_FD(fd);
	return 0;
}

/* Returns 1 and the file, locked; 0 if it is gone or somebody holds it; or -errno. */
static int open_unheld(const char *path, struct error *err, int *ret_fd)
{
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? 0 : error_errno(err, -errno, "cannot lock %s", path);
	*ret_fd = TAKE_FD(fd);
	return 1;
}

/* Takes over one file if nobody holds it. Returns 1, or 0 if somebody does or it was no job yet. */
static int adopt_file(const char *name, struct error *err, struct job_state *ret_state,
		      json_t **ret_content)
{
	_cleanup_(job_state_close) struct job_state state = JOB_STATE_NONE;
	json_auto_t *content = NULL;
	json_error_t json_err;
	char path[512];
	int r;

	state.id = strndup(name, strlen(name) - strlen(SUFFIX));
	if (!state.id)
		return error_errno(err, -ENOMEM, "cannot adopt a job");
	snprintf(path, sizeof(path), JOBS "/%s", name);
	r = open_unheld(path, err, &state.fd);
	if (r <= 0)
		return r;
	content = json_loadfd(state.fd, JSON_REJECT_DUPLICATES, &json_err);
	if (!content)
		return error_set(err, -EBADMSG, "%s: %s; if no such job runs, remove the file",
				 path, json_err.text);
	r = map_progress(&state, 0, err);
	if (r)
		return r;
	*ret_content = json_incref(content);
	*ret_state = state;
	state = (struct job_state)JOB_STATE_NONE;
	return 1;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return *name != '.' && len > suffix_len && !strcmp(name + len - suffix_len, suffix);
}

/* The suffix of a job's file other than its own, or NULL. */
static const char *side_suffix(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes) - 1; i++)
		if (has_suffix(name, suffixes[i]))
			return suffixes[i];
	return NULL;
}

/* A controller was killed while it made or removed a job's files: there is no such job. */
static void remove_lone(const char *name, const char *suffix)
{
	size_t len = strlen(name) - strlen(suffix);
	char id[JOB_ID_MAX + 1] = "", path[256];

	if (len > JOB_ID_MAX)
		return;
	memcpy(id, name, len);
	file_of(id, SUFFIX, path, sizeof(path));
	if (access(path, F_OK) && errno == ENOENT)
		remove_files(id);
}

int job_state_adopt(struct error *err, struct job_state *ret_state, json_t **ret_content)
{
	_cleanup_dir_ DIR *dir = opendir(JOBS);
	struct dirent *entry;
	int failed = 0;

	if (!dir)
		return error_errno(err, -errno, "cannot list " JOBS);
	while ((entry = readdir(dir))) {
		const char *side = side_suffix(entry->d_name);
		int r = 0;

		if (side)
			remove_lone(entry->d_name, side);
		else if (has_suffix(entry->d_name, SUFFIX))
			r = adopt_file(entry->d_name, err, ret_state, ret_content);
		if (r > 0)
			return r;
		if (r)
			failed = r;
	}
	return failed;
}

int job_state_look(const char *id, struct error *err, struct job_state *ret_state)
{
	_cleanup_(job_state_close) struct job_state state = JOB_STATE_NONE;
	int r;

	state.id = strdup(id);
	if (!state.id)
		return error_errno(err, -ENOMEM, "cannot look at a job");
	r = map_progress(&state, 0, err);
	if (r)
		return r;
	*ret_state = state;
	state = (struct job_state)JOB_STATE_NONE;
	return 0;
}

int job_state_any(void)
{
	_cleanup_dir_ DIR *dir = opendir(JOBS);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)))
		if (has_suffix(entry->d_name, SUFFIX))
			return 1;
	return 0;
}

int job_state_each(void (*fn)(void *arg, const json_t *content), void *arg)
{
	_cleanup_dir_ DIR *dir = opendir(JOBS);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *text = NULL;
		json_auto_t *content = NULL;

		if (!has_suffix(entry->d_name, SUFFIX) ||
		    file_read_at(dirfd(dir), entry->d_name, CONTENT_MAX, &text, NULL))
			continue;
		content = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		if (content)
			fn(arg, content);
	}
	return 0;
}

void job_state_remove(struct job_state *state)
{
	if (state->id)
		remove_files(state->id);
	job_state_close(state);
}

void job_state_close(struct job_state *state)
{
	if (state->progress)
		munmap(state->progress, sizeof(*state->progress));
	cleanup_fd(&state->fd);
	free(state->id);
	*state = (struct job_state)JOB_STATE_NONE;
}
