// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One source, two ways to attach; see backend.h. */
#include "kern/backend.h"

#include <errno.h>

const char *backend_name(enum backend backend)
{
	return backend == BACKEND_LSM ? "lsm" : "fmod_ret";
}

int backend_prepare(struct bpf_program *prog, enum backend backend, const char *lsm,
		    const char *function)
{
	int r;

	if (!lsm) {
		r = libbpf_find_vmlinux_btf_id(function, BPF_TRACE_FENTRY);
		return r < 0 ? r : 0;
	}
	if (backend == BACKEND_LSM) {
		r = libbpf_find_vmlinux_btf_id(lsm, BPF_LSM_MAC);
		return r < 0 ? r : 0;
	}
	r = bpf_program__set_type(prog, BPF_PROG_TYPE_TRACING);
	if (!r)
		r = bpf_program__set_expected_attach_type(prog, BPF_MODIFY_RETURN);
	if (!r)
		r = bpf_program__set_attach_target(prog, 0, function);
	return r;
}

struct bpf_link *backend_attach(struct bpf_program *prog)
{
	return bpf_program__type(prog) == BPF_PROG_TYPE_LSM ? bpf_program__attach_lsm(prog)
							     : bpf_program__attach_trace(prog);
}
