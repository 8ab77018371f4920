/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a socket belong to the job? It belongs to the cgroup that it was made in, whoever holds a
 * descriptor of it now, and the programs of that cgroup see what is sent through it.
 */
#ifndef JOBCAGE_SOCKET_BPF_H
#define JOBCAGE_SOCKET_BPF_H

#include "lib/job.bpf.h"

static __always_inline bool is_of_job(const struct job *job, struct sock *sk)
{
	struct job_label label;

	return find_label_of_cgroup(sk->sk_cgrp_data.cgroup, &label) &&
	       job_label_equal(&label, &job->label);
}

#endif
