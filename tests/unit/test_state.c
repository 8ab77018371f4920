// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * state: job ids, the lock, and the files from which a job is found again after its controller
 * died.
 *
 * The files have fixed places below /run, so the process first takes a mount namespace of its own
 * with an empty tmpfs there: nothing of the machine is seen or touched. An ordinary user needs a
 * user namespace for that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "daemon/report.h"
#include "job/state.h"

#define JOBS STATE_ROOT "/jobs"

/* --- a /run of our own ------------------------------------------------------------------------ */

/* Root of a user namespace in which nobody else has a name. */
static int become_root(uid_t uid, gid_t gid)
{
	char uid_map[32], gid_map[32];

	snprintf(uid_map, sizeof(uid_map), "0 %u 1", uid);
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", gid);
	return file_write_at(AT_FDCWD, "/proc/self/uid_map", uid_map) ||
	       file_write_at(AT_FDCWD, "/proc/self/setgroups", "deny") ||
	       file_write_at(AT_FDCWD, "/proc/self/gid_map", gid_map);
}

static int enter_namespaces(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (!uid)
		return unshare(CLONE_NEWNS);
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) || become_root(uid, gid);
}

static int setup_group(void **state)
{
	(void)state;
	if (enter_namespaces() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		fprintf(stderr, "test_state: no mount namespace: %s; run it as root\n",
			strerror(errno));
		return -1;
	}
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
}

static int teardown(void **state)
{
	(void)state;
	return umount2("/run", MNT_DETACH);
}

static int must_lock(void)
{
	struct error err = { 0 };
	int fd = state_lock(&err);

	if (fd < 0)
		fail_msg("%s", err.text);
	return fd;
}

/* Makes the folders as well. */
static void must_create_with(const char *id, const json_t *content, struct job_state *ret_state)
{
	_cleanup_fd_ int lock = must_lock();
	struct error err = { 0 };
	_cleanup_fd_ int policy = state_make_policy("{}", &err);

	assert_non_null(content);
	if (policy < 0 || job_state_create(id, content, policy, &err, ret_state))
		fail_msg("%s", err.text);
}

static void must_create(const char *id, int number, struct job_state *ret_state)
{
	json_auto_t *content = json_pack("{s:s, s:i}", "id", id, "number", number);

	must_create_with(id, content, ret_state);
}

static void write_file(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int adopt(struct job_state *ret_state, json_t **ret_content)
{
	struct error err = { 0 };
	int r = job_state_adopt(&err, ret_state, ret_content);

	if (r < 0)
		fail_msg("%s", err.text);
	return r;
}

static void assert_no_orphan(void)
{
	struct job_state orphan = JOB_STATE_NONE;
	json_t *content = NULL;

	assert_int_equal(adopt(&orphan, &content), 0);
	assert_int_equal(orphan.fd, -1);
	assert_null(orphan.id);
	assert_null(content);
}

/* --- ids -------------------------------------------------------------------------------------- */

static void test_valid_ids(void **state)
{
	static const char *const ids[] = {
		"a",    "7",     "_", "-", "job-1", "digits-train-0a1b2c3d", "Slurm_4711.batch",
		"a..b", "--help"
	};
	char longest[JOB_ID_MAX + 1] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(job_id_check(ids[i], NULL), 0);
	memset(longest, 'x', JOB_ID_MAX);
	assert_int_equal(job_id_check(longest, NULL), 0);
}

/* Each could leave the folder, hide in it, or break a line of the log. */
static void test_invalid_ids(void **state)
{
	static const char *const ids[] = { "",      ".",     "..",  ".hidden", "a/b",
					   "/",     "../x",  "a b", "a\n",     "a\tb",
					   "a\"b",  "a\\b",  "a:b", "a%s",     "\xc3\xa9",
					   "a\x7f", "a\x01", "*",   "~",       "$x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct error err = { 0 };

		assert_int_equal(job_id_check(ids[i], &err), -EINVAL);
		assert_int_equal(err.code, -EINVAL);
		assert_non_null(strstr(err.text, "job id \""));
	}
}

static void test_too_long_an_id(void **state)
{
	char id[JOB_ID_MAX + 2] = { 0 };
	struct error err = { 0 };

	(void)state;
	memset(id, 'x', JOB_ID_MAX + 1);
	assert_int_equal(job_id_check(id, &err), -EINVAL);
	assert_non_null(strstr(err.text, "1 to 64 characters"));
}

/* --- the lock --------------------------------------------------------------------------------- */

static void test_lock_excludes(void **state)
{
	int held = must_lock();
	_cleanup_fd_ int other = open(STATE_ROOT "/lock", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_true(other >= 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(held);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
}

static void test_lock_is_not_inherited(void **state)
{
	_cleanup_fd_ int fd = must_lock();

	(void)state;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_jobs_are_private(void **state)
{
	_cleanup_fd_ int fd = must_lock();
	struct stat st;

	(void)state;
	assert_int_equal(stat(JOBS, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(STATE_ROOT "/lock", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_lock_follows_no_symlink(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(mkdir(STATE_ROOT, 0755), 0);
	assert_int_equal(symlink("/run/elsewhere", STATE_ROOT "/lock"), 0);
	assert_int_equal(state_lock(&err), -ELOOP);
	assert_int_equal(access("/run/elsewhere", F_OK), -1);
}

static void test_no_folder_can_be_made(void **state)
{
	struct error err = { 0 };

	(void)state;
	write_file(STATE_ROOT, "a file where the folder should be");
	assert_int_equal(state_lock(&err), -ENOTDIR);
	assert_non_null(strstr(err.text, STATE_ROOT));
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void test_nothing_there(void **state)
{
	(void)state;
	assert_int_equal(job_state_any(), 0);
	close(must_lock());
	assert_int_equal(job_state_any(), 0);
	assert_no_orphan();
}

static void test_create_and_remove(void **state)
{
	struct job_state job;
	struct stat st;

	(void)state;
	must_create("j1", 1, &job);
	assert_string_equal(job.id, "j1");
	assert_true(fcntl(job.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(job.progress->now.sequence, 0);
	assert_int_equal(stat(JOBS "/j1.json", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(job_state_any(), 1);

	job_state_remove(&job);
	assert_int_equal(job.fd, -1);
	assert_null(job.id);
	assert_null(job.progress);
	assert_int_equal(job_state_any(), 0);
	assert_int_equal(rmdir(JOBS), 0); /* empty: the progress file is gone too */
}

static void test_an_id_is_taken_once(void **state)
{
	struct job_state job, second = JOB_STATE_NONE;
	json_t *content = json_object();
	struct error err = { 0 };
	int policy;

	(void)state;
	must_create("j1", 1, &job);
	job.progress->now.sequence = 5;
	policy = state_make_policy("{}", &err);
	assert_int_equal(job_state_create("j1", content, policy, &err, &second), -EEXIST);
	close(policy);
	assert_non_null(strstr(err.text, "\"j1\""));
	assert_int_equal(second.fd, -1);
	assert_null(second.id);
	assert_int_equal(job.progress->now.sequence, 5);
	assert_int_equal(job_state_any(), 1);
	json_decref(content);
	job_state_remove(&job);
}

static void test_a_held_job_is_no_orphan(void **state)
{
	struct job_state job;

	(void)state;
	must_create("j1", 1, &job);
	assert_no_orphan();
	assert_int_equal(job_state_any(), 1);
	job_state_remove(&job);
}

static void test_an_orphan_is_adopted_as_it_was(void **state)
{
	struct job_state job, orphan = JOB_STATE_NONE;
	json_t *content = NULL;

	(void)state;
	must_create("j1", 42, &job);
	*job.progress = (struct job_progress){
		.now = { .sequence = 11, .delivered = 9, .malformed = 1, .ring_position = 8 },
		.write_failures = 2,
	};
	job_state_close(&job);

	assert_int_equal(adopt(&orphan, &content), 1);
	assert_string_equal(orphan.id, "j1");
	assert_string_equal(json_string_value(json_object_get(content, "id")), "j1");
	assert_int_equal(json_integer_value(json_object_get(content, "number")), 42);
	assert_int_equal(orphan.progress->now.sequence, 11);
	assert_int_equal(orphan.progress->now.delivered, 9);
	assert_int_equal(orphan.progress->now.malformed, 1);
	assert_int_equal(orphan.progress->write_failures, 2);
	assert_int_equal(orphan.progress->now.ring_position, 8);
	assert_no_orphan(); /* it is held now */
	json_decref(content);
	job_state_remove(&orphan);
	assert_int_equal(job_state_any(), 0);
}

static void must_put(struct job_state *job, enum job_policy which, const char *text)
{
	struct error err = { 0 };
	_cleanup_fd_ int policy = state_make_policy(text, &err);

	if (policy < 0 || job_state_put_policy(job, which, policy, &err))
		fail_msg("%s", err.text);
}

static void assert_policy(const struct job_state *job, enum job_policy which, const char *text)
{
	_cleanup_free_ char *found = NULL;

	assert_int_equal(job_state_get_policy(job, which, NULL, &found), 0);
	assert_string_equal(found, text);
}

/* Whoever adopts the job in between finds both; and what a failed replacement left is no obstacle. */
static void test_a_policy_is_replaced(void **state)
{
	_cleanup_free_ char *none = NULL;
	struct job_state job;

	(void)state;
	must_create("j1", 1, &job);
	assert_policy(&job, JOB_POLICY, "{}");
	assert_int_equal(job_state_get_policy(&job, JOB_POLICY_NEXT, NULL, &none), -ENOENT);
	must_put(&job, JOB_POLICY_NEXT, "{\"a\":0}");
	must_put(&job, JOB_POLICY_NEXT, "{\"a\":1}");
	assert_policy(&job, JOB_POLICY, "{}");
	assert_policy(&job, JOB_POLICY_NEXT, "{\"a\":1}");
	assert_int_equal(job_state_settle_policy(&job, NULL), 0);
	assert_policy(&job, JOB_POLICY, "{\"a\":1}");
	assert_int_equal(job_state_get_policy(&job, JOB_POLICY_NEXT, NULL, &none), -ENOENT);
	job_state_remove(&job);
	assert_int_equal(rmdir(JOBS), 0);
}

/* It outlives who put it there, and no second one takes its place. */
static void test_a_self_test_is_kept(void **state)
{
	json_auto_t *self_test = json_pack("{s:b, s:[s]}", "passed", 1, "attempts", "\xc3\xa9");
	json_auto_t *found = NULL;
	json_t *content = NULL;
	struct job_state job, orphan = JOB_STATE_NONE;

	(void)state;
	must_create("j1", 1, &job);
	assert_null(job_state_get_self_test(&job));
	assert_int_equal(job_state_put_self_test(&job, self_test, NULL), 0);
	assert_int_equal(job_state_put_self_test(&job, self_test, NULL), -EEXIST);
	job_state_close(&job);
	assert_int_equal(adopt(&orphan, &content), 1);
	found = job_state_get_self_test(&orphan);
	assert_true(json_equal(found, self_test));
	json_decref(content);
	job_state_remove(&orphan);
	assert_int_equal(rmdir(JOBS), 0);
}

static void test_a_damaged_self_test_is_none(void **state)
{
	struct job_state job;

	(void)state;
	must_create("j1", 1, &job);
	write_file(JOBS "/j1.self-test", "{\"passed\": tr");
	assert_null(job_state_get_self_test(&job));
	job_state_remove(&job);
	assert_int_equal(rmdir(JOBS), 0);
}

static void test_content_is_replaced(void **state)
{
	struct job_state job, orphan = JOB_STATE_NONE;
	json_t *content = json_pack("{s:i}", "number", 2), *found = NULL;

	(void)state;
	must_create("j1", 1, &job);
	assert_int_equal(job_state_update(&job, content, NULL), 0);
	assert_true(fcntl(job.fd, F_GETFD) & FD_CLOEXEC);
	assert_no_orphan();
	job_state_close(&job);
	assert_int_equal(adopt(&orphan, &found), 1);
	assert_int_equal(json_integer_value(json_object_get(found, "number")), 2);
	json_decref(found);
	json_decref(content);
	job_state_remove(&orphan);
	assert_int_equal(rmdir(JOBS), 0);
}

static void add_number(void *arg, const json_t *content)
{
	*(json_int_t *)arg += json_integer_value(json_object_get(content, "number"));
}

static void test_each_sees_held_jobs_too(void **state)
{
	struct job_state held, orphan;
	json_int_t sum = 0;

	(void)state;
	must_create("held", 1, &held);
	must_create("orphan", 2, &orphan);
	job_state_close(&orphan);
	assert_int_equal(job_state_each(add_number, &sum), 0);
	assert_int_equal(sum, 3);
	job_state_remove(&held);
}

/* A controller was killed while it made a job's files, or removed them. */
static void test_files_without_a_job_are_removed(void **state)
{
	static const char *const names[] = { JOBS "/j1.policy", JOBS "/j1.policy-next",
					     JOBS "/j1.progress", JOBS "/j1.self-test",
					     JOBS "/j1.update" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		close(must_lock());
		write_file(names[i], "{}");
		assert_no_orphan();
		assert_int_equal(rmdir(JOBS), 0);
	}
}

static void test_every_orphan_is_found_once(void **state)
{
	static const char *const ids[] = { "a", "b.json", "c.progress", "d", "e.self-test" };
	struct job_state orphans[ARRAY_SIZE(ids)];
	json_int_t sum = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct job_state job;

		must_create(ids[i], 1 << i, &job);
		job_state_close(&job);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		json_t *content = NULL;

		assert_int_equal(adopt(&orphans[i], &content), 1);
		sum += json_integer_value(json_object_get(content, "number"));
		json_decref(content);
	}
	assert_int_equal(sum, (1 << ARRAY_SIZE(ids)) - 1);
	assert_no_orphan();
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		job_state_remove(&orphans[i]);
	assert_int_equal(job_state_any(), 0);
}

static void assert_unreadable(void)
{
	struct job_state orphan = JOB_STATE_NONE;
	json_t *content = NULL;

	assert_int_equal(job_state_adopt(NULL, &orphan, &content), -EBADMSG);
	assert_int_equal(orphan.fd, -1);
	assert_null(content);
}

/* It may be the file of a running job that somebody damaged: never a reason to forget the job. */
static void test_an_unreadable_file_is_left(void **state)
{
	static const char *const texts[] = { "", "{", "{\"id\": \"j1\"", "{\"id\": 1, \"id\": 2}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		close(must_lock());
		write_file(JOBS "/j1.json", texts[i]);
		assert_unreadable();
		assert_int_equal(job_state_any(), 1);
		assert_int_equal(unlink(JOBS "/j1.json"), 0);
		assert_int_equal(rmdir(JOBS), 0);
	}
}

static void test_an_unreadable_file_hides_no_orphan(void **state)
{
	struct job_state job, orphan = JOB_STATE_NONE;
	json_t *content = NULL;

	(void)state;
	must_create("m", 1, &job);
	job_state_close(&job);
	write_file(JOBS "/a.json", "{");
	write_file(JOBS "/z.json", "{");
	assert_int_equal(adopt(&orphan, &content), 1);
	assert_string_equal(orphan.id, "m");
	json_decref(content);
	assert_unreadable();
	job_state_remove(&orphan);
	assert_int_equal(unlink(JOBS "/a.json"), 0);
	assert_int_equal(unlink(JOBS "/z.json"), 0);
	assert_int_equal(rmdir(JOBS), 0);
}

static void test_other_files_are_left_alone(void **state)
{
	static const char *const names[] = { JOBS "/README", JOBS "/.json", JOBS "/.x.json",
					     JOBS "/x.json.bak" };

	(void)state;
	close(must_lock());
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		write_file(names[i], "{}");
	assert_int_equal(job_state_any(), 0);
	assert_no_orphan();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(access(names[i], F_OK), 0);
}

/* The controller that is killed loses nothing that it had counted: the mapping is the file. */
/* What `jobcage jobs` says to root where the controller is another's: a terminal survives it. */
static void test_report_is_plain(void **state)
{
	_cleanup_(job_state_close) struct job_state job = JOB_STATE_NONE;
	json_auto_t *content = json_pack("{s:s, s:s, s:{s:s}, s:s, s:I, s:[]}", "id", "j1", "command",
					 "sh \x1b[2J\xe2\x80\xae", "cgroup", "hex", "2f61ff", "user",
					 "alice", "pid", (json_int_t)812, "policy");
	json_auto_t *jobs = json_array();
	const json_t *shown;

	(void)state;
	must_create_with("j1", content, &job);
	assert_int_equal(report_others(NULL, jobs), 0);
	assert_int_equal(json_array_size(jobs), 1);
	shown = json_array_get(jobs, 0);
	assert_string_equal(json_string_value(json_object_get(shown, "command")),
			    "sh \\x1b[2J\\xe2\\x80\\xae");
	assert_string_equal(json_string_value(json_object_get(shown, "cgroup")), "/a\\xff");
	assert_string_equal(json_string_value(json_object_get(shown, "user")), "alice");
	assert_int_equal(json_integer_value(json_object_get(shown, "pid")), 812);
	assert_null(json_object_get(shown, "policy")); /* of another build: not as this one has it */
}

/* By who does not look after the job: its holder sees what is written, and still holds it. */
static void test_look(void **state)
{
	_cleanup_(job_state_close) struct job_state seen = JOB_STATE_NONE, taken = JOB_STATE_NONE;
	json_auto_t *content = NULL;
	struct job_state job;

	(void)state;
	must_create("j1", 1, &job);
	assert_int_equal(job_state_look("j1", NULL, &seen), 0);
	assert_string_equal(seen.id, "j1");
	seen.progress->end_cause = END_BY_KILL;
	assert_int_equal(job.progress->end_cause, END_BY_KILL);
	job_state_close(&seen);
	assert_int_equal(job_state_adopt(NULL, &taken, &content), 0);
	job_state_remove(&job);
}

static void test_progress_is_shared(void **state)
{
	struct job_progress in_file;
	_cleanup_fd_ int fd = -1;
	struct job_state job;

	(void)state;
	must_create("j1", 1, &job);
	job.progress->now.delivered = 77;
	fd = open(JOBS "/j1.progress", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, &in_file, sizeof(in_file)), sizeof(in_file));
	assert_int_equal(in_file.now.delivered, 77);
	job_state_remove(&job);
}

#define IN_OWN_RUN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_ids),
		cmocka_unit_test(test_invalid_ids),
		cmocka_unit_test(test_too_long_an_id),
		IN_OWN_RUN(test_lock_excludes),
		IN_OWN_RUN(test_lock_is_not_inherited),
		IN_OWN_RUN(test_jobs_are_private),
		IN_OWN_RUN(test_lock_follows_no_symlink),
		IN_OWN_RUN(test_no_folder_can_be_made),
		IN_OWN_RUN(test_nothing_there),
		IN_OWN_RUN(test_create_and_remove),
		IN_OWN_RUN(test_an_id_is_taken_once),
		IN_OWN_RUN(test_a_held_job_is_no_orphan),
		IN_OWN_RUN(test_an_orphan_is_adopted_as_it_was),
		IN_OWN_RUN(test_a_policy_is_replaced),
		IN_OWN_RUN(test_a_self_test_is_kept),
		IN_OWN_RUN(test_a_damaged_self_test_is_none),
		IN_OWN_RUN(test_content_is_replaced),
		IN_OWN_RUN(test_each_sees_held_jobs_too),
		IN_OWN_RUN(test_files_without_a_job_are_removed),
		IN_OWN_RUN(test_every_orphan_is_found_once),
		IN_OWN_RUN(test_an_unreadable_file_is_left),
		IN_OWN_RUN(test_an_unreadable_file_hides_no_orphan),
		IN_OWN_RUN(test_other_files_are_left_alone),
		IN_OWN_RUN(test_report_is_plain),
		IN_OWN_RUN(test_look),
		IN_OWN_RUN(test_progress_is_shared),
	};

	return cmocka_run_group_tests_name("state", tests, setup_group, NULL);
}
