// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One source, two ways to attach; see backend.h. */
#include "kern/backend.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>

const char *backend_name(enum backend backend)
{
	return backend == BACKEND_LSM ? "lsm" : "fmod_ret";
}

static const struct btf_type *find_function(const struct btf *kernel, const char *name)
{
	__s32 id = btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC);

	return id < 0 ? NULL : btf__type_by_id(kernel, (__u32)id);
}

static const struct btf_type *find_lsm(const struct btf *kernel, const char *lsm)
{
	char name[64];

	snprintf(name, sizeof(name), "bpf_lsm_%s", lsm);
	return find_function(kernel, name);
}

int backend_lsm_argc(const struct btf *kernel, const char *lsm)
{
	const struct btf_type *type = find_lsm(kernel, lsm);

	return type ? btf_vlen(btf__type_by_id(kernel, type->type)) : 0;
}

int backend_prepare(struct bpf_program *prog, const struct btf *kernel, enum backend backend,
		    const char *lsm, const char *function)
{
	int r;

	if (lsm && backend == BACKEND_LSM)
		return find_lsm(kernel, lsm) ? 0 : -ENOENT;
	if (!find_function(kernel, function))
		return -ENOENT;
	if (!lsm)
		return 0;
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
