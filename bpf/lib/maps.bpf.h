/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map, in one place, but for that of the tables, see abi/tables.h. Each object that includes this
 * carries the definitions as weak symbols; the static linker makes one map of them. Keys and values are
 * described in abi/. Inner maps give sizes instead of types, because clang emits the types of a nested
 * definition as forward declarations only.
 */
#ifndef JOBCAGE_MAPS_BPF_H
#define JOBCAGE_MAPS_BPF_H

#include "abi/event.h"
#include "abi/evidence.h"
#include "abi/identity.h"
#include "abi/names.h"
#include "abi/tables.h"

/* A dentry's name has at most this many bytes, terminator included. */
#define NAME_SIZE 256

/* Membership: the label of a task. Freed with the task. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_label);
} job_by_task SEC(".maps") __weak;

extern struct tables tables;

/* The label of a job's cgroup, by cgroup id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, JOB_SLOTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct job_label);
} job_by_cgroup SEC(".maps") __weak;

/*
 * The label of the cgroup that a socket program is attached to; zero until the controller has
 * stored it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct job_label);
} job_by_attach SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JOB_SLOTS);
	__type(key, __u32);
	__type(value, struct job_stats);
} stats_by_job SEC(".maps") __weak;

struct ring_def {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the controller chooses the real size */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, JOB_SLOTS);
	__type(key, __u32);
	__array(values, struct ring_def);
} ring_by_job SEC(".maps") __weak;

struct evidence_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EVIDENCE_GROUP);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct evidence));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, EVIDENCE_GROUPS);
	__type(key, __u32);
	__array(values, struct evidence_def);
} evidence_by_group SEC(".maps") __weak;

struct roots_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* the controller chooses the real size */
	__uint(key_size, sizeof(struct root_key));
	__uint(value_size, sizeof(struct root_value));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POLICY_SLOTS);
	__type(key, __u32);
	__array(values, struct roots_def);
} roots_by_policy SEC(".maps") __weak;

struct nets_def {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1); /* the controller chooses the real size */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct net_key));
	__uint(value_size, sizeof(struct net_value));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POLICY_SLOTS);
	__type(key, __u32);
	__array(values, struct nets_def);
} nets_by_policy SEC(".maps") __weak;

struct ports_def {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the controller chooses the real size */
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct port_range));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POLICY_SLOTS);
	__type(key, __u32);
	__array(values, struct ports_def);
} ports_by_policy SEC(".maps") __weak;

/* Files whose names, all but the first, the job has made; see links.bpf.h. */
struct own_link {
	struct job_label label;
	struct root_key file;
	__u32 generation;
	__u32 reserved;
};

#define OWN_LINKS 4096

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, OWN_LINKS);
	__type(key, struct own_link);
	__type(value, __u8);
} own_links SEC(".maps") __weak;

/* Who made what outlives its maker, by its address; see maker.bpf.h. */
struct maker {
	struct job_label label;
	__u32 is_audit; /* it was made in audit mode */
	__u32 reserved;
};

#define OBJECTS_MAX 65536

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OBJECTS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct maker);
} maker_by_object SEC(".maps") __weak;

/* What names open: see abi/names.h. */
struct names_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* the controller chooses the real size */
	__uint(key_size, sizeof(struct dns_name));
	__uint(value_size, sizeof(struct name_value));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POLICY_SLOTS);
	__type(key, __u32);
	__array(values, struct names_def);
} names_by_policy SEC(".maps") __weak;

struct domains_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* the controller chooses the real size */
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(struct domain_value));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POLICY_SLOTS);
	__type(key, __u32);
	__array(values, struct domains_def);
} domains_by_policy SEC(".maps") __weak;

struct resolvers_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RESOLVERS_MAX);
	__uint(key_size, 16);
	__uint(value_size, sizeof(__u8));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POLICY_SLOTS);
	__type(key, __u32);
	__array(values, struct resolvers_def);
} resolvers_by_policy SEC(".maps") __weak;

struct learned_def {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LEARNED_PER_JOB);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, 16);
	__uint(value_size, sizeof(struct learned));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, JOB_SLOTS);
	__type(key, __u32);
	__array(values, struct learned_def);
} learned_by_job SEC(".maps") __weak;

/* The last questions that a socket has asked: see dns.bpf.c. */
struct asked_one {
	__u64 head; /* id, type and, in the lower half, until when; 0: answered, or none */
	__u64 hash; /* of resolver, name and type */
};

#define ASKED_CNT 32

struct asked {
	__u64 cnt;
	struct asked_one at[ASKED_CNT];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct asked);
} asked_by_sock SEC(".maps") __weak;

#define STREAM_PART 1024 /* bytes that are read at a time */

/*
 * How far DNS by TCP has come, in the stream's own numbers: what lies before them has passed. Of what comes
 * in, the message that is not whole yet, its length before it. The newest kernels have storage of a socket in
 * pieces below 8 KiB only.
 */
struct stream {
	__u32 out_next;
	__u32 in_next;
	__u32 in_cnt;  /* bytes of the message so far */
	__u32 in_skip; /* bytes of one that is too large */
	__u8 is_open;  /* 1: it was answered, so in_next holds */
	__u8 is_cut;   /* 1: a question was refused, so nothing goes out any more */
	__u8 is_blind; /* 1: nothing is learned any more */
	__u8 reserved[5];
	__u8 in[DNS_MESSAGE_MAX + STREAM_PART];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stream);
} stream_by_sock SEC(".maps") __weak;

/* What budgets allow, and what was sent: see abi/policy.h and abi/job.h. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BUDGETS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct budget_key);
	__type(value, struct budget);
} budget_by_rule SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SPENT_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct spent_key);
	__type(value, struct spent);
} spent_by_job SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DESTINATIONS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct destination_key);
	__type(value, struct destination_value);
} destination_by_job SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kernel_stats);
} kernel_stats SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct identify_request);
} identify_req SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct label_request);
} label_req SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kernel_build);
} kernel_build SEC(".maps") __weak;

/* Only programs of the cgroup use it, so it does not need the LSM's blob. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct sock_mark);
} mark_by_sock SEC(".maps") __weak;

/*
 * What net_rule() last answered, by a hash of the question: see net.bpf.h. One table per CPU, so that
 * only an interrupt, or a task that preempts, can come between a reader and what it reads.
 */
struct memo {
	__u32 sequence; /* odd while it is written */
	__u32 rule;
	__u64 question[4];
};

#define MEMO_SIZE 1024

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MEMO_SIZE);
	__type(key, __u32);
	__type(value, struct memo);
} memo_by_cpu SEC(".maps") __weak;

/*
 * Where a record is put together: too large for the stack. One per CPU, taken with is_busy because
 * a fully preemptible kernel may run a second program on the same CPU before the first is done.
 */
struct scratch {
	__u32 is_busy;
	__u32 path_start; /* where in strings the path in the making begins */
	__u64 dentry;     /* cursor of the path in the making: struct dentry * */
	__u64 mnt;        /* struct vfsmount *, or 0 */
	struct event event;
	char strings[EVENT_STRINGS_MAX + NAME_SIZE]; /* follows event without a gap: the record as
							sent */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch_by_cpu SEC(".maps") __weak;

#endif
