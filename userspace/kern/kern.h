/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel programs and their maps, as one thing that is in force or is not.
 *
 * Programs are loaded and attached once, and pinned under KERN_PIN_ROOT together with their maps,
 * so that enforcement outlives every process of ours. kern_open() finds what is pinned, by this
 * build or by another one of the same layout, or does it all; kern_remove() undoes it. The caller
 * holds the lock of job/state.h around both, because a half-made set of pins must never be seen by
 * a second controller.
 */
#ifndef JOBCAGE_KERN_KERN_H
#define JOBCAGE_KERN_KERN_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/tables.h"
#include "base/error.h"

#define KERN_BPFFS "/sys/fs/bpf"
#define KERN_PIN_ROOT KERN_BPFFS "/jobcage"

/* How LSM programs are attached. */
enum backend {
	BACKEND_LSM = 1,      /* BPF LSM: bpf is in the kernel's LSM list */
	BACKEND_FMOD_RET = 2, /* fmod_ret on the security_* functions: where it is not */
};

const char *backend_name(enum backend backend);

/* Maps that the controller reads or writes. */
enum kern_map {
	MAP_JOB_BY_TASK,
	MAP_JOB_BY_CGROUP,
	MAP_JOB_BY_ATTACH,
	MAP_TABLES,
	MAP_STATS_BY_JOB,
	MAP_RING_BY_JOB,
	MAP_ROOTS_BY_POLICY,
	MAP_NETS_BY_POLICY,
	MAP_PORTS_BY_POLICY,
	MAP_KERNEL_STATS,
	MAP_IDENTIFY_REQ,
	MAP_LABEL_REQ,
	MAP_KERNEL_BUILD,
	MAP_EVIDENCE_BY_GROUP,
	MAP_NAMES_BY_POLICY,
	MAP_DOMAINS_BY_POLICY,
	MAP_RESOLVERS_BY_POLICY,
	MAP_LEARNED_BY_JOB,
	MAP_BUDGET_BY_RULE,
	MAP_SPENT_BY_JOB,
	MAP_DESTINATION_BY_JOB,
	MAP_MARK_BY_SOCK,
	KERN_MAPS,
};

/* Programs that the controller attaches to a job's cgroup, or runs. */
enum kern_prog {
	PROG_CONNECT4,
	PROG_CONNECT6,
	PROG_SENDMSG4,
	PROG_SENDMSG6,
	PROG_SOCK_CREATE,
	PROG_PACKET_OUT,
	PROG_PACKET_IN,
	KERN_CGROUP_PROGS,
	PROG_IDENTIFY = KERN_CGROUP_PROGS,
	PROG_MEMBERS,
	PROG_LABEL,
	PROG_DNS_OUT, /* these two only where a policy has resolvers */
	PROG_DNS_IN,
	KERN_PROGS,
};

/* Whether both are of one job: a slot gets another generation with each. */
static inline bool job_label_equal(struct job_label a, struct job_label b)
{
	return a.slot == b.slot && a.generation == b.generation;
}

struct kern {
	enum backend backend;
	struct kernel_build build; /* whose programs are in force */
	bool is_other_build;       /* not this one's: they stay until no job is left */
	int map_fd[KERN_MAPS];
	int prog_fd[KERN_PROGS];
	struct tables *tables;         /* mapped */
	struct job_value *jobs;        /* in there: job_by_slot, JOB_SLOTS of them */
	struct policy_value *policies; /* policy_by_slot, POLICY_SLOTS of them */
	__u32 _Atomic btrfs;           /* union btrfs_layout; 0 until a file of btrfs was named */
};

/*
 * Returns 0, or -errno with a sentence that says what the kernel lacks; -EBUSY: programs of another
 * layout are in force. Free with kern_close(); the pins stay.
 */
int kern_open(struct error *err, struct kern **ret_kern);
void kern_close(struct kern *kern);

static inline void cleanup_kern(struct kern **kern)
{
	kern_close(*kern);
}

/*
 * The programs of another layout, without its tables: for member_any_job(), member_kill_jobs() and
 * kern_detach_cgroup(). Returns 1 and kern (kern_close()); 0: there are none; or -errno: they cannot
 * be asked who carries a label, so nobody may take them away.
 */
int kern_open_foreign(struct error *err, struct kern **ret_kern);

/* Does this kernel accept every program? Loads them and lets them go: nothing is attached or pinned. */
int kern_try_load(enum backend backend, struct error *err);

/* Detaches and unpins everything. Only when no job is left. Returns 0 or -errno. */
int kern_remove(struct error *err);

/* Attaches the cgroup programs to a job's cgroup, labelled so that they know the job. */
int kern_attach_cgroup(struct kern *kern, int cgroup_fd, uint64_t cgroup_id, struct job_label label,
		       struct error *err);

/* Attaches those for DNS too, behind the others; whether they are there already does not matter. */
int kern_attach_dns(struct kern *kern, int cgroup_fd, struct error *err);

/* For a cgroup that outlives its job. What is not attached is passed over. */
void kern_detach_cgroup(struct kern *kern, int cgroup_fd);

/* Counts about no job in particular. */
int kern_read_stats(struct kern *kern, struct kernel_stats *ret_stats);

#endif
