// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Containment: what a job may do to the machine and to processes that are not its own.
 *
 * Root in a job is a user who has the capabilities that the policy names, and no others; a user
 * namespace, in which it would have them all, is made, or entered, only where the policy says so. Processes
 * outside the job cannot be traced, read, signalled or tuned by it, whoever they run as; bpf() is
 * closed. EACCES, which most callers of capable() turn into EPERM.
 */
#include "lib/jobcage.bpf.h"
#include "lib/job.bpf.h"
#include "lib/guard.bpf.h"
#include "lib/owner.bpf.h"

/* include/linux/security.h, ptrace.h and uapi/linux/capability.h */
#define CAP_OPT_NOAUDIT 2
#define PTRACE_MODE_NOAUDIT 0x04
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#define CAP_NET_ADMIN 12
#define CAP_SYS_ADMIN 21
#define CAP_PERFMON 38

/* kernel/user_namespace.c: not deeper than 32 below the initial one. */
#define USER_NS_LEVELS 33

/* Of the self-test only: what it attempts would not come to the hook that is to be proved. */
static __always_inline bool is_lifted(int cap)
{
	return lifted_of(bpf_get_current_task_btf()) >> (cap & 63) & 1;
}

/*
 * A stacked file system works on its layers as whoever mounted it, outside the job, and asks for what
 * he may: that is not the job's doing.
 */
static __always_inline bool is_for_another(const struct cred *cred)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return cred == task->cred && has_borrowed_credentials(task);
}

static __always_inline bool has_capability(const struct cred *cred, int cap)
{
	__u64 caps = 0;

	bpf_probe_read_kernel(&caps, sizeof(caps),
			      (void *)cred + bpf_core_field_offset(struct cred, cap_effective));
	return caps >> (cap & 63) & 1;
}

/*
 * Has the kernel itself anything to allow? What it refuses anyway is not ours to tell of. As
 * cap_capable() does: a capability holds in its namespace and all those below it, and who made a
 * namespace has all in it, seen from the one above.
 */
static __noinline bool is_effective(const struct cred *cred, struct user_namespace *ns, int cap)
{
	struct user_namespace *own = BPF_CORE_READ(cred, user_ns);

	for (int i = 0; i < USER_NS_LEVELS; i++) {
		struct user_namespace *parent;

		if (ns == own)
			return has_capability(cred, cap);
		if (BPF_CORE_READ(ns, level) <= BPF_CORE_READ(own, level))
			return false;
		parent = BPF_CORE_READ(ns, parent);
		if (parent == own && BPF_CORE_READ(ns, owner.val) == BPF_CORE_READ(cred, euid.val))
			return true;
		ns = parent;
	}
	return false;
}

/*
 * A namespace that rules over what was made in it: its own, which a container runtime made before the job,
 * or, where the policy lets the job make some, any below. Else those below are of others: containers and
 * sandboxes of the same user or, for root, of everybody.
 */
static __always_inline bool is_own_namespace(const struct job *job, const struct cred *cred,
					     struct user_namespace *ns, int cap)
{
	if (job->policy->has_names && (cap == CAP_NET_ADMIN || cap == CAP_SYS_ADMIN))
		return false; /* in a network of its own it would answer its own questions */
	return ns->level && (cred->user_ns == ns || job->policy->user_namespaces);
}

/*
 * The kernel only asks what it could do, or asks for the narrower of two capabilities first and goes
 * on to the wider, which is granted: refused without a word, because nothing comes of it.
 */
static __always_inline bool is_of_no_consequence(const struct job *job, int cap, unsigned int opts)
{
	return opts & CAP_OPT_NOAUDIT ||
	       (cap == CAP_DAC_READ_SEARCH && grants_capability(job, CAP_DAC_OVERRIDE));
}

/* Of the task itself; NULL: in no job. */
static __always_inline struct task_label *own_label(void)
{
	return bpf_task_storage_get(&job_by_task, bpf_get_current_task_btf(), 0, 0);
}

/*
 * Whom the kernel may not let trace a process it asks for CAP_PERFMON then (7.3 does, 6.12 does not), which opens
 * the process' environment and maps. The hook that is asked does not learn for what: these tell it.
 */
SEC("fentry/mm_access")
int BPF_PROG(guard_mm_access, struct task_struct *task)
{
	struct task_label *own = is_outsider() ? NULL : own_label();
	struct job_label label;

	if (own)
		own->is_at_other = !label_of(task, &label) || !job_label_equal(&label, &own->label);
	return 0;
}

SEC("fexit/mm_access")
int BPF_PROG(guard_mm_accessed, struct task_struct *task)
{
	struct task_label *own = is_outsider() ? NULL : own_label();

	if (own)
		own->is_at_other = 0;
	return 0;
}

/* What opens others' memory is refused as tracing them was, which is in the record. */
static __always_inline bool is_instead_of_tracing(int cap)
{
	struct task_label *own;

	if (cap != CAP_PERFMON && cap != CAP_SYS_ADMIN)
		return false;
	own = own_label();
	return own && own->is_at_other;
}

SEC("lsm/capable")
int BPF_PROG(guard_capable, const struct cred *cred, struct user_namespace *ns, int cap,
	     unsigned int opts, int ret)
{
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	if (is_instead_of_tracing(cap))
		return job.policy->mode == MODE_AUDIT ? LSM_ALLOW : LSM_DENY;
	if (grants_capability(&job, cap) || is_own_namespace(&job, cred, ns, cap) || is_for_another(cred) ||
	    is_lifted(cap) || !is_effective(cred, ns, cap))
		return LSM_ALLOW;
	if (is_of_no_consequence(&job, cap, opts))
		return job.policy->mode == MODE_AUDIT ? LSM_ALLOW : LSM_DENY;
	return refuse_guarded(&job, OP_CAPABILITY, REASON_CAPABILITY, cap, 0);
}

SEC("lsm/userns_create")
int BPF_PROG(guard_userns_create, const struct cred *cred, int ret)
{
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	if (job.policy->user_namespaces)
		return LSM_ALLOW;
	return refuse_guarded(&job, OP_USER_NAMESPACE, REASON_USER_NAMESPACE, 0, 0);
}

/* --- other processes -------------------------------------------------------------------------- */

static __always_inline bool is_of_job(const struct job *job, struct task_struct *task)
{
	struct job_label label;

	return label_of(task, &label) && job_label_equal(&label, &job->label);
}

/* Also what /proc tells of a process to those only who could trace it. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_ptrace_access_check, struct task_struct *child, unsigned int mode, int ret)
{
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	if (is_of_job(&job, child))
		return LSM_ALLOW;
	if (mode & PTRACE_MODE_NOAUDIT)
		return job.policy->mode == MODE_AUDIT ? LSM_ALLOW : LSM_DENY;
	return refuse_guarded(&job, OP_TRACE, REASON_OUTSIDE, child->tgid, mode);
}

/* Signal 0 only asks whether a process is there, which /proc tells anyway. */
SEC("lsm/task_kill")
int BPF_PROG(guard_task_kill, struct task_struct *task, void *info, int sig,
	     const struct cred *cred, int ret)
{
	struct job job;

	if (ret || !lsm_enter(&job, &ret))
		return ret;
	if (!sig || is_of_job(&job, task))
		return LSM_ALLOW;
	return refuse_guarded(&job, OP_SIGNAL, REASON_OUTSIDE, task->tgid, sig);
}

/* include/uapi/asm-generic/fcntl.h */
#define F_SETFL 4
#define F_SETOWN 8
#define F_SETOWN_EX 15
#define O_ASYNC 020000

/* As the caller's PID namespace numbers it. */
static __always_inline int number_of(struct pid *pid)
{
	__u32 level = BPF_CORE_READ(pid, level);
	int nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      (__u64)level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return nr;
}

/* 0: nobody any more. */
static __always_inline bool is_self(int number)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return !number || number == number_of(BPF_CORE_READ(task, thread_pid)) ||
	       number == number_of(BPF_CORE_READ(task, group_leader, thread_pid));
}

/*
 * What F_SETOWN_EX names stands in the job's memory, where it may change. A terminal that is to signal
 * takes its foreground group, which may be the shell that started the job.
 */
static __always_inline bool names_others(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case F_SETOWN: return !is_self((int)arg);
	case F_SETOWN_EX: return true;
	case F_SETFL: return arg & O_ASYNC && (file->f_inode->i_mode & S_IFMT) == S_IFCHR;
	default: return false;
	}
}

/* By ioctl: see attr.bpf.c. */
SEC("lsm/file_fcntl")
int BPF_PROG(guard_file_fcntl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	if (ret || is_outsider() || !names_others(file, cmd, arg))
		return ret;
	return refuse_owner();
}

static __always_inline int judge_control(struct task_struct *task)
{
	struct job job;
	int verdict;

	if (!lsm_enter(&job, &verdict))
		return verdict;
	if (is_of_job(&job, task))
		return LSM_ALLOW;
	return refuse_guarded(&job, OP_CONTROL, REASON_OUTSIDE, task->tgid, 0);
}

SEC("lsm/task_setnice")
int BPF_PROG(guard_task_setnice, struct task_struct *task, int nice, int ret)
{
	return ret ? ret : judge_control(task);
}

SEC("lsm/task_setioprio")
int BPF_PROG(guard_task_setioprio, struct task_struct *task, int ioprio, int ret)
{
	return ret ? ret : judge_control(task);
}

SEC("lsm/task_setscheduler")
int BPF_PROG(guard_task_setscheduler, struct task_struct *task, int ret)
{
	return ret ? ret : judge_control(task);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(guard_task_setrlimit, struct task_struct *task, unsigned int resource, void *limit,
	     int ret)
{
	return ret ? ret : judge_control(task);
}

/*
 * Counters, which also sample what runs at which address. The kernel asks whose process it is only of who has
 * neither of the two capabilities; and where kernel.perf_event_paranoid says so, it asks for none of them
 * before a counter of all processes. What a child inherits has been judged when its parent's was made,
 * and the child has no label yet.
 */
SEC("lsm/perf_event_alloc")
int BPF_PROG(guard_perf_event_alloc, struct perf_event *event, int ret)
{
	struct task_struct *target = event->hw.target;
	struct job job;

	if (ret || event->parent || !lsm_enter(&job, &ret))
		return ret;
	if (target)
		return is_of_job(&job, target) ?
			       LSM_ALLOW :
			       refuse_guarded(&job, OP_TRACE, REASON_OUTSIDE, target->tgid, 0);
	if (grants_capability(&job, CAP_PERFMON) || grants_capability(&job, CAP_SYS_ADMIN))
		return LSM_ALLOW;
	return refuse_guarded(&job, OP_CAPABILITY, REASON_CAPABILITY, CAP_PERFMON, 0);
}

/* --- the kernel's own machinery --------------------------------------------------------------- */

/*
 * Whoever may use it could take these programs out of the kernel again. Its arguments changed in 6.15, and
 * with them the place of the verdict so far, which is always 0: the kernel asks no program after one that
 * denied.
 */
SEC("lsm/bpf")
int BPF_PROG(guard_bpf, int cmd)
{
	struct job job;
	int ret;

	if (!lsm_enter(&job, &ret))
		return ret;
	return refuse_guarded(&job, OP_BPF, REASON_BPF, cmd, 0);
}
