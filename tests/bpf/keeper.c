// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * keeper - makes jobs by the library's own functions, one order after the other.
 *
 * A controller does more than the kernel's side of a job: a state file, alerts, a launcher. Tests of that side alone
 * (membership, replacement, scratch, slots) would have to get past it, so here it is bare. Reads one order a line and
 * answers each with one line: "ok ..." or "error REASON". With the end of its input it ends its jobs and takes the
 * programs away. See tests/system/hooks/keeper.py for who asks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "alert/ocsf.h"
#include "base/cleanup.h"
#include "job/cgroup.h"
#include "kern/jobs.h"
#include "kern/publish.h"
#include "kern/ring.h"
#include "policy/policy.h"
#include "policy/site.h"

#define MANY 8 /* jobs, and policies */
#define NAME_MAX_LEN 32
#define WORDS 6
#define LINE_SIZE 4096

struct rules {
	char name[NAME_MAX_LEN];
	struct policy *policy;
	struct roots roots;
	__u32 slot;
};

struct kept_job {
	char name[NAME_MAX_LEN];
	struct job_label label;
	struct cgroup cgroup;
	struct ring *ring;
	size_t records;
};

static struct kern *kern;
static struct rules rules[MANY];
static struct kept_job jobs[MANY];
static struct error err;

static struct rules *find_rules(const char *name)
{
	for (size_t i = 0; i < MANY; i++)
		if (!strcmp(rules[i].name, name))
			return &rules[i];
	return NULL;
}

static struct kept_job *find_job(const char *name)
{
	for (size_t i = 0; i < MANY; i++)
		if (!strcmp(jobs[i].name, name))
			return &jobs[i];
	return NULL;
}

static int no_such(const char *kind, const char *name)
{
	return error_set(&err, -ENOENT, "no %s %s", kind, name);
}

/* --- policies ---------------------------------------------------------------------------------------------- */

static int say_diags(const struct diag_list *diags, int r)
{
	return error_set(&err, r, "%s", diags->cnt ? diags->items[0].text : strerror(-r));
}

static int publish(struct rules *into)
{
	static const char *const own[] = { KERN_PIN_ROOT, NULL };
	struct places *places = places_walk(into->policy, &err);
	int r = places ? policy_publish(kern, places, own, into->slot, &err, &into->roots) : -ENOMEM;

	places_free(places);
	return r;
}

/* policy NAME FILE SITE */
static int do_policy(char **argv)
{
	struct rules *into = find_rules("");
	struct diag_list diags = { 0 };
	struct site *site = NULL;
	int r;

	if (!into)
		return no_such("room for policy", argv[0]);
	r = site_load(argv[2], &diags, &site);
	if (!r)
		r = policy_load(argv[1], site, &diags, &into->policy);
	site_free(site);
	if (r)
		return say_diags(&diags, r);
	r = policy_choose_slot(kern, &err, &into->slot);
	if (!r)
		r = publish(into);
	if (r)
		return r;
	snprintf(into->name, sizeof(into->name), "%s", argv[0]);
	printf("ok %u\n", into->slot);
	return 0;
}

/* drop NAME */
static int do_drop(char **argv)
{
	struct rules *gone = find_rules(argv[0]);
	int r;

	if (!gone)
		return no_such("policy", argv[0]);
	if (policy_slot_in_use(kern, gone->slot))
		return error_set(&err, -EBUSY, "a job names the slot");
	r = policy_barrier(&err);
	if (r)
		return r;
	policy_withdraw(kern, gone->slot);
	roots_free(&gone->roots);
	policy_free(gone->policy);
	*gone = (struct rules){ 0 };
	puts("ok");
	return 0;
}

/* roots NAME: RULE NEWS OLD NOW ..., as far as they are known */
static int do_roots(char **argv)
{
	static const char *const news[] = { "", "replaced", "gone", "appeared", "remounted", "mount-below" };
	_cleanup_free_ struct root_change *changes = NULL;
	struct rules *looked_at = find_rules(argv[0]);
	struct places *places;
	size_t cnt;
	int r;

	if (!looked_at)
		return no_such("policy", argv[0]);
	places = places_walk(looked_at->policy, &err);
	r = places ? roots_check(kern, &looked_at->roots, places, &err, &changes, &cnt) : -ENOMEM;
	places_free(places);
	if (r)
		return r;
	printf("ok");
	for (size_t i = 0; i < cnt; i++)
		printf(" %s:%s:%d:%llu:%llu", policy_rule(looked_at->policy, changes[i].rule)->id,
		       news[changes[i].news], changes[i].is_read_only, changes[i].old.ino, changes[i].now.ino);
	puts("");
	return 0;
}

/* --- jobs -------------------------------------------------------------------------------------------------- */

static void on_record(void *arg, const void *data, size_t len)
{
	struct kept_job *job = arg;

	(void)data;
	(void)len;
	job->records++;
}

static int make_job(struct kept_job *job, const struct rules *under, const char *cgroup)
{
	int r = job_choose_slot(kern, &err, &job->label);

	if (!r)
		r = job_make_ring(kern, job->label, &err);
	if (!r)
		r = job_publish(kern, job->label, under->slot, 0, &err);
	if (!r)
		r = ring_open(kern, job->label, on_record, job, &err, &job->ring);
	if (!r)
		r = cgroup_open(cgroup, &err, &job->cgroup);
	if (!r)
		r = kern_attach_cgroup(kern, job->cgroup.fd, job->cgroup.id, job->label, &err);
	if (!r)
		r = job_label_cgroup(kern, job->cgroup.id, job->label, &err);
	return r;
}

/* job NAME POLICY CGROUP */
static int do_job(char **argv)
{
	struct rules *under = find_rules(argv[1]);
	struct kept_job *job = find_job("");
	int r;

	if (!under || !job)
		return no_such("policy, or room for job", argv[1]);
	*job = (struct kept_job){ .cgroup = CGROUP_NONE };
	r = make_job(job, under, argv[2]);
	if (r)
		return r;
	snprintf(job->name, sizeof(job->name), "%s", argv[0]);
	printf("ok %u\n", job->label.slot);
	return 0;
}

static void end_job(struct kept_job *job)
{
	ring_close(job->ring);
	job_forget_cgroup(kern, job->label);
	job_withdraw(kern, job->label);
	cgroup_close(&job->cgroup);
	*job = (struct kept_job){ 0 };
}

/* end NAME */
static int do_end(char **argv)
{
	struct kept_job *job = find_job(argv[0]);

	if (!job)
		return no_such("job", argv[0]);
	end_job(job);
	puts("ok");
	return 0;
}

/* admit NAME PID: as a launcher is */
static int do_admit(char **argv)
{
	struct kept_job *job = find_job(argv[0]);
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	int r;

	if (!job || pidfd < 0)
		return no_such("job or process", argv[1]);
	r = job_label_task(kern, pidfd, job->label, &err);
	if (!r)
		r = cgroup_enter(&job->cgroup, atoi(argv[1]), pidfd, &err);
	if (!r)
		puts("ok");
	return r;
}

/* whois PID */
static int do_whois(char **argv)
{
	_cleanup_fd_ int pidfd = syscall(SYS_pidfd_open, atoi(argv[0]), 0);
	struct job_label label;
	int r = pidfd < 0 ? -errno : job_of_pid(kern, pidfd, &label);

	if (r && r != -ENOENT)
		return error_errno(&err, r, "process %s", argv[0]);
	for (size_t i = 0; !r && i < MANY; i++)
		if (jobs[i].name[0] && !memcmp(&jobs[i].label, &label, sizeof(label))) {
			printf("ok %s\n", jobs[i].name);
			return 0;
		}
	puts(r ? "ok none" : "ok stale");
	return 0;
}

/* members NAME: how many of its cgroup were found without a label */
static int do_members(char **argv)
{
	struct kept_job *job = find_job(argv[0]);
	size_t cnt;
	int r;

	if (!job)
		return no_such("job", argv[0]);
	r = job_label_members(kern, job->label, &err, &cnt);
	if (!r)
		printf("ok %zu\n", cnt);
	return r;
}

/* scratch NAME PATH: the file system that PATH is on; "none" */
static int do_scratch(char **argv)
{
	struct kept_job *job = find_job(argv[0]);
	struct stat st = { 0 };
	int r;

	if (!job || (strcmp(argv[1], "none") && stat(argv[1], &st)))
		return no_such("job or path", argv[1]);
	r = job_set_scratch(kern, job->label, major(st.st_dev) << 20 | minor(st.st_dev), &err);
	if (!r)
		puts("ok");
	return r;
}

/* swap NAME POLICY POLICY TIMES: from one to the other and back, and stays with the second */
static int do_swap(char **argv)
{
	struct rules *to[2] = { find_rules(argv[1]), find_rules(argv[2]) };
	struct timespec pause = { .tv_nsec = 200 * 1000 };
	struct kept_job *job = find_job(argv[0]);
	int r = 0;

	if (!job || !to[0] || !to[1])
		return no_such("job or policy", argv[0]);
	for (int i = 0; !r && i < atoi(argv[3]); i++) {
		r = job_replace_policy(kern, job->label, to[i % 2]->slot, &err);
		nanosleep(&pause, NULL);
	}
	if (!r)
		r = job_replace_policy(kern, job->label, to[1]->slot, &err);
	if (!r)
		puts("ok");
	return r;
}

/* stats NAME: decisions, lost, and records that were read for it */
static int do_stats(char **argv)
{
	struct kept_job *job = find_job(argv[0]);
	struct job_stats stats;
	int r;

	if (!job)
		return no_such("job", argv[0]);
	ring_drain_to(job->ring, on_record, job);
	r = job_read_stats(kern, job->label, &stats);
	if (r)
		return error_errno(&err, r, "stats");
	printf("ok %llu %" PRIu64 " %zu\n", stats.sequence, alert_sum(stats.lost), job->records);
	return 0;
}

/* reset NAME */
static int do_reset(char **argv)
{
	struct kept_job *job = find_job(argv[0]);
	int r = job ? job_reset_stats(kern, job->label) : -ENOENT;

	if (r)
		return error_errno(&err, r, "reset");
	job->records = 0;
	puts("ok");
	return 0;
}

/* --- the kernel -------------------------------------------------------------------------------------------- */

/* kernel: entries that failed, acts denied because nothing was in force, whose programs */
static int do_kernel(char **argv)
{
	struct kernel_stats stats;
	int r = kern_read_stats(kern, &stats);

	(void)argv;
	if (r)
		return error_errno(&err, r, "kernel");
	printf("ok %llu %llu %s %s\n", stats.enter_failures, stats.not_in_force,
	       kern->is_other_build ? "other" : "own", kern->build.programs);
	return 0;
}

/* again: opens what is pinned, as a new controller would */
static int do_again(char **argv)
{
	struct kern *opened;
	int r = kern_open(&err, &opened);

	(void)argv;
	if (r)
		return r;
	kern_close(kern);
	kern = opened;
	puts("ok");
	return 0;
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

/* time POLICY TIMES: microseconds of a job's start and of its end, and of a grace period */
static int do_time(char **argv)
{
	struct rules *under = find_rules(argv[0]);
	double start = 0, end = 0, since;
	struct job_label label;
	int r = under ? 0 : -ENOENT, times = atoi(argv[1]);

	for (int i = 0; !r && i < times; i++) {
		since = now_us();
		r = job_choose_slot(kern, &err, &label);
		if (!r)
			r = job_make_ring(kern, label, &err);
		if (!r)
			r = job_publish(kern, label, under->slot, 0, &err);
		start += now_us() - since;
		since = now_us();
		job_withdraw(kern, label);
		end += now_us() - since;
	}
	since = now_us();
	if (!r)
		r = policy_barrier(&err);
	if (!r)
		printf("ok %.0f %.0f %.0f\n", start / times, end / times, now_us() - since);
	return r;
}

/* --- orders ------------------------------------------------------------------------------------------------ */

static const struct order {
	const char *name;
	int argc;
	int (*run)(char **argv);
} orders[] = {
	{ "policy", 3, do_policy },   { "drop", 1, do_drop },   { "roots", 1, do_roots }, { "job", 3, do_job },
	{ "end", 1, do_end },         { "admit", 2, do_admit }, { "whois", 1, do_whois }, { "members", 1, do_members },
	{ "scratch", 2, do_scratch }, { "swap", 4, do_swap },   { "stats", 1, do_stats }, { "reset", 1, do_reset },
	{ "kernel", 0, do_kernel },   { "again", 0, do_again }, { "time", 2, do_time },
};

static int obey(char *line)
{
	char *words[WORDS + 1] = { NULL }, *save;
	int cnt = 0;

	for (char *word = strtok_r(line, " \n", &save); word && cnt < WORDS; word = strtok_r(NULL, " \n", &save))
		words[cnt++] = word;
	for (size_t i = 0; cnt && i < ARRAY_SIZE(orders); i++)
		if (!strcmp(words[0], orders[i].name) && cnt == orders[i].argc + 1)
			return orders[i].run(words + 1);
	return error_set(&err, -EINVAL, "no such order");
}

static int leave(void)
{
	for (size_t i = 0; i < MANY; i++)
		if (jobs[i].name[0])
			end_job(&jobs[i]);
	kern_close(kern);
	return kern_remove(&err);
}

int main(void)
{
	static char line[LINE_SIZE];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (kern_open(&err, &kern)) {
		printf("error %s\n", err.text);
		return 1;
	}
	puts("ok");
	while (fgets(line, sizeof(line), stdin))
		if (obey(line))
			printf("error %s\n", err.text);
	if (!leave())
		return 0;
	fprintf(stderr, "keeper: %s\n", err.text);
	return 1;
}
