/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A job from its first trace to its last: made in an order in which every step can be undone by
 * whoever comes next.
 *
 * job_create(): state file, ring, rules, job in force, cgroup with its programs. job_admit(): the
 * first process, which has not run the command yet, gets its label and is moved in; or, for a
 * cgroup that exists, all that is in it gets the label. job_replace(): other rules, without a gap.
 * job_end() undoes all of it, from any point.
 */
#ifndef JOBCAGE_JOB_LIFECYCLE_H
#define JOBCAGE_JOB_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "job/cgroup.h"
#include "job/ruleset.h"
#include "job/state.h"

/* Descriptors that a job may inherit, at most. */
#define INHERIT_MAX 32

/* Bytes of a command line that the record keeps, with the NUL: every event has it. */
#define JOB_COMMAND_MAX 4096

/* What is asked for. Borrowed, but for the places. */
struct job_request {
	const char *id;
	struct places *places; /* of the policy; job_create() takes them over */
	const char *source;    /* the policy's file, for reload; NULL: there is none */
	const char *command;   /* for people */
	const json_t *origin;  /* see origin.h; NULL: nothing is known */
	const char *user;      /* who the command runs as */
	uid_t uid;
	gid_t gid;                /* for a monitor: of that user, whose the directories are that it makes */
	uid_t asked_by;
	gid_t asked_by_gid;       /* unless asked by root */
	pid_t pid;                /* the process that becomes the job; 0: attach */
	int pidfd;                /* of the same */
	const char *cgroup;       /* attach: the cgroup that becomes the job; else NULL */
	int scratch_fd;           /* on the job's own superblock, or -1 */
	const char *alerts;       /* absolute path, or "-" */
	bool is_told;             /* what is denied first is said on its standard error */
	const struct site *site;  /* whose sinks a monitor serves; NULL: none */
	int inherit[INHERIT_MAX]; /* descriptors the job keeps */
	size_t inherit_cnt;       /* 0: it is not known which, so all that are open */
};

struct job {
	struct rulesets *rulesets; /* borrowed */
	struct ruleset *rules;     /* a reference of its own */
	char *id, *command, *user, *alerts, *source;
	json_t *origin; /* see origin.h; NULL: nothing is known */
	uid_t uid, asked_by;
	pid_t pid;
	uint64_t start_ms;      /* Unix time */
	uint64_t start_boot_ms; /* CLOCK_BOOTTIME */
	bool is_adopted;
	bool is_attached; /* the cgroup is somebody else's: job_end() leaves it, and what is in it */
	struct job_label label;
	__u32 next_policy_slot; /* of a replacement under way; POLICY_SLOTS: none */
	int scratch_fd;         /* holds the superblock; -1: none */
	char *cgroup_path;
	struct cgroup cgroup; /* fd -1 if it does not exist (any more) */
	struct job_state state;
};

/*
 * The caller holds the state lock. Returns 0 and a job (job_free), or -errno with nothing left
 * behind.
 */
int job_create(struct rulesets *rulesets, const struct job_request *request, struct error *err,
	       struct job **ret_job);

/*
 * Puts request->pid, or what is in the cgroup, under the policy, unless a descriptor it will keep
 * would be a way round it. Returns 0 or -errno.
 */
int job_admit(struct job *job, const struct job_request *request, struct error *err);

/*
 * Labels what is in the job's cgroup without a label, until nothing is. *ret_cnt: how many there
 * were. The caller holds the state lock. Returns 0 or -errno.
 */
int job_label_cgroup_members(struct job *job, struct error *err, size_t *ret_cnt);

/*
 * Does the limit on processes that its policy sets hold the job, if it has one and runs? And sets
 * it; the caller holds the state lock. Returns 0 or -errno.
 */
bool job_is_limited(const struct job *job);
int job_limit_processes(struct job *job, struct error *err);

/*
 * Puts the job under other rules (the reference is taken over if it succeeds) with one store; until
 * then the old ones hold. *ret_old: the rules that held before, whose records may still be in the
 * ring; ruleset_put() them. The caller holds the state lock. Returns 0, or -errno and nothing has
 * changed.
 */
int job_replace(struct job *job, struct ruleset *rules, struct error *err,
		struct ruleset **ret_old);

/* After ruleset_refresh(): puts the job under the rule set's new slot. Returns 0 or -errno. */
int job_refresh(struct job *job, struct error *err);

/*
 * Takes over a job from its state file, of which job_state_adopt() gave state and content. The
 * caller holds the state lock. Returns 0, the job (job_free) and with it state; or -errno, and state
 * is still the caller's.
 */
int job_adopt(struct rulesets *rulesets, struct job_state *state, const json_t *content,
	      struct error *err, struct job **ret_job);

/*
 * A job that somebody else looks after, from the content of its state file: for job_kill(). The
 * caller holds the state lock. Returns 0 and the job (job_free), or -errno.
 */
int job_look(struct rulesets *rulesets, const json_t *content, struct error *err,
	     struct job **ret_job);

/*
 * Kills all that is in the job's cgroup, and all that carries its label; the first cause stays. Its
 * end is noticed like any other. Returns 0 or -errno.
 */
int job_kill(struct job *job, enum end_cause cause);

/*
 * Of a job that is over, or does not come to run: a cgroup that was attached is the job's no more, and who
 * came into it meanwhile is let go.
 */
void job_let_cgroup_go(struct job *job);

/* Kills what is left of the job and removes its cgroup, unless that was attached. Returns 0 or -errno. */
int job_leave_cgroup(struct job *job, struct error *err);

/*
 * Leaves the cgroup and removes the job from the kernel; from a cgroup that was attached, only the
 * programs are taken. The ring must have been drained. The caller holds the state lock. Returns 0,
 * or -errno if the cgroup cannot be removed yet: the job stays, to be ended later.
 */
int job_end(struct job *job, struct error *err);

/* An empty one, of which nothing exists yet; NULL without memory. */
struct job *job_new(struct rulesets *rulesets);

/* Frees the memory; the job itself goes on. */
void job_free(struct job *job);

#endif
