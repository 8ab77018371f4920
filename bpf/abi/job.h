/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Jobs as the kernel sees them: the label a task carries, the slot it points to, and the counters
 * of that slot.
 */
#ifndef JOBCAGE_ABI_JOB_H
#define JOBCAGE_ABI_JOB_H

#include "types.h"

/* 10,000 jobs at once, and room; a slot costs 200 bytes. */
#define JOB_SLOTS 16384

/* Slot 0 is never given out: a zeroed label names no job. */
#define JOB_SLOT_NONE 0

/*
 * What membership is: job_by_task (task storage, in a task_label), job_by_cgroup (hash by cgroup id), job_by_attach
 * (storage of the cgroup that the socket programs are attached to).
 */
struct job_label {
	__u32 slot;       /* index into job_by_slot, stats_by_job and ring_by_job */
	__u32 generation; /* equals job_by_slot[slot].generation, or the label is stale and
			     everything is denied */
};

/* job_by_task. */
struct task_label {
	struct job_label label;
	/*
	 * Bit N: may use capability N, whatever the policy says. Only the self-test's canary has any,
	 * so that what it attempts reaches the hook that is to be proved; children inherit it.
	 */
	__u64 lifted;
	__u32 is_at_other; /* 1: the kernel is asking whether it may see the memory of who is not of the job */
	__u32 reserved;
};

/* What a job is in force by; read and stored as one word, so no hook ever meets half a change. */
union job_force {
	struct {
		__u32 generation; /* 0: the slot is free */
		__u32 policy;     /* policy slot; POLICY_SLOT_NONE: taken, but not yet in force */
	};
	__u64 word;
};

/*
 * job_by_slot: index is the job slot. A job is in force from the one store of force that names its
 * policy until the one that clears it; a store that names another published policy replaces the
 * job's rules. The rest of the value is filled before. Controllers map the tables.
 */
struct job_value {
	__u32 scratch_dev; /* super_block.s_dev of the job's own scratch, writable where no rule
			      says otherwise; 0: none */
	__u32 ring_id;     /* for user space: id of the slot's ring, which may wait for the slot's
			      next job; 0: none */
	union job_force force;
	__u64 cgroup_id; /* for user space: the cgroup that job_by_cgroup names for it; 0: none */
	__u32 evidence_id; /* for user space: id of the map that evidence_by_group has for the slot's
			      group; 0: none */
	__u16 is_ending; /* 1: it is being killed, and what is left of it makes no more processes */
	__u16 has_learned; /* for user space: 0: learned_by_job has nothing for the slot */
};

enum event_kind {
	EVENT_FILE = 1,
	EVENT_EXEC = 2,
	EVENT_NET = 3,
	EVENT_GUARD = 4,
};
#define EVENT_KINDS 5

/* stats_by_job: index is the job slot. All counts only ever grow while the job lives. */
struct job_stats {
	__u64 sequence;                /* decisions that were to be recorded = emitted + folded + lost */
	__u64 emitted;                 /* records in the job's ring */
	__u64 folded;                  /* counted in a fold, see evidence.h */
	__u64 lost[EVENT_KINDS];       /* records that did not fit, by enum event_kind */
	__u64 denied[EVENT_KINDS];     /* by enum event_kind */
	__u64 would_deny[EVENT_KINDS]; /* by enum event_kind, audit mode */
	__u64 fork_failures; /* forks refused: the child could not be labelled, or would leave,
				or the job is at its end */
	__u64 path_failures; /* records sent without their path */
	__u64 cut;           /* TCP connections that are to be reset, see SOCK_IS_CUT */
	__u64 names_lost; /* addresses of names that there was no room for, and answers not read */
};

/*
 * spent_by_job: what a job has sent under a budget. Made by the controller before rules that have it
 * are in force, kept until the job's end; id 0, all that was counted, is there if any is.
 */
struct spent_key {
	struct job_label label;
	__u64 id; /* struct budget.id */
};

struct spent {
	__u64 bytes;           /* with what processors are just about to give back */
	__u64 refused_cnt;     /* packets that would have been too much */
	__u64 destination_cnt; /* of id 0: entries in destination_by_job, and attempts under way, or too many */
};

#define SPENT_MAX 65536

/*
 * destination_by_job: where a job's packets went. Made by the packet program; the one of protocol 0,
 * by the controller, has what did not fit.
 */
struct destination_key {
	struct job_label label;
	__u8 addr[16];   /* IPv4 mapped */
	__u16 port;      /* host order; inbound: the job's own */
	__u8 protocol;   /* IPPROTO_* */
	__u8 is_inbound; /* 1: an ingress rule let the peer in */
	__u32 reserved;
};

struct destination_value {
	__u64 bytes;
	__u64 packets;
	__u64 connections; /* TCP: begun, or accepted */
};

#define DESTINATIONS_PER_JOB 64
#define DESTINATIONS_MAX 65536

/*
 * mark_by_sock: the job's own IPv4 and IPv6 sockets; set when one is made, and copied to those that it
 * accepts.
 */
struct sock_mark {
	struct job_label label;
	__u32 flags; /* enum sock_flags */
	__u32 reserved;
	__u64 domain; /* TCP: that by which it was connected; 0: none */
	__u8 domain_addr[16]; /* to this address */
	__u64 address;        /* of the kernel's socket; scratch of lib/own.bpf.h */
};

enum sock_flags {
	SOCK_PEER_IS_OWN = 1, /* TCP over the loopback: the other end is the job's own, too */
	SOCK_IS_TOLD = 2,     /* audit mode: where it sends has been told */
	SOCK_IS_CUT = 4,      /* TCP: a packet of its was refused, so the controller resets it */
};

/* kernel_stats: one entry, about no job in particular. */
struct kernel_stats {
	__u64 not_in_force; /* acts denied because the task's label named no published job */
	__u64 label_misses; /* labels found by cgroup because the task's own storage was busy */
	__u64 enter_failures; /* tasks that entered a job's cgroup and could not be labelled */
	__u64 cut;            /* job_stats.cut of all jobs that there were */
	__u64 names_lost; /* addresses of names that there was no room for, and answers not read */
};

/*
 * label_request: one entry, read when the iterator runs that gives tasks a label, or takes it from
 * them.
 */
struct label_request {
	struct job_label label; /* of those in the cgroup that job_by_cgroup has it for, and below */
	__u32 takes_away; /* 0: gives it to those that have none; 1: takes it from those that carry
			     it, wherever they are */
	__u32 tgid;       /* of this process only, in the initial PID namespace; 0: of all */
};

/* What the iterator over all tasks writes of each that carries a label. */
struct job_member {
	struct job_label label;
	__u32 tgid;      /* in the initial PID namespace */
	__u32 in_execve; /* 1: it is executing a program */
	__u64 files;     /* names its table of descriptors; 0: it has none any more */
	__u32 files_cnt; /* how many tasks have that table */
	__u32 reserved;
};

/* kernel_build: one entry, written before anything is attached. Text, ended by NUL. */
struct kernel_build {
	char programs[24]; /* hash of the programs in force */
	char version[40];  /* of the jobcage that loaded them */
};

_Static_assert(sizeof(struct spent_key) == 16, "spent_key is ABI");
_Static_assert(sizeof(struct spent) == 24, "spent is ABI");
_Static_assert(sizeof(struct destination_key) == 32, "destination_key is ABI");
_Static_assert(sizeof(struct destination_value) == 24, "destination_value is ABI");
_Static_assert(sizeof(struct sock_mark) == 48, "sock_mark is ABI");
_Static_assert(sizeof(struct kernel_stats) == 40, "kernel_stats is ABI");
_Static_assert(sizeof(struct label_request) == 16, "label_request is ABI");
_Static_assert(sizeof(struct job_member) == 32, "job_member is ABI");
_Static_assert(sizeof(struct kernel_build) == 64, "kernel_build is ABI");
_Static_assert(sizeof(struct job_label) == 8, "job_label is ABI");
_Static_assert(sizeof(struct task_label) == 24, "task_label is ABI");
_Static_assert(sizeof(union job_force) == 8, "job_force is ABI");
_Static_assert(sizeof(struct job_value) == 32, "job_value is ABI");
_Static_assert(sizeof(struct job_stats) == 176, "job_stats is ABI");

_Static_assert(__builtin_offsetof(struct job_label, generation) == 4, "job_label is ABI");
_Static_assert(__builtin_offsetof(struct task_label, lifted) == 8, "task_label is ABI");
_Static_assert(__builtin_offsetof(struct job_value, force) == 8, "job_value is ABI");
_Static_assert(__builtin_offsetof(struct job_value, cgroup_id) == 16, "job_value is ABI");
_Static_assert(__builtin_offsetof(struct job_value, is_ending) == 28, "job_value is ABI");
_Static_assert(__builtin_offsetof(struct job_stats, names_lost) == 168, "job_stats is ABI");
_Static_assert(__builtin_offsetof(struct kernel_stats, names_lost) == 32, "kernel_stats is ABI");
_Static_assert(__builtin_offsetof(struct sock_mark, flags) == 8, "sock_mark is ABI");

#endif
