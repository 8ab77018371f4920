// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Does a backend bite here? A small object of its own, loaded before the real one.
 *
 * An LSM program attaches without error on a kernel that never calls it (bpf not in the LSM list),
 * so only an act can tell: while this is attached, the probing thread's opens fail with an errno
 * that nothing else returns.
 */
#include "lib/jobcage.bpf.h"
#include "abi/probe.h"

const volatile __u32 probe_tid;

/* kernel/sched/core.c: how the kernel preempts now, as enum preempt_mode. */
extern const void preempt_dynamic_mode __ksym __weak;

int probe_preempt = PREEMPT_UNKNOWN;

SEC("lsm/file_open")
int BPF_PROG(probe_file_open, struct file *file, int ret)
{
	if (ret || (__u32)bpf_get_current_pid_tgid() != probe_tid)
		return ret;
	if (&preempt_dynamic_mode)
		bpf_probe_read_kernel(&probe_preempt, sizeof(probe_preempt), &preempt_dynamic_mode);
	return -PROBE_ERRNO;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
