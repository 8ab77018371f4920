// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which backend bites on this kernel; see probe.h. */
#include "kern/probe.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "abi/probe.h"
#include "base/cleanup.h"
#include "kern/backend.h"
#include "probe.skel.h"

static void cleanup_probe(struct probe **skel)
{
	probe__destroy(*skel);
}

static void cleanup_btf(struct btf **btf)
{
	btf__free(*btf);
}

static void cleanup_link(struct bpf_link **link)
{
	bpf_link__destroy(*link);
}

/* While the probe is attached every open of this thread must fail with PROBE_ERRNO. */
static int try_open(void)
{
	_cleanup_fd_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 && errno == PROBE_ERRNO ? 0 : -EOPNOTSUPP;
}

/*
 * The trampoline of a tracing program lets a call pass unjudged while the same program is active on
 * that CPU. Where a program can be preempted, any other task may run then: rules would not bite.
 * BPF LSM programs have no such gap. A kernel without PREEMPT_DYNAMIC says in its version if it
 * preempts.
 */
static int check_preemption(enum preempt_mode mode, struct error *err)
{
	struct utsname uts;

	if (mode == PREEMPT_NONE || mode == PREEMPT_VOLUNTARY)
		return 0;
	if (mode == PREEMPT_UNKNOWN && !uname(&uts) && !strstr(uts.version, "PREEMPT"))
		return 0;
	return error_set(
		err, -EOPNOTSUPP,
		"this kernel preempts kernel code, and lets calls pass by fmod_ret programs "
		"then; boot with bpf in lsm=, or with preempt=voluntary where the kernel has it");
}

int probe_backend(enum backend backend, struct error *err)
{
	_cleanup_(cleanup_probe) struct probe *skel = probe__open();
	_cleanup_(cleanup_btf) struct btf *kernel = btf__load_vmlinux_btf();
	_cleanup_(cleanup_link) struct bpf_link *link = NULL;
	int r;

	if (!kernel)
		return error_errno(err, -errno, "cannot read the kernel's types");
	if (!skel)
		return error_errno(err, -errno, "cannot read the probe program");
	skel->rodata->probe_tid = syscall(SYS_gettid);
	r = backend_prepare(skel->progs.probe_file_open, kernel, backend, "file_open",
			    "security_file_open");
	if (r)
		return error_errno(err, r, "file_open has no place to attach");
	r = probe__load(skel);
	if (r)
		return error_errno(err, r, "the kernel does not load the probe program");
	link = backend_attach(skel->progs.probe_file_open);
	if (!link)
		return error_errno(err, -errno, "the kernel does not attach the probe program");
	r = try_open();
	if (r)
		return error_set(err, r, "the probe program attaches but is never called");
	return backend == BACKEND_LSM ? 0 : check_preemption(skel->data->probe_preempt, err);
}

int probe_choose(struct error *err, enum backend *ret_backend)
{
	struct error lsm, fmod_ret;

	if (!probe_backend(BACKEND_LSM, &lsm)) {
		*ret_backend = BACKEND_LSM;
		return 0;
	}
	if (!probe_backend(BACKEND_FMOD_RET, &fmod_ret)) {
		*ret_backend = BACKEND_FMOD_RET;
		return 0;
	}
	return error_set(
		err, -EOPNOTSUPP,
		"this kernel enforces nothing for jobcage: BPF LSM: %.300s; fmod_ret: %.300s; 'jobcage doctor' says what to do",
		lsm.text, fmod_ret.text);
}
