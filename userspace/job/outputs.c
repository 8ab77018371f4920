// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Directories that a policy has made; see outputs.h.
 *
 * One that root makes has mode 0 until it is its user's: where the maker is killed half-way, it is
 * seen by that, and no job starts with a directory of root's for its output.
 */
#include "job/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/path.h"

#define OUTPUT_MODE 0700

/* How long another start may take from mkdir() to its user's directory: between two system calls. */
#define HALF_MADE_TRIES 50
#define HALF_MADE_PAUSE_NS 10000000

struct output {
	const struct rule *rule;
	dev_t dev;
	ino_t ino;
	bool is_shared; /* another start has found it: it is not for this one to remove */
	bool is_going;  /* being removed */
	struct output *next;
	struct output *next_under_way;
};

struct outputs {
	struct policy *policy; /* a reference of its own */
	bool is_own;           /* by the maker's own rights */
	struct output_owner owner;
	bool has_owner;
	struct output *first;
};

/* What starts that are under way have made, in all threads. */
static pthread_mutex_t under_way_lock = PTHREAD_MUTEX_INITIALIZER;
static struct output *under_way;

static int fail(const struct rule *rule, int code, struct error *err, const char *why)
{
	return error_set(err, code, "%s:%u:%u: rule \"%s\": cannot make %s: %s", rule->origin.file,
			 rule->origin.line, rule->origin.column, rule->id, rule->path, why);
}

static int fail_errno(const struct rule *rule, int code, struct error *err)
{
	return fail(rule, code, err, strerror(-code));
}

/* --- the way to it ---------------------------------------------------------------------------- */

struct way {
	int fd; /* the directory that it has come to, O_PATH */
	struct path_rest rest;
};

static int open_root(void)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The link's text takes its place on the way. */
static int follow(struct way *way, int link)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof(text) - 1);
	int r;

	if (n < 0)
		return -errno;
	text[n] = '\0';
	r = path_follow(&way->rest, text);
	if (r || *text != '/')
		return r;
	close(way->fd);
	way->fd = open_root();
	return way->fd < 0 ? way->fd : 0;
}

/* Could anybody but root put another thing in the place of what is in this directory, or of this link? */
static const char *why_untrusted(const struct stat *st)
{
	if (st->st_uid)
		return "is not root's";
	if (S_ISDIR(st->st_mode) && st->st_mode & (S_IWGRP | S_IWOTH) && !(st->st_mode & S_ISVTX))
		return "may be written by others";
	return NULL;
}

static int check_trust(const struct rule *rule, int fd, const char *name, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	const char *why;
	struct stat st;

	if (fstat(fd, &st))
		return fail_errno(rule, -errno, err);
	why = why_untrusted(&st);
	if (!why)
		return 0;
	if (asprintf(&text,
		     "\"%s\" on the way to it %s, so root makes nothing there for a job: make it before "
		     "the job starts, or where only root can rename",
		     name, why) < 0)
		text = NULL;
	return fail(rule, -EPERM, err, text ?: why);
}

/* O_DIRECTORY first, so that a file system that is mounted when it is asked for is there. */
static int open_word(const struct way *way, const char *word)
{
	int fd = openat(way->fd, word, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOTDIR)
		fd = openat(way->fd, word, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int step(struct way *way, const struct rule *rule, const char *word, struct error *err)
{
	_cleanup_fd_ int fd = open_word(way, word);
	struct stat st;
	int r;

	if (fd < 0)
		return fail(rule, fd, err,
			    fd == -ENOENT ? "the directory that it is to be in does not exist"
					  : strerror(-fd));
	r = check_trust(rule, fd, word, err);
	if (r)
		return r;
	if (fstat(fd, &st))
		return fail_errno(rule, -errno, err);
	if (S_ISLNK(st.st_mode)) {
		r = follow(way, fd);
		return r ? fail_errno(rule, r, err) : 0;
	}
	if (!S_ISDIR(st.st_mode))
		return fail_errno(rule, -ENOTDIR, err);
	close(way->fd);
	way->fd = TAKE_FD(fd);
	return 0;
}

/* To the directory that it is to be in, where nobody but root can lead the way elsewhere. */
static int walk(const struct rule *rule, const char *parent, struct error *err)
{
	struct way way = { .fd = open_root() };
	char word[NAME_MAX + 1];
	int r, len;

	if (way.fd < 0)
		return fail_errno(rule, way.fd, err);
	snprintf(way.rest.text, sizeof(way.rest.text), "%s", parent);
	r = check_trust(rule, way.fd, "/", err);
	while (!r && (len = path_next_word(&way.rest, word, sizeof(word))))
		r = len < 0 ? fail_errno(rule, len, err) : step(&way, rule, word, err);
	if (!r)
		return way.fd;
	cleanup_fd(&way.fd);
	return r;
}

static const char *name_of(const struct rule *rule)
{
	return strrchr(rule->path, '/') + 1;
}

/* Returns the directory that it is to be in, O_PATH, or -errno. */
static int open_parent(const struct outputs *outputs, const struct rule *rule, struct error *err)
{
	char parent[PATH_MAX];
	int fd;

	snprintf(parent, sizeof(parent), "%.*s", (int)(name_of(rule) - rule->path), rule->path);
	if (!outputs->is_own)
		return walk(rule, parent, err);
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail_errno(rule, -errno, err) : fd;
}

/* --- what is there ---------------------------------------------------------------------------- */

/* Whoever made it may remove it no more: this start needs it, too. -EAGAIN: too late. */
static int share(const struct stat *st)
{
	int r = 0;

	pthread_mutex_lock(&under_way_lock);
	for (struct output *output = under_way; output; output = output->next_under_way)
		if (output->dev == st->st_dev && output->ino == st->st_ino) {
			output->is_shared = true;
			r = output->is_going ? -EAGAIN : 0;
		}
	pthread_mutex_unlock(&under_way_lock);
	return r;
}

static int check_existing(const struct rule *rule, const struct stat *st, struct error *err)
{
	if (S_ISLNK(st->st_mode))
		return fail(rule, -ELOOP, err,
			    "there is a symbolic link; name the place that is meant");
	if (!S_ISDIR(st->st_mode))
		return fail(rule, -ENOTDIR, err, "there is something else than a directory");
	if (!(st->st_mode & 07777))
		return fail(rule, -EBUSY, err,
			    "a directory of mode 0 is there, as a start leaves it that was killed while "
			    "it made it; remove it");
	if (share(st))
		return fail(rule, -EAGAIN, err,
			    "another start that failed is removing it; run it again");
	return 0;
}

/* Returns 0 or -errno; what another start is about to make is waited for. */
static int look(const struct rule *rule, struct stat *ret_st)
{
	const struct timespec pause = { .tv_nsec = HALF_MADE_PAUSE_NS };

	for (int i = 0; i < HALF_MADE_TRIES; i++) {
		if (lstat(rule->path, ret_st))
			return -errno;
		if (!S_ISDIR(ret_st->st_mode) || ret_st->st_mode & 07777)
			return 0;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* --- made ------------------------------------------------------------------------------------- */

static void note(struct outputs *outputs, struct output *output, const struct stat *st)
{
	output->dev = st->st_dev;
	output->ino = st->st_ino;
	output->next = outputs->first;
	outputs->first = output;
	pthread_mutex_lock(&under_way_lock);
	output->next_under_way = under_way;
	under_way = output;
	pthread_mutex_unlock(&under_way_lock);
}

static int give(const struct outputs *outputs, int fd, const struct stat *st)
{
	bool is_theirs = st->st_uid == outputs->owner.uid && st->st_gid == outputs->owner.gid;

	if (!is_theirs && fchown(fd, outputs->owner.uid, outputs->owner.gid))
		return -errno;
	return fchmod(fd, OUTPUT_MODE) ? -errno : 0;
}

/* What mkdir() has just made, and nothing that was put in its place. */
static int open_made(int parent, const char *name, struct stat *ret_st)
{
	_cleanup_fd_ int fd =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, ret_st))
		return -errno;
	return ret_st->st_uid == geteuid() ? TAKE_FD(fd) : -ESTALE;
}

/* Its mode last: until then nobody takes it for made. What fails half-way is removed with the rest. */
static int take_over(struct outputs *outputs, struct output *output, int parent)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	fd = open_made(parent, name_of(output->rule), &st);
	if (fd < 0) {
		unlinkat(parent, name_of(output->rule), AT_REMOVEDIR);
		free(output);
		return fd;
	}
	note(outputs, output, &st);
	return give(outputs, fd, &st);
}

/* Returns 0; 1: somebody else was faster; or -errno. */
static int make_in(struct outputs *outputs, const struct rule *rule, int parent)
{
	struct output *output = calloc(1, sizeof(*output));
	int r;

	if (!output)
		return -ENOMEM;
	output->rule = rule;
	if (!mkdirat(parent, name_of(rule), outputs->is_own ? OUTPUT_MODE : 0))
		return take_over(outputs, output, parent);
	r = errno == EEXIST ? 1 : -errno;
	free(output);
	return r;
}

static int make_missing(struct outputs *outputs, const struct rule *rule, struct error *err)
{
	_cleanup_fd_ int parent = -1;
	struct stat st;
	int r;

	if (!outputs->has_owner)
		return fail(rule, -EINVAL, err,
			    "it does not exist, and nobody has said which user the job runs as (--user)");
	parent = open_parent(outputs, rule, err);
	if (parent < 0)
		return parent;
	r = make_in(outputs, rule, parent);
	if (r > 0)
		r = look(rule, &st) ?: check_existing(rule, &st, err);
	return r && !err->code ? fail_errno(rule, r, err) : r;
}

static int make_one(struct outputs *outputs, const struct rule *rule, struct error *err)
{
	struct stat st;
	int r = look(rule, &st);

	if (!r)
		return check_existing(rule, &st, err);
	return r == -ENOENT ? make_missing(outputs, rule, err) : fail_errno(rule, r, err);
}

static int make_all(struct policy *policy, const struct output_owner *owner, bool is_own,
		    struct error *err, struct outputs **ret_outputs)
{
	struct outputs *outputs = calloc(1, sizeof(*outputs));
	struct error own_err = { 0 };
	int r = 0;

	if (!outputs)
		return error_errno(err, -ENOMEM, "cannot make the policy's directories");
	outputs->policy = policy_hold(policy);
	outputs->is_own = is_own;
	outputs->has_owner = owner;
	if (owner)
		outputs->owner = *owner;
	for (size_t i = 0; !r && i < policy->rule_cnt; i++)
		if (policy->rules[i].is_created)
			r = make_one(outputs, &policy->rules[i], &own_err);
	if (!r) {
		*ret_outputs = outputs;
		return 0;
	}
	outputs_free(outputs);
	return error_set(err, r, "%s", own_err.text);
}

int outputs_make(struct policy *policy, const struct output_owner *owner, struct error *err,
		 struct outputs **ret_outputs)
{
	return make_all(policy, owner, false, err, ret_outputs);
}

int outputs_make_own(struct policy *policy, struct error *err, struct outputs **ret_outputs)
{
	const struct output_owner self = { geteuid(), getegid() };

	return make_all(policy, &self, true, err, ret_outputs);
}

/* --- the end of the start --------------------------------------------------------------------- */

static void forget(const struct output *output)
{
	struct output **at = &under_way;

	pthread_mutex_lock(&under_way_lock);
	while (*at != output)
		at = &(*at)->next_under_way;
	*at = output->next_under_way;
	pthread_mutex_unlock(&under_way_lock);
}

/* From now on no other start relies on it. False: one does. */
static bool claim_removal(struct output *output)
{
	pthread_mutex_lock(&under_way_lock);
	output->is_going = !output->is_shared;
	pthread_mutex_unlock(&under_way_lock);
	return output->is_going;
}

static void remove_one(const struct outputs *outputs, struct output *output)
{
	_cleanup_fd_ int parent = -1;
	struct error err = { 0 };
	struct stat st;

	if (!claim_removal(output))
		return;
	parent = open_parent(outputs, output->rule, &err);
	if (parent < 0 || fstatat(parent, name_of(output->rule), &st, AT_SYMLINK_NOFOLLOW) ||
	    st.st_dev != output->dev || st.st_ino != output->ino)
		return;
	unlinkat(parent, name_of(output->rule), AT_REMOVEDIR);
}

static struct output *take_first(struct outputs *outputs)
{
	struct output *output = outputs->first;

	outputs->first = output->next;
	return output;
}

void outputs_keep(struct outputs *outputs)
{
	while (outputs && outputs->first) {
		struct output *output = take_first(outputs);

		forget(output);
		free(output);
	}
}

/* The latest first: one may lie in another. */
void outputs_free(struct outputs *outputs)
{
	while (outputs && outputs->first) {
		struct output *output = take_first(outputs);

		remove_one(outputs, output);
		forget(output);
		free(output);
	}
	if (outputs)
		policy_free(outputs->policy);
	free(outputs);
}
