// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Another confinement that refuses what the canary attempts, with the same errno as ours: what the
 * self-test must not take for its own. As an LSM, and for kernels that ask no BPF LSM, in front of
 * the hook.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define EACCES 13

/* As much of the kernel's as is read here. */
struct qstr {
	const unsigned char *name;
} __attribute__((preserve_access_index));

struct dentry {
	struct qstr d_name;
} __attribute__((preserve_access_index));

struct path {
	struct dentry *dentry;
} __attribute__((preserve_access_index));

struct file {
	struct path f_path;
} __attribute__((preserve_access_index));

static int is_canary(void)
{
	static const char name[] = "canary-";
	char comm[16] = "";

	bpf_get_current_comm(comm, sizeof(comm));
	for (unsigned int i = 0; i < sizeof(name) - 1; i++)
		if (comm[i] != name[i])
			return 0;
	return 1;
}

/* Of a dataset: the canary's own are called otherwise. */
static int is_data(struct file *file)
{
	unsigned char name[2] = "";

	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return name[0] == 'a' && !name[1];
}

SEC("lsm/path_rename")
int lsm_rename(void *ctx)
{
	return is_canary() ? -EACCES : 0;
}

SEC("fmod_ret/security_path_rename")
int mod_rename(void *ctx)
{
	return is_canary() ? -EACCES : 0;
}

SEC("lsm/file_open")
int lsm_open(unsigned long long *ctx)
{
	return is_canary() && is_data((struct file *)ctx[0]) ? -EACCES : 0;
}

SEC("fmod_ret/security_file_open")
int mod_open(unsigned long long *ctx)
{
	return is_canary() && is_data((struct file *)ctx[0]) ? -EACCES : 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
