// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Policies in the kernel's maps; see publish.h. */
#include "kern/publish.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "base/cleanup.h"
#include "kern/barrier.h"

static void cleanup_egress(struct egress_tables *tables)
{
	egress_tables_free(tables);
}

static bool is_published(const struct kern *kern, __u32 slot)
{
	return __atomic_load_n(&kern->policies[slot].mode, __ATOMIC_ACQUIRE);
}

static int fill_roots(const struct roots *roots, int *ret_fd)
{
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "roots", sizeof(struct root_key),
					     sizeof(struct root_value), roots->cnt ? roots->cnt : 1,
					     NULL);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < roots->cnt; i++)
		if (bpf_map_update_elem(fd, &roots->items[i].key, &roots->items[i].value,
					BPF_NOEXIST))
			return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int fill_nets(const struct egress_tables *tables, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "nets", sizeof(struct net_key),
					     sizeof(struct net_value),
					     tables->net_cnt ? tables->net_cnt : 1, &opts);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < tables->net_cnt; i++)
		if (bpf_map_update_elem(fd, &tables->net_keys[i], &tables->net_values[i],
					BPF_NOEXIST))
			return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int fill_ports(const struct egress_tables *tables, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	_cleanup_fd_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ports", sizeof(__u32),
					     sizeof(struct port_range),
					     tables->port_cnt ? tables->port_cnt : 1, &opts);

	if (fd < 0)
		return -errno;
	for (__u32 i = 0; i < tables->port_cnt; i++)
		if (bpf_map_update_elem(fd, &i, &tables->ports[i], BPF_ANY))
			return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int publish_inner(struct kern *kern, enum kern_map outer, __u32 slot, int inner_fd)
{
	return bpf_map_update_elem(kern->map_fd[outer], &slot, &inner_fd, BPF_ANY) ? -errno : 0;
}

static int publish_maps(struct kern *kern, __u32 slot, const struct roots *roots,
			const struct egress_tables *tables)
{
	_cleanup_fd_ int roots_fd = -1, nets_fd = -1, ports_fd = -1;
	int r;

	r = fill_roots(roots, &roots_fd);
	if (!r)
		r = fill_nets(tables, &nets_fd);
	if (!r)
		r = fill_ports(tables, &ports_fd);
	if (!r)
		r = publish_inner(kern, MAP_ROOTS_BY_POLICY, slot, roots_fd);
	if (!r)
		r = publish_inner(kern, MAP_NETS_BY_POLICY, slot, nets_fd);
	if (!r)
		r = publish_inner(kern, MAP_PORTS_BY_POLICY, slot, ports_fd);
	return r;
}

/* The mode last: it publishes the rest. */
static void publish_value(struct kern *kern, __u32 slot, const struct policy *policy,
			  const struct roots *roots)
{
	struct policy_value *value = &kern->policies[slot];

	value->file_default = policy->file_default;
	value->exec_default = policy->exec_default;
	value->egress_default = policy->egress_default;
	value->dev_cnt = roots->dev_cnt;
	if (roots->dev_cnt <= POLICY_DEVS)
		for (size_t i = 0; i < roots->dev_cnt; i++)
			value->devs[i] = roots->devs[i];
	__atomic_store_n(&value->mode, policy->mode, __ATOMIC_RELEASE);
}

int policy_choose_slot(struct kern *kern, struct error *err, __u32 *ret_slot)
{
	for (__u32 slot = 0; slot < POLICY_SLOTS; slot++)
		if (!is_published(kern, slot)) {
			*ret_slot = slot;
			return 0;
		}
	return error_errno(err, -ENOSPC, "no room for another policy in the kernel (%d at most)",
			   POLICY_SLOTS);
}

int policy_publish(struct kern *kern, const struct policy *policy, const char *const *own,
		   __u32 slot, struct error *err, struct roots *ret_roots)
{
	_cleanup_(cleanup_egress) struct egress_tables tables = { 0 };
	_cleanup_(roots_free) struct roots roots = { 0 };
	int r;

	r = roots_resolve(kern, policy, own, err, &roots);
	if (r)
		return r;
	r = egress_compile(policy, &tables);
	if (!r)
		r = publish_maps(kern, slot, &roots, &tables);
	if (r) {
		policy_withdraw(kern, slot);
		return error_errno(err, r, "cannot put the policy's rules into the kernel");
	}
	publish_value(kern, slot, policy, &roots);
	*ret_roots = roots;
	roots = (struct roots){ 0 };
	return 0;
}

void policy_withdraw(struct kern *kern, __u32 slot)
{
	static const enum kern_map outer[] = { MAP_ROOTS_BY_POLICY, MAP_NETS_BY_POLICY,
					       MAP_PORTS_BY_POLICY };

	if (slot >= POLICY_SLOTS)
		return;
	__atomic_store_n(&kern->policies[slot].mode, 0, __ATOMIC_RELEASE);
	for (size_t i = 0; i < ARRAY_SIZE(outer); i++)
		bpf_map_delete_elem(kern->map_fd[outer[i]], &slot);
}

int policy_barrier(struct kern *kern, struct error *err)
{
	(void)kern;
	return barrier_wait(err);
}

bool policy_slot_in_use(struct kern *kern, __u32 slot)
{
	for (__u32 i = JOB_SLOT_NONE + 1; i < JOB_SLOTS; i++) {
		union job_force force = {
			.word = __atomic_load_n(&kern->jobs[i].force.word, __ATOMIC_ACQUIRE)
		};

		if (force.generation && force.policy == slot)
			return true;
	}
	return false;
}

void policy_sweep(struct kern *kern)
{
	for (__u32 slot = 0; slot < POLICY_SLOTS; slot++)
		if (kern->policies[slot].mode && !policy_slot_in_use(kern, slot))
			policy_withdraw(kern, slot);
}
