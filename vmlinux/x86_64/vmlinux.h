/* SPDX-License-Identifier: GPL-2.0-only */
/* Made by tools/gen_vmlinux from vmlinux/types and the BTF of Linux 6.1.0-50-amd64 (x86_64). Do not edit. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

typedef unsigned char __u8;
typedef short unsigned int __u16;
typedef unsigned int __u32;
typedef long long unsigned int __u64;
typedef signed char __s8;
typedef short int __s16;
typedef int __s32;
typedef long long int __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
typedef short unsigned int umode_t;
typedef unsigned int fmode_t;
typedef u32 dev_t;
typedef short unsigned int sa_family_t;
typedef struct { s64 counter; } atomic64_t;
typedef atomic64_t atomic_long_t;

struct list_head;
struct super_block;
struct rw_semaphore;
struct inode;
struct iattr;
struct qstr;
struct hlist_bl_node;
struct dentry;
struct vfsmount;
struct mount;
struct path;
struct file;
struct linux_binprm;
struct vm_area_struct;
struct hlist_node;
struct hlist_head;
struct upid;
struct pid;
struct proc_inode;
struct mm_struct;
struct hw_perf_event;
struct perf_event;
struct task_struct;
struct files_struct;
struct nsproxy;
struct css_set;
struct kernfs_node;
struct kernel_cap_struct;
struct user_namespace;
struct cred;
struct key_type;
struct key;
struct kern_ipc_perm;
struct cgroup_subsys_state;
struct cgroup;
struct in6_addr;
struct sock_common;
struct sock_cgroup_data;
struct bpf_prog;
struct sock_reuseport;
struct sock;
struct unix_sock;
struct socket;
struct sockaddr;
struct sk_buff;
struct skb_shared_info;
struct bpf_sock;
struct __sk_buff;
struct bpf_tcp_sock;
struct bpf_sock_addr;
struct seq_file;
struct bpf_iter_meta;
struct bpf_iter__task;
struct bpf_iter__task_file;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_CGROUP_STORAGE = 19,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
	BPF_MAP_TYPE_SK_STORAGE = 24,
};

enum {
	false = 0,
	true = 1,
	BPF_ANY = 0,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_INNER_MAP = 4096,
	BPF_F_MMAPABLE = 1024,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
	BPF_F_CLONE = 512,
	BPF_RB_AVAIL_DATA = 0,
	BPF_RB_RING_SIZE = 1,
	BPF_RINGBUF_HDR_SZ = 8,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_MPTCP = 262,
};

enum key_need_perm {
	KEY_NEED_VIEW = 1,
	KEY_NEED_READ = 2,
	KEY_NEED_WRITE = 3,
	KEY_NEED_SEARCH = 4,
	KEY_NEED_LINK = 5,
	KEY_NEED_SETATTR = 6,
	KEY_NEED_UNLINK = 7,
	KEY_DEFER_PERM_CHECK = 10,
};

struct list_head {
	struct list_head *next;
};

struct super_block {
	dev_t s_dev;
	long unsigned int s_flags;
	struct dentry *s_root;
	long unsigned int s_magic;
	struct list_head s_mounts;
};

struct rw_semaphore {
	atomic_long_t owner;
};

struct inode {
	umode_t i_mode;
	struct super_block *i_sb;
	long unsigned int i_ino;
	const unsigned int i_nlink;
	dev_t i_rdev;
	__u32 i_generation;
	struct rw_semaphore i_rwsem;
};

struct iattr {
	unsigned int ia_valid;
};

struct qstr {
	u64 hash_len;
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	unsigned int d_flags;
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct list_head mnt_instance;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	fmode_t f_mode;
	unsigned int f_flags;
};

struct linux_binprm {
	struct file *file;
};

struct vm_area_struct {
	struct file *vm_file;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[0];
};

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

struct mm_struct {
	struct file *exe_file;
};

struct hw_perf_event {
	struct task_struct *target;
};

struct perf_event {
	struct hw_perf_event hw;
	struct perf_event *parent;
};

struct task_struct {
	struct mm_struct *mm;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	u64 start_boottime;
	int exit_state;
	unsigned int in_execve : 1;
	char comm[16];
	struct css_set *cgroups;
	struct bpf_local_storage *bpf_storage;
	const struct cred *cred;
	const struct cred *real_cred;
	struct io_uring_task *io_uring;
	struct nsproxy *nsproxy;
	unsigned int flags;
	unsigned int personality;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	struct files_struct *files;
	u64 self_exec_id;
};

struct files_struct {
	struct { int counter; } count;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct kernfs_node {
	u64 id;
};

struct kernel_cap_struct {
	__u32 cap[2];
};

struct user_namespace {
	struct user_namespace *parent;
	int level;
	struct { unsigned int val; } owner;
};

struct cred {
	struct { unsigned int val; } uid;
	struct { unsigned int val; } euid;
	struct { unsigned int val; } fsuid;
	struct kernel_cap_struct cap_effective;
	struct user_namespace *user_ns;
};

struct key_type {
	const char *name;
};

struct key {
	struct key_type *type;
	s32 serial;
	struct { unsigned int val; } uid;
	char *description;
};

struct kern_ipc_perm {
	bool deleted;
	int id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct in6_addr {
	union { __u8 u6_addr8[16]; __be16 u6_addr16[8]; __be32 u6_addr32[4]; } in6_u;
};

struct sock_common {
	short unsigned int skc_family;
	__be32 skc_rcv_saddr;
	struct in6_addr skc_v6_rcv_saddr;
	__be32 skc_daddr;
	struct in6_addr skc_v6_daddr;
	__be16 skc_dport;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock_reuseport {
	struct bpf_prog *prog;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
	struct sock_reuseport *sk_reuseport_cb;
};

struct unix_sock {
	struct path path;
	struct sock *peer;
};

struct socket {
	short int type;
	struct sock *sk;
};

struct sockaddr {
	sa_family_t sa_family;
};

struct sk_buff {
	unsigned int end;
	unsigned char *head;
};

struct skb_shared_info {
	__u8 flags;
};

struct bpf_sock {
	__u32 type;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port;
	__u32 state;
};

struct __sk_buff {
	__u32 len;
	__u32 data;
	__u32 data_end;
	__u32 ifindex;
	struct bpf_sock *sk;
	__u32 protocol;
	__u32 gso_segs;
};

struct bpf_tcp_sock {
	__u32 total_retrans;
};

struct bpf_sock_addr {
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 user_port;
	__u32 user_ip4;
	__u32 user_ip6[4];
	struct bpf_sock *sk;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif
