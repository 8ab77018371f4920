/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The record that a kernel program puts into a job's ring for one decision worth knowing.
 *
 * A record is a struct event followed by strings_len bytes of strings: path, then path2, then exe,
 * each of the length that the header gives. A path is a run of NUL-terminated components from the
 * leaf up to the root, as the dentry walk meets them; the reader turns it round. The bytes of a
 * name are as on disk: any value but NUL and '/'.
 */
#ifndef JOBCAGE_ABI_EVENT_H
#define JOBCAGE_ABI_EVENT_H

#include "types.h"
#include "job.h"

enum event_verdict {
	VERDICT_ALLOW = 1,
	VERDICT_DENY = 2,
	VERDICT_WOULD_DENY = 3, /* audit mode: let through, and said so */
};

/* Why the verdict is what it is. */
enum event_reason {
	REASON_RULE = 1,         /* rule says so */
	REASON_DEFAULT = 2,      /* no rule matched */
	REASON_WALK_LIMIT = 3,   /* deeper than the walk goes: denied */
	REASON_DISCONNECTED = 4, /* the object has no path to its superblock's root: denied */
	REASON_NAMELESS = 5,     /* exec of a memfd, a deleted or another nameless file */
	REASON_PROTECTED = 6, /* rename or removal of a rule's root or of an ancestor of one; rule
				 is RULE_NONE */
	REASON_FAMILY = 7,    /* an address family or protocol that no rule can allow */
	REASON_NOT_IN_FORCE = 8, /* the policy's rules are missing in the kernel: denied */
	REASON_OWN = 9,          /* jobcage's own pins, state and alerts are closed to every job */
	REASON_SOCKET = 10,      /* a socket of a class that the policy does not name */
	REASON_LEFT_CGROUP = 11, /* a socket that would not lie in the job's cgroup */
	REASON_HEADER = 12,      /* a packet with IP options, extension headers or in fragments */
	REASON_MOUNTS = 13,      /* the policy's mounts are "deny" */
	REASON_KERNEL_FILE = 14, /* a file that controls the kernel, which only a rule can open for
				    writing */
	REASON_INDIRECT = 15,    /* an ioctl on files that it names in memory: never granted */
	REASON_RING = 16,        /* an io_uring made outside the job acts for its maker */
	REASON_OVERLAY = 17,     /* an overlay's layers would be altered past the path_* hooks */
	REASON_FOREIGN_SOCKET = 18, /* a socket made outside the job: nothing judges what it sends */
	REASON_CAPABILITY = 19,  /* a capability that the policy does not name */
	REASON_USER_NAMESPACE = 20, /* the policy does not allow user namespaces */
	REASON_OUTSIDE = 21,        /* a process that is not of the job */
	REASON_BPF = 22,            /* bpf() is closed to every job */
	REASON_DEVICE = 23,         /* a device, which only a rule can open */
	REASON_TERMINAL = 24, /* input of a terminal, which whoever reads from it next takes for typed */
	REASON_HELPER = 25,   /* a program that the kernel would start outside the job */
	REASON_OWNER = 26,    /* whom a descriptor signals: none but the process itself */
	REASON_SETID = 27,    /* a program that would run as its owner, whoever starts it */
	REASON_ALL_QUOTAS = 28, /* quotas of every file system of the machine */
	REASON_NODE = 29, /* a node would be a device, wherever it is, under the rule of that place */
	REASON_LINKED = 30, /* the file has another name, which may be in a dataset */
	REASON_BUDGET = 31, /* what rule may send is spent; RULE_NONE: what the job may send */
	REASON_OBJECT = 32, /* a System V object or key that the job has not made, or that a job has */
	REASON_QUEUE = 33,  /* a POSIX message queue, which only a rule can open */
	REASON_QUESTION = 34, /* a message to a resolver that is not one plain question for an address */
	REASON_PRIVATE = 35,  /* a name that a rule opens leads to an address that it does not open */
	REASON_MOVED_SOCKET = 36, /* a Unix socket would come to where a rule opens it */
};

/* What was attempted. */
enum event_op {
	OP_OPEN_READ = 1,
	OP_OPEN_WRITE = 2, /* for writing, appending or truncating */
	OP_CREATE = 3,     /* regular file; mode in file.mode */
	OP_MKNOD = 4,      /* device, FIFO or socket node; mode in file.mode */
	OP_MKDIR = 5,
	OP_SYMLINK = 6, /* path2: none */
	OP_LINK = 7,    /* path: existing name, path2: new name */
	OP_UNLINK = 8,
	OP_RMDIR = 9,
	OP_RENAME = 10, /* path: old name, path2: new name */
	OP_TRUNCATE = 11,
	OP_CHMOD = 12, /* new mode in file.mode */
	OP_CHOWN = 13,
	OP_CHROOT = 14,
	OP_EXEC = 15,
	OP_CONNECT = 16,
	OP_SENDMSG = 17, /* datagram to an address given with the message */
	OP_SOCKET = 18,  /* a socket of that family, type and protocol; no address */
	OP_PACKET_OUT = 19, /* a packet that no other hook had stopped; its own destination */
	OP_PACKET_IN = 20,  /* a connection or datagram from that address to the job's port */
	OP_UNIX = 21,       /* to a Unix socket outside the job; path: where it is bound, if anywhere */
	OP_RECEIVE_READ = 22,  /* a descriptor sent by another process, open for reading */
	OP_RECEIVE_WRITE = 23, /* or for writing */
	OP_UTIMES = 24,
	OP_SETXATTR = 25,
	OP_REMOVEXATTR = 26,
	OP_ACL = 27,      /* set or removed; before 6.2 they are extended attributes */
	OP_IOCTL = 28,    /* one that may alter the file, or more than it */
	OP_FILEATTR = 29, /* inode flags, project, extent size */
	OP_MOUNT = 30,    /* path: where, or the top of a new superblock */
	OP_UMOUNT = 31,
	OP_REMOUNT = 32,
	OP_MOVE_MOUNT = 33, /* path: from, path2: to */
	OP_PIVOT_ROOT = 34, /* path: the new root */
	OP_RECEIVE_SOCKET = 35, /* sent by another process; its other end. Unix: path as for OP_UNIX */
	OP_CAPABILITY = 36,     /* guard.number: the capability */
	OP_USER_NAMESPACE = 37, /* make one */
	OP_TRACE = 38,   /* guard.number: tgid; guard.detail: PTRACE_MODE_* */
	OP_SIGNAL = 39,  /* guard.number: tgid, or with REASON_OWNER 0; guard.detail: the signal */
	OP_CONTROL = 40, /* scheduling, priority or limits; guard.number: tgid */
	OP_BPF = 41,     /* guard.number: the command */
	OP_KEY_REQUEST = 42, /* have the kernel ask its helper for a key; guard.number: 0 */
	OP_GETXATTR = 43,
	OP_READLINK = 44,
	OP_WATCH = 45, /* be told of what happens to it: inotify, fanotify, dnotify */
	OP_MAP_EXEC = 46, /* map it as code, or make code of what is mapped of it */
	OP_QUOTA = 47,       /* set, switch or remove quotas; path: the top of the file system */
	OP_QUOTA_SYNC = 48,  /* have the quotas of all file systems written; guard.number: 0 */
	OP_IPC = 49, /* use, change or remove a System V object; guard.number: its id */
	OP_KEY_USE = 50, /* read, change or link a key; guard.number: serial; guard.detail: KEY_NEED_* */
	OP_RESOLVE = 51, /* ask a resolver; path: the name's labels, from the host on */
};

enum event_flags {
	EVENT_PATH_TRUNCATED = 1, /* the components nearest the root are missing from path */
	EVENT_PATH2_TRUNCATED = 2,
	EVENT_EXE_TRUNCATED = 4,
	EVENT_PATH_DELETED = 8,   /* the object has been removed from its directory */
	EVENT_PATH_DETACHED = 16, /* path starts at a superblock's root, not at the root of a mount
				     tree */
	EVENT_PATH_MISSING = 32,  /* no room to build the strings: path, path2 and exe are empty */
	EVENT_BY_CGROUP = 64, /* judged by a program of the cgroup: the job sees EPERM, not EACCES
			       */
	EVENT_WITHOUT_TASK = 128, /* of a packet: nobody knows which process sent it; what tells of
				     a process is 0 */
};

/*
 * Room for a path of PATH_MAX bytes, a second one and a program's. A record's strings never exceed
 * it.
 */
#define EVENT_STRINGS_MAX 12288

struct event_file {
	__u32 dev;  /* super_block.s_dev, kernel encoding (major << 20 | minor) */
	__u32 mode; /* umode_t where the operation has one, else 0 */
	__u64 ino;
};

/* What a guarded act is about; the operation says what the numbers are. */
struct event_guard {
	__u64 number;
	__u32 detail;
	__u32 reserved;
};

struct event_net {
	__u8 addr[16];  /* network order; IPv4 mapped (::ffff:a.b.c.d); as judged, after
			   normalisation */
	__u16 port;     /* host order; 0 if the protocol has none */
	__u16 family;   /* AF_* of the socket */
	__u16 type;     /* SOCK_* */
	__u16 protocol; /* IPPROTO_*; may exceed 255 (MPTCP) */
};

struct event {
	__u64 time_ns;    /* CLOCK_BOOTTIME */
	__u64 sequence;   /* 1, 2, ... per job; a gap is a lost record */
	__u64 start_ns;   /* start of the process, CLOCK_BOOTTIME: with tgid it names a process for
			     good */
	__u32 slot;       /* of the job */
	__u32 generation; /* of the job */
	__u32 policy;     /* policy slot */
	__u32 rule;       /* rule number, or RULE_NONE */
	__u32 tgid;       /* of the process, in the initial PID namespace */
	__u32 tid;
	__u32 ppid; /* of the real parent */
	__u32 uid;  /* in the initial user namespace */
	__u32 gid;
	__u32 object_mode;      /* umode_t of the object judged; 0: none yet, or not a file */
	__u8 kind;              /* enum event_kind */
	__u8 verdict;           /* enum event_verdict */
	__u8 reason;            /* enum event_reason */
	__u8 op;                /* enum event_op */
	__u32 flags;            /* enum event_flags, or-ed */
	char comm[16];          /* of the thread, NUL-terminated */
	union {
		struct event_file file;   /* EVENT_FILE and EVENT_EXEC */
		struct event_guard guard; /* EVENT_GUARD */
	};
	struct event_net net;   /* EVENT_NET */
	__u32 path_len;         /* bytes, terminators included */
	__u32 path2_len;
	__u32 exe_len;     /* the program the process runs */
	__u32 strings_len; /* the sum of the three */
};

_Static_assert(sizeof(struct event) == 144, "event is ABI");
_Static_assert(__builtin_offsetof(struct event, strings_len) == 140, "event is ABI");
_Static_assert(sizeof(struct event_guard) == 16, "event_guard is ABI");
_Static_assert(sizeof(struct event_file) == 16, "event_file is ABI");
_Static_assert(sizeof(struct event_net) == 24, "event_net is ABI");

#endif
