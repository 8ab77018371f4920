// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Policies in the kernel's maps; see publish.h. */
#include "kern/publish.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "kern/barrier.h"
#include "kern/names.h"
#include "kern/budget.h"
#include "kern/devices.h"
#include "kern/trees.h"

static void cleanup_egress(struct egress_tables *tables)
{
	egress_tables_free(tables);
}

static bool is_published(const struct kern *kern, __u32 slot)
{
	return __atomic_load_n(&kern->policies[slot].mode, __ATOMIC_ACQUIRE);
}

/* Set before the first inner map is there, and until the last is gone: of a slot that is not published
 * it says that a controller died in between. */
static void set_filled(struct kern *kern, __u32 slot, bool is_filled)
{
	__atomic_store_n(&kern->policies[slot].is_filled, is_filled, __ATOMIC_SEQ_CST);
}

static bool holds_anything(const struct kern *kern, __u32 slot)
{
	return is_published(kern, slot) || kern->policies[slot].is_filled;
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

/* --- the maps of maps --------------------------------------------------------------------------- */

/* What is to stand under the policy's slot in one of them: a map, or nothing (-1). */
struct store {
	int outer_fd, inner_fd;
	__u32 slot;
	int result;
};

#define STORES 3

static void *store_inner(void *arg)
{
	struct store *store = arg;
	int r = store->inner_fd < 0
			? bpf_map_delete_elem(store->outer_fd, &store->slot)
			: bpf_map_update_elem(store->outer_fd, &store->slot, &store->inner_fd,
					      BPF_ANY);

	store->result = r ? -errno : 0;
	return NULL;
}

/*
 * Each of these calls waits for a grace period, so they wait side by side. Where there is no
 * thread to be had, one after the other.
 */
static int store_all(struct kern *kern, __u32 slot, int roots_fd, int nets_fd, int ports_fd)
{
	struct store stores[STORES] = {
		{ kern->map_fd[MAP_ROOTS_BY_POLICY], roots_fd, slot, 0 },
		{ kern->map_fd[MAP_NETS_BY_POLICY], nets_fd, slot, 0 },
		{ kern->map_fd[MAP_PORTS_BY_POLICY], ports_fd, slot, 0 },
	};
	bool is_thread[STORES] = { false };
	pthread_t threads[STORES];
	int r = 0;

	for (size_t i = 1; i < STORES; i++)
		is_thread[i] = !pthread_create(&threads[i], NULL, store_inner, &stores[i]);
	for (size_t i = 0; i < STORES; i++) {
		if (is_thread[i])
			pthread_join(threads[i], NULL);
		else
			store_inner(&stores[i]);
		if (!r)
			r = stores[i].result;
	}
	return r;
}

/* Of a slot that no job names, so before its inner maps are there, and after they are gone. */
static int publish_budgets(struct kern *kern, __u32 slot, const struct egress_tables *tables)
{
	kern->policies[slot].budget_cnt = (__u8)tables->budget_cnt;
	return budget_publish(kern, slot, tables->budgets, tables->budget_cnt);
}

static void withdraw_budgets(struct kern *kern, __u32 slot)
{
	budget_withdraw(kern, slot, kern->policies[slot].budget_cnt);
	kern->policies[slot].budget_cnt = 0;
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
	if (r)
		return r;
	set_filled(kern, slot, true);
	r = publish_budgets(kern, slot, tables);
	return r ? r : store_all(kern, slot, roots_fd, nets_fd, ports_fd);
}

/* --- policies ----------------------------------------------------------------------------------- */

/*
 * A slot is published at most once in a microsecond, and the clock does not run backwards while the
 * kernel, and what it remembers, lives: so no two publications share an id.
 */
static __u64 new_rules_id(__u32 slot)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (now.tv_sec * 1000000ULL + now.tv_nsec / 1000) * POLICY_SLOTS + slot;
}

static void publish_filters(struct policy_value *value, const struct roots *roots)
{
	value->dev_filter = 0;
	value->file_filter = 0;
	for (size_t i = 0; i < roots->dev_cnt; i++)
		value->dev_filter |= 1ULL << DEV_FILTER_BIT(roots->devs[i]);
	for (size_t i = 0; i < roots->cnt; i++)
		if (ROOT_TYPE(roots->items[i].key.kind) != S_IFDIR)
			value->file_filter |= 1ULL << FILE_FILTER_BIT(roots->items[i].key.ino);
}

/* The mode last: it publishes the rest. */
static void publish_value(struct kern *kern, __u32 slot, const struct policy *policy,
			  const struct roots *roots)
{
	struct policy_value *value = &kern->policies[slot];

	value->file_default = policy->file_default;
	value->exec_default = policy->exec_default;
	value->egress_default = policy->egress_default;
	if (policy->egress_default == EGRESS_ALLOW && value->budget_cnt)
		value->egress_default = EGRESS_COUNTED;
	value->ingress_default = policy->ingress_default;
	value->unix_default = policy->unix_default;
	value->mounts = policy->mounts;
	value->sockets = policy->sockets;
	value->capabilities = policy->capabilities;
	value->devices = policy->devices;
	value->user_namespaces = policy->user_namespaces;
	if (policy->devices)
		devices_publish(kern->tables);
	value->btrfs = trees_known(kern);
	value->rules_id = new_rules_id(slot);
	publish_filters(value, roots);
	value->dev_cnt = roots->dev_cnt;
	value->dataset_dev_cnt = roots->dataset_dev_cnt;
	for (size_t i = 0; i < roots->dev_cnt && i < POLICY_DEVS; i++)
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

int policy_publish(struct kern *kern, struct places *places, const char *const *own, __u32 slot,
		   struct error *err, struct roots *ret_roots)
{
	const struct policy *policy = places->policy;
	_cleanup_(cleanup_egress) struct egress_tables tables = { 0 };
	_cleanup_(roots_free) struct roots roots = { 0 };
	int r;

	r = roots_resolve(kern, places, own, err, &roots);
	if (r)
		return r;
	r = egress_compile(policy, &tables);
	if (!r)
		r = publish_maps(kern, slot, &roots, &tables);
	if (!r)
		r = names_publish(kern, slot, policy, &tables);
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
	if (slot >= POLICY_SLOTS)
		return;
	__atomic_store_n(&kern->policies[slot].mode, 0, __ATOMIC_RELEASE);
	store_all(kern, slot, -1, -1, -1);
	names_withdraw(kern, slot);
	withdraw_budgets(kern, slot);
	set_filled(kern, slot, false);
}

int policy_barrier(struct error *err)
{
	return barrier_wait(err);
}

__u64 policy_rules_id(const struct kern *kern, __u32 slot)
{
	return slot < POLICY_SLOTS && is_published(kern, slot) ? kern->policies[slot].rules_id : 0;
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

int policy_withdraw_unused(struct kern *kern, const bool *is_kept, struct error *err)
{
	_cleanup_free_ bool *is_unused = calloc(POLICY_SLOTS, sizeof(*is_unused));
	bool any = false;
	int r = 0;

	if (!is_unused)
		return error_errno(err, -ENOMEM, "cannot look for policies without a job");
	for (__u32 slot = 0; slot < POLICY_SLOTS; slot++) {
		is_unused[slot] = holds_anything(kern, slot) && !(is_kept && is_kept[slot]) &&
				  !policy_slot_in_use(kern, slot);
		any = any || is_unused[slot];
	}
	if (any)
		r = policy_barrier(err);
	for (__u32 slot = 0; !r && slot < POLICY_SLOTS; slot++)
		if (is_unused[slot])
			policy_withdraw(kern, slot);
	return r;
}
